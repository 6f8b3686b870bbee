//! Workers that speak to the network.
//!
//! They hold no lock and no privilege, so unlike most they may outlive a call, and their connections with
//! them. What parses the network's bytes is never this process, and never root.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::Instant;

use super::pool::Pool;
use super::stats::WorkerCounters;
use crate::sys::{TrustError, open_trusted};
use crate::worker::command_line::{NETWORK, THIS_PROGRAM};
use crate::worker::{Fault, FaultKind, Reply, Request};

/// The idle workers of one process; clones share them.
#[derive(Debug, Clone)]
pub struct NetworkWorkers {
    /// Of the program that has TLS.
    requests: Pool,
    /// Names and connections for mounts take nothing that this executable lacks; with TLS they are the same.
    names: Pool,
}

impl NetworkWorkers {
    /// None yet. `drivebay` is where that program is: a build without network, which is what kubelet execs,
    /// runs it as its worker for requests. With network this executable is its own worker. What these and a
    /// call's other workers cost is counted by the `counters`.
    pub fn new(drivebay: PathBuf, counters: WorkerCounters) -> Self {
        let names = Pool::of(PathBuf::from(THIS_PROGRAM), NETWORK, counters.clone());
        let requests = match cfg!(feature = "network") {
            true => names.clone(),
            false => Pool::of(drivebay, NETWORK, counters),
        };
        Self { requests, names }
    }

    pub(super) fn counters(&self) -> &WorkerCounters {
        self.names.counters()
    }

    /// Carries out what only speaks to the network.
    pub(super) fn call(
        &self,
        request: &Request,
        purpose: &str,
        deadline: Instant,
    ) -> Result<Reply, Fault> {
        let workers = match matches!(request, Request::Https(_)) {
            true => &self.requests,
            false => &self.names,
        };
        may_run(workers.program(), purpose)?;
        workers
            .call(request, purpose, deadline)
            .map_err(|fault| stuck_as_timeout(fault, purpose))
    }
}

/// It is root who starts it.
fn may_run(program: &Path, purpose: &str) -> Result<(), Fault> {
    if program == Path::new(THIS_PROGRAM) {
        return Ok(());
    }
    open_trusted(program).map(drop).map_err(|error| {
        let program = program.display();
        let message = match program_is_missing(&error) {
            true => format!("{purpose}: {program} is missing, which makes requests to the network; run `drivebay install`"),
            false => format!("{purpose}: {program}, which makes requests to the network, is not run: {error}; run `drivebay install`"),
        };
        Fault::new(FaultKind::Other, message)
    })
}

fn program_is_missing(error: &TrustError) -> bool {
    matches!(error, TrustError::Io(error) if error.kind() == ErrorKind::NotFound)
}

/// It holds no volume's lock, so one that the kernel does not let go is nobody's trouble.
fn stuck_as_timeout(fault: Fault, purpose: &str) -> Fault {
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
    use std::fs::Permissions;
    use std::os::unix::fs::PermissionsExt;
    use std::time::Duration;

    use super::super::pool;
    use super::*;
    use crate::sys::write_program_durably;

    /// Workers of a few lines of shell; what they answer is a fault that says which process it was.
    fn workers(script: &str) -> (tempfile::TempDir, NetworkWorkers) {
        let directory = tempfile::tempdir().expect("a directory");
        let program = directory.path().join("worker");
        let script = format!("#!/bin/sh\n{script}\n");
        write_program_durably(&program, script.as_bytes()).expect("writable");
        (directory, running(program))
    }

    fn running(program: PathBuf) -> NetworkWorkers {
        let pool = Pool::of(program, NETWORK, WorkerCounters::default());
        NetworkWorkers {
            requests: pool.clone(),
            names: pool,
        }
    }

    const ANSWER: &str = r#"echo "{\"Err\":{\"kind\":\"Other\",\"message\":\"$$\"}}""#;

    #[track_caller]
    fn ask(workers: &NetworkWorkers, host: &str) -> Fault {
        let purpose = format!("looking up {host:?}");
        let request = Request::Resolve { host: host.into() };
        let begun = Instant::now();
        let answer = workers.call(&request, &purpose, begun + Duration::from_secs(1));
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
        while workers.names.any_is_alive() {
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
        assert_eq!(workers.names.idle(), pool::MAX_IDLE);
    }

    #[test]
    fn one_that_was_idle_for_too_long_is_ended() {
        let (_directory, workers) = workers(&format!("while read -r line; do {ANSWER}; done"));
        let first = ask(&workers, "a").message;
        workers.names.grow_old();
        assert_ne!(ask(&workers, "a").message, first);
        assert!(!is_alive(&first));
    }

    #[test]
    fn one_that_neither_reads_nor_answers_is_killed_at_the_deadline() {
        let (_directory, workers) = workers("exec sleep 60");
        // More than a pipe takes.
        let fault = ask(&workers, &"a".repeat(1 << 20));
        assert_eq!(fault.kind, FaultKind::TimedOut);
        assert_eq!(workers.names.idle(), 0);
        assert_eq!(workers.counters().stats().killed_at_deadline, 1);
    }

    #[test]
    fn one_that_answers_without_end_is_given_up() {
        let (_directory, workers) = workers("read -r line; exec tr '\\0' x < /dev/zero");
        let fault = ask(&workers, "a");
        assert!(fault.message.contains("is too long"), "{}", fault.message);
        assert_eq!(workers.names.idle(), 0);
    }

    #[test]
    fn a_missing_program_is_named() {
        let workers = running(PathBuf::from("/nonexistent/drivebay"));
        let fault = ask(&workers, "a");
        assert_eq!(
            fault.message,
            "looking up \"a\": /nonexistent/drivebay is missing, which makes requests to the network; run `drivebay install`"
        );
    }

    #[test]
    fn a_program_that_others_could_have_written_is_not_run() {
        let (_directory, workers) = workers(&format!("while read -r line; do {ANSWER}; done"));
        let everyone = Permissions::from_mode(0o777);
        std::fs::set_permissions(workers.names.program(), everyone).expect("ours");
        let fault = ask(&workers, "a");
        assert!(fault.message.contains("chmod go-w"), "{}", fault.message);
    }
}
