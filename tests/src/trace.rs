//! What programs ask of the kernel, as strace(1) shows it: for promises about what is not done.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};

use nix::sys::signal::Signal;
use nix::unistd::Pid;

use crate::{Answer, Csi, Node, eventually, send, text};

/// Opening files, listing directories, making processes and namespaces.
const CALLS: &str =
    "trace=?open,openat,?openat2,getdents64,unshare,setns,clone,clone3,?fork,?vfork";

/// The system calls of one call, of its workers too.
#[derive(Debug)]
pub struct Trace(String);

impl Node {
    /// Calls the executable at that path in the plugin directory as kubelet does, and watches.
    #[track_caller]
    pub fn call_traced(&self, executable: &str, arguments: &[&str]) -> (Answer, Trace) {
        let file = self.path("trace");
        let program = self.path("plugins").join(executable);
        let output = self
            .command(Path::new("/usr/bin/strace"))
            .args([
                "-f",
                "-qq",
                "-y",
                "-e",
                CALLS,
                "-o",
                text(&file),
                text(&program),
            ])
            .args(arguments)
            .output()
            .expect("strace is installed");
        let trace = Trace::read(&file);
        assert!(trace.0.contains("openat"), "nothing was traced: {trace:?}");
        (Answer::of(&output), trace)
    }
}

impl Csi {
    /// Watches its process and every worker of it while something is done.
    #[track_caller]
    pub fn traced<T>(&self, node: &Node, work: impl FnOnce() -> T) -> (T, Trace) {
        let file = node.path("trace");
        let process = self.process();
        let strace = node
            .command(Path::new("/usr/bin/strace"))
            .args(["-f", "-qq", "-y", "-e", CALLS, "-o", text(&file), "-p"])
            .arg(process.to_string())
            .stderr(Stdio::null())
            .spawn()
            .expect("strace is installed");
        let strace = Watching(strace);
        eventually("strace to watch every thread", || is_watched(process));
        let outcome = work();
        drop(strace);
        (outcome, Trace::read(&file))
    }
}

/// Ended when dropped; what it watches goes on.
struct Watching(Child);

impl Drop for Watching {
    fn drop(&mut self) {
        send(Pid::from_raw(self.0.id().cast_signed()), Signal::SIGINT);
        let _ = self.0.wait();
    }
}

fn is_watched(process: Pid) -> bool {
    let threads = fs::read_dir(format!("/proc/{process}/task")).expect("it runs");
    threads.flatten().all(|thread| {
        let status = fs::read_to_string(thread.path().join("status")).unwrap_or_default();
        let tracer = status
            .lines()
            .find_map(|line| line.strip_prefix("TracerPid:"));
        tracer.is_none_or(|tracer| tracer.trim() != "0")
    })
}

impl Trace {
    #[track_caller]
    fn read(file: &Path) -> Self {
        Self(fs::read_to_string(file).expect("strace wrote it"))
    }

    /// How often the table of all mounts was opened.
    pub fn tables(&self) -> usize {
        let is_table = |line: &str| line.contains("/mountinfo\"") || line.contains("/mounts\"");
        self.lines(|line| line.contains("\"/proc/") && is_table(line))
            .len()
    }

    /// Where a file beneath that directory was opened.
    pub fn opened_beneath(&self, directory: &Path) -> Vec<&str> {
        let is_open = |line: &str| line.contains("open(") || line.contains("openat");
        self.lines(|line| is_open(line) && line.contains(text(directory)))
    }

    /// Where a process was made; threads are none.
    pub fn processes(&self) -> Vec<&str> {
        let makes = |line: &str| line.contains("fork(") || line.contains("clone");
        self.lines(|line| makes(line) && !line.contains("CLONE_THREAD"))
    }

    /// Where a mount namespace was made.
    pub fn namespaces(&self) -> Vec<&str> {
        self.lines(|line| line.contains("CLONE_NEWNS"))
    }

    /// Directories that were listed.
    pub fn listed(&self) -> Vec<PathBuf> {
        let directory = |line: &str| {
            let (_, rest) = line.split_once("getdents64(")?;
            let (_, path) = rest.split_once('<')?;
            Some(PathBuf::from(path.split_once('>')?.0))
        };
        self.0.lines().filter_map(directory).collect()
    }

    fn lines(&self, is_meant: impl Fn(&str) -> bool) -> Vec<&str> {
        self.0.lines().filter(|line| is_meant(line)).collect()
    }
}
