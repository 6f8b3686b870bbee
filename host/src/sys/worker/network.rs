//! Workers that speak to the network.
//!
//! They hold no lock and no privilege, so unlike most they may outlive a call, and their connections with
//! them. What parses the network's bytes is never this process, and never root.

#[cfg(feature = "network")]
mod privileges;
#[cfg(feature = "network")]
mod serve;

use std::path::PathBuf;
use std::time::Instant;

use super::pool::Pool;
use super::{Fault, FaultKind, HttpsRequest, Reply, Request, WorkerToll};

#[cfg(feature = "network")]
pub(super) use serve::serve;

/// Word of such a worker's command line.
pub(super) const ARGUMENT: &str = "network";

/// The idle workers of one process; clones share them.
#[derive(Debug, Clone)]
pub struct NetworkWorkers(Pool);

impl NetworkWorkers {
    /// None yet. `drivebay` is where that program is: a build without network, which is what kubelet execs,
    /// runs it as its worker. With network this executable is its own worker. What these and a call's other
    /// workers cost is put on the `toll`.
    pub fn new(drivebay: PathBuf, toll: WorkerToll) -> Self {
        let program = match cfg!(feature = "network") {
            true => PathBuf::from("/proc/self/exe"),
            false => drivebay,
        };
        Self::running(program, toll)
    }

    fn running(program: PathBuf, toll: WorkerToll) -> Self {
        Self(Pool::of(program, ARGUMENT, toll))
    }

    pub(super) fn toll(&self) -> &WorkerToll {
        self.0.toll()
    }

    pub(super) fn call(&self, request: HttpsRequest, deadline: Instant) -> Result<Reply, Fault> {
        let purpose = request.purpose();
        if !self.0.program().exists() {
            let message = format!(
                "{purpose}: {} is missing, which makes requests to the network; run `drivebay install`",
                self.0.program().display()
            );
            return Err(Fault::new(FaultKind::Other, message));
        }
        self.0
            .call(&Request::Https(request), &purpose, deadline)
            .map_err(|fault| never_stuck(fault, &purpose))
    }
}

/// It holds no volume's lock, so one that the kernel does not let go is nobody's trouble.
fn never_stuck(fault: Fault, purpose: &str) -> Fault {
    if fault.kind != FaultKind::Stuck {
        return fault;
    }
    Fault::new(
        FaultKind::TimedOut,
        format!("{purpose} did not end within the deadline"),
    )
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::time::Duration;

    use super::super::pool;
    use super::*;

    /// Workers of a few lines of shell; what they answer is a fault that says which process it was.
    fn workers(script: &str) -> (tempfile::TempDir, NetworkWorkers) {
        let directory = tempfile::tempdir().expect("a directory");
        let program = directory.path().join("worker");
        // Written by another process: a file that is open for writing in this one, for another test's child
        // to inherit, cannot be executed.
        #[expect(
            clippy::disallowed_methods,
            reason = "sys is where child processes are made"
        )]
        let written = std::process::Command::new("/bin/sh")
            .args([
                "-c",
                r#"printf '#!/bin/sh\n%s\n' "$1" > "$0" && chmod 700 "$0""#,
            ])
            .args([program.as_os_str(), script.as_ref()])
            .status();
        assert!(written.expect("sh runs").success());
        (
            directory,
            NetworkWorkers::running(program, WorkerToll::default()),
        )
    }

    const ANSWER: &str = r#"echo "{\"Err\":{\"kind\":\"Other\",\"message\":\"$$\"}}""#;

    #[track_caller]
    fn ask(workers: &NetworkWorkers, host: &str) -> Fault {
        let request = HttpsRequest::Resolve { host: host.into() };
        let begun = Instant::now();
        let answer = workers.call(request, begun + Duration::from_secs(1));
        assert!(begun.elapsed() < Duration::from_secs(5), "it took too long");
        answer.expect_err("a fault")
    }

    fn is_alive(process: &str) -> bool {
        Path::new("/proc").join(process).exists()
    }

    #[test]
    fn a_worker_that_answered_is_asked_again_and_ends_with_the_pool() {
        let (_directory, workers) = workers(&format!("while read -r line; do {ANSWER}; done"));
        let first = ask(&workers, "a").message;
        assert_eq!(ask(&workers.clone(), "b").message, first);
        assert!(is_alive(&first));
        drop(workers);
        assert!(!is_alive(&first));
    }

    #[test]
    fn a_worker_that_has_ended_meanwhile_is_not_asked() {
        let (_directory, workers) = workers(&format!("read -r line; {ANSWER}"));
        let first = ask(&workers, "a").message;
        while workers.0.any_is_alive() {
            std::thread::sleep(Duration::from_millis(1));
        }
        assert_ne!(ask(&workers, "b").message, first);
    }

    #[test]
    fn no_more_than_a_few_wait_for_work() {
        let script = format!("while read -r line; do sleep 0.3; {ANSWER}; done");
        let (_directory, workers) = workers(&script);
        std::thread::scope(|scope| {
            for _ in 0..pool::MAX_IDLE + 3 {
                scope.spawn(|| ask(&workers, "a"));
            }
        });
        assert_eq!(workers.0.idle(), pool::MAX_IDLE);
    }

    #[test]
    fn one_that_was_idle_for_too_long_is_ended() {
        let (_directory, workers) = workers(&format!("while read -r line; do {ANSWER}; done"));
        let first = ask(&workers, "a").message;
        workers.0.grow_old();
        assert_ne!(ask(&workers, "a").message, first);
        assert!(!is_alive(&first));
    }

    #[test]
    fn one_that_neither_reads_nor_answers_is_killed_at_the_deadline() {
        let (_directory, workers) = workers("exec sleep 60");
        // More than a pipe takes.
        let fault = ask(&workers, &"a".repeat(1 << 20));
        assert_eq!(fault.kind, FaultKind::TimedOut);
        assert_eq!(workers.0.idle(), 0);
        assert_eq!(workers.toll().costs().killed_at_deadline, 1);
    }

    #[test]
    fn a_missing_program_is_named() {
        let workers = NetworkWorkers::running(
            PathBuf::from("/nonexistent/drivebay"),
            WorkerToll::default(),
        );
        let fault = ask(&workers, "a");
        assert_eq!(
            fault.message,
            "looking up \"a\": /nonexistent/drivebay is missing, which makes requests to the network; run `drivebay install`"
        );
    }
}
