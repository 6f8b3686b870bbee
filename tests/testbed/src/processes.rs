//! Processes that belong to a directory: the host's programs that were pointed at it, and their workers.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// One that is stuck in the kernel is not waited for any longer.
const PATIENCE: Duration = Duration::from_secs(5);

/// Kills those that belong to a directory, and waits until they are gone.
pub fn end_processes_of(directory: &Path) {
    let until = Instant::now() + PATIENCE;
    loop {
        let processes = those_of(directory);
        if processes.is_empty() || Instant::now() > until {
            return;
        }
        for process in processes {
            let _ = kill(process, Signal::SIGKILL);
        }
        thread::sleep(Duration::from_millis(5));
    }
}

fn those_of(directory: &Path) -> Vec<Pid> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let ids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    let is_meant = |id: &i32| is_pointed_at(*id, directory) || is_worker_in(*id, directory);
    ids.filter(is_meant).map(Pid::from_raw).collect()
}

/// By the environment of [`crate::Node::command`].
fn is_pointed_at(id: i32, directory: &Path) -> bool {
    let environment = fs::read(format!("/proc/{id}/environ")).unwrap_or_default();
    environment.split(|byte| *byte == 0).any(|variable| {
        let value = variable.splitn(2, |byte| *byte == b'=').nth(1);
        let value = value.map(|value| Path::new(OsStr::from_bytes(value)));
        variable.starts_with(b"DRIVEBAY_") && value.is_some_and(|path| path.starts_with(directory))
    })
}

/// Workers have no environment: theirs is the directory where their locks, or their program, are.
fn is_worker_in(id: i32, directory: &Path) -> bool {
    let line = fs::read(format!("/proc/{id}/cmdline")).unwrap_or_default();
    let open = fs::read_dir(format!("/proc/{id}/fd")).into_iter().flatten();
    let open = open.flatten().map(|entry| entry.path());
    let mut links = open.chain([format!("/proc/{id}/exe").into()]);
    line.starts_with(b"drivebay-worker\0")
        && links.any(|link| fs::read_link(link).is_ok_and(|file| file.starts_with(directory)))
}
