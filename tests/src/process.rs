//! Processes of the host, seen from outside.

use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::{Answer, Node};

/// Far longer than anything here takes; it only turns a hang into a failure.
pub const PATIENCE: Duration = Duration::from_secs(30);

impl Node {
    /// Worker processes that hold a lock of this node, whoever their parent is by now.
    pub fn workers(&self) -> Vec<Pid> {
        self.workers_holding("run/locks")
    }

    /// Those that carry out a job, which outlives the call that began it.
    pub fn jobs(&self) -> Vec<Pid> {
        self.workers_holding("run/slots")
    }

    fn workers_holding(&self, locks: &str) -> Vec<Pid> {
        let locks = self.path(locks);
        let entries = fs::read_dir("/proc").expect("mounted").flatten();
        let ids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
        // The third descriptor of a worker is the volume's lock.
        let ours = |id: &i32| {
            let file = |name: &str| format!("/proc/{id}/{name}");
            fs::read_link(file("fd/2")).is_ok_and(|lock| lock.starts_with(&locks))
                && fs::read(file("cmdline"))
                    .is_ok_and(|line| line.starts_with(b"drivebay-worker\0"))
        };
        ids.filter(ours).map(Pid::from_raw).collect()
    }

    /// Waits until the workers of killed shims have finished what they were at.
    #[track_caller]
    pub fn is_left_alone(&self) {
        eventually("orphaned workers to end", || self.workers().is_empty());
    }
}

/// Waits for something that nobody announces.
#[track_caller]
pub fn eventually(what: &str, mut condition: impl FnMut() -> bool) {
    let until = Instant::now() + PATIENCE;
    while !condition() {
        assert!(Instant::now() < until, "waited {PATIENCE:?} for {what}");
        thread::sleep(Duration::from_micros(200));
    }
}

/// Sends a signal to a process of this test's own.
#[track_caller]
pub fn send(process: Pid, signal: Signal) {
    kill(process, signal).expect("it still runs");
}

/// `kill -9`, and proof that nothing else ended it first or that it was done already.
#[track_caller]
pub fn kill_hard(mut child: Child) {
    child.kill().expect("ours");
    let status = child.wait().expect("ours");
    assert!(status.signal() == Some(9) || status.success(), "{status:?}");
}

/// From before the shim's first instruction to after its last, in 120 steps.
pub fn moments() -> impl Iterator<Item = Duration> {
    (0..120).map(|step| Duration::from_micros(step * 40))
}

/// Starts a call-out and kills it so much later; a worker of it may go on.
#[track_caller]
pub fn killed_after(delay: Duration, mut callout: Command) {
    let shim = callout.spawn().expect("the shim runs");
    let until = Instant::now() + delay;
    while Instant::now() < until {
        std::hint::spin_loop();
    }
    kill_hard(shim);
}

/// Starts all calls, then waits for all; each has to succeed.
#[track_caller]
pub fn all_succeed_at_once(calls: impl IntoIterator<Item = Command>) {
    let start = |mut call: Command| call.spawn().expect("the shim runs");
    let running: Vec<Child> = calls.into_iter().map(start).collect();
    for shim in running {
        Answer::of(&shim.wait_with_output().expect("ours")).succeeds();
    }
}
