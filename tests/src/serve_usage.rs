//! One process with several drivers, in a memory cgroup of its own where one can be made, and what it uses.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use drivebay_testbed::Serving;
use tonic::transport::{Channel, Endpoint};

use crate::{Node, PATIENCE, dist, text};

/// A control group of version 1 or 2 with a limit on memory; removed when dropped.
#[derive(Debug)]
pub struct MemoryCgroup(PathBuf);

impl MemoryCgroup {
    /// None where this machine lets nobody make one.
    pub fn with_limit(bytes: u64) -> Option<Self> {
        let name = format!("drivebay-test-{}", std::process::id());
        let files = [
            ("/sys/fs/cgroup/memory", "memory.limit_in_bytes"),
            ("/sys/fs/cgroup", "memory.max"),
        ];
        files.into_iter().find_map(|(root, limit)| {
            let group = Path::new(root).join(&name);
            fs::create_dir(&group).ok()?;
            let made = Self(group);
            fs::write(made.0.join(limit), bytes.to_string()).ok()?;
            Some(made)
        })
    }
}

impl Drop for MemoryCgroup {
    /// When the last worker of a process that was killed has gone.
    fn drop(&mut self) {
        let until = Instant::now() + PATIENCE;
        while fs::remove_dir(&self.0).is_err() && Instant::now() < until {
            thread::sleep(Duration::from_millis(10));
        }
    }
}

/// `drivebay serve` with several drivers; ended when dropped.
#[derive(Debug)]
pub struct ServeProcess {
    serving: Serving,
    directory: PathBuf,
    watched: Vec<PathBuf>,
}

impl ServeProcess {
    /// One socket for each driver, all in one process.
    #[track_caller]
    pub fn start(
        node: &Node,
        group: Option<&MemoryCgroup>,
        drivers: &[&str],
        arguments: &[&str],
    ) -> Self {
        let directory = node.path("csi");
        fs::create_dir_all(&directory).expect("writable");
        let group = group.map_or("/dev/null".into(), |group| group.0.join("cgroup.procs"));
        let log = node.path("serve.log");
        let mut command = node.command(Path::new("/bin/sh"));
        command
            .args(["-c", r#"echo $$ > "$0" && exec "$@""#])
            .arg(&group)
            .arg(dist("drivebay"))
            .arg("serve")
            .args(arguments);
        let sockets = drivers.iter().map(|driver| socket(&directory, driver));
        let sockets: Vec<PathBuf> = sockets.collect();
        for (driver, socket) in drivers.iter().zip(&sockets) {
            command.args(["--driver", driver, "--endpoint"]);
            command.arg(format!("unix://{}", socket.display()));
        }
        let serving = Serving::start(command, &log, &sockets);
        Self {
            serving: serving.expect("it serves"),
            directory,
            watched: vec![log, node.path("state"), node.path("run")],
        }
    }

    /// A connection that is made when it is first used; for use inside a runtime.
    pub fn channel(&self, driver: &str) -> Channel {
        let address = format!("unix://{}", text(&socket(&self.directory, driver)));
        Endpoint::from_shared(address)
            .expect("a socket")
            .connect_lazy()
    }

    /// Whether it still runs.
    pub fn is_alive(&mut self) -> bool {
        self.serving.is_alive()
    }

    /// What it uses of the node now, by name.
    pub fn usage(&self) -> BTreeMap<&'static str, u64> {
        let id = self.serving.id();
        let processes = descendants(id);
        // One that is being started still shows the memory of its parent.
        let is_worker = |id: &&u32| {
            let line = fs::read(format!("/proc/{id}/cmdline"));
            line.is_ok_and(|line| line.starts_with(b"drivebay-worker\0"))
        };
        let memory = |id: &u32| status(*id, "RssAnon:");
        let open = fs::read_dir(format!("/proc/{id}/fd")).map_or(0, Iterator::count);
        let disk: u64 = self.watched.iter().map(|path| bytes_beneath(path)).sum();
        let lines = fs::read(&self.watched[0]).unwrap_or_default();
        BTreeMap::from([
            ("MiB of memory", status(id, "RssAnon:") >> 10),
            (
                "MiB of memory, workers",
                processes.iter().filter(is_worker).map(memory).sum::<u64>() >> 10,
            ),
            ("processes", processes.len() as u64),
            ("threads", status(id, "Threads:")),
            ("descriptors", open as u64),
            ("KiB of disk", disk >> 10),
            (
                "log lines",
                lines.iter().filter(|byte| **byte == b'\n').count() as u64,
            ),
        ])
    }
}

fn socket(directory: &Path, driver: &str) -> PathBuf {
    directory.join(format!("{driver}.sock"))
}

/// What is gone by the time that it is looked at counts as nothing.
fn bytes_beneath(path: &Path) -> u64 {
    match fs::read_dir(path) {
        Ok(entries) => entries
            .flatten()
            .map(|entry| bytes_beneath(&entry.path()))
            .sum(),
        Err(_) => fs::symlink_metadata(path).map_or(0, |found| found.len()),
    }
}

/// A number of proc(5)'s status; memory is in KiB there.
fn status(id: u32, key: &str) -> u64 {
    let text = fs::read_to_string(format!("/proc/{id}/status")).unwrap_or_default();
    let value = text.lines().find_map(|line| line.strip_prefix(key));
    let number = value.and_then(|value| value.split_whitespace().next());
    number.and_then(|number| number.parse().ok()).unwrap_or(0)
}

fn descendants(of: u32) -> Vec<u32> {
    let entries = fs::read_dir("/proc").expect("mounted").flatten();
    let ids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    let parents: Vec<(u32, u64)> = ids.map(|id| (id, status(id, "PPid:"))).collect();
    let mut found = Vec::new();
    let mut next = vec![of];
    while let Some(parent) = next.pop() {
        let children = parents
            .iter()
            .filter(|(_, of)| *of == u64::from(parent))
            .map(|(id, _)| *id);
        let children: Vec<u32> = children.collect();
        found.extend(&children);
        next.extend(children);
    }
    found
}
