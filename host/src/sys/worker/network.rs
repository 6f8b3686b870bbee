//! Workers that speak to the network: started when first needed, kept for the next call.
//!
//! They hold no lock and no privilege, so unlike the others they may outlive a call, and their connections
//! with them. What parses the network's bytes is never this process, and never root.

#[cfg(feature = "network")]
mod privileges;
#[cfg(feature = "network")]
mod serve;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::process::Worker;
use super::{Fault, FaultKind, HttpsRequest, Reply, Request};

#[cfg(feature = "network")]
pub(super) use serve::serve;

/// Word of such a worker's command line.
pub(super) const ARGUMENT: &str = "network";

/// As many as calls usually run at once; more are started and end when they are done.
const MAX_IDLE: usize = 4;

/// After this long without a request a worker ends by itself.
#[cfg(feature = "network")]
const IDLE: Duration = Duration::from_secs(60);

/// One that is about to is not asked any more.
const TOO_OLD: Duration = Duration::from_secs(50);

/// The idle workers of one process; clones share them.
#[derive(Debug, Clone)]
pub struct NetworkWorkers(Arc<Pool>);

#[derive(Debug)]
struct Pool {
    program: PathBuf,
    idle: Mutex<Vec<Idle>>,
}

#[derive(Debug)]
struct Idle {
    worker: Worker,
    since: Instant,
}

impl NetworkWorkers {
    /// None yet. `drivebay` is where that program is: a build without network, which is what kubelet execs,
    /// runs it as its worker. With network this executable is its own worker.
    pub fn new(drivebay: PathBuf) -> Self {
        let program = match cfg!(feature = "network") {
            true => PathBuf::from("/proc/self/exe"),
            false => drivebay,
        };
        Self::running(program)
    }

    fn running(program: PathBuf) -> Self {
        Self(Arc::new(Pool {
            program,
            idle: Mutex::new(Vec::new()),
        }))
    }

    pub(super) fn call(&self, request: HttpsRequest, deadline: Instant) -> Result<Reply, Fault> {
        let purpose = request.purpose();
        let mut worker = self.borrow(&purpose)?;
        match worker.ask(&Request::Https(request), Path::new(""), deadline) {
            Ok(answer) => {
                self.give_back(worker);
                answer
            }
            Err(lost) => {
                let fault = never_stuck(worker.end(lost, &purpose), &purpose);
                tracing::warn!(%fault, "a network worker was given up");
                Err(fault)
            }
        }
    }

    fn borrow(&self, purpose: &str) -> Result<Worker, Fault> {
        loop {
            // Taken out before it is looked at: ending one takes a moment, and others want the pool.
            let last = self.idle().pop();
            let Some(Idle { mut worker, since }) = last else {
                return start(&self.0.program, purpose);
            };
            if since.elapsed() < TOO_OLD && worker.is_alive() {
                return Ok(worker);
            }
        }
    }

    fn give_back(&self, worker: Worker) {
        let since = Instant::now();
        let mut idle = self.idle();
        let (kept, ended) = std::mem::take(&mut *idle)
            .into_iter()
            .partition(|idle: &Idle| idle.since.elapsed() < TOO_OLD);
        *idle = kept;
        let one_more = idle.len() < MAX_IDLE;
        let mut superfluous: Vec<Idle> = ended;
        match one_more {
            true => idle.push(Idle { worker, since }),
            false => superfluous.push(Idle { worker, since }),
        }
        drop(idle);
        drop(superfluous);
    }

    /// A panic elsewhere leaves the list as it was.
    fn idle(&self) -> std::sync::MutexGuard<'_, Vec<Idle>> {
        self.0.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn start(program: &Path, purpose: &str) -> Result<Worker, Fault> {
    if !program.exists() {
        let message = format!(
            "{purpose}: {} is missing, which makes requests to the network; run `drivebay install`",
            program.display()
        );
        return Err(Fault::new(FaultKind::Other, message));
    }
    Worker::start_network(program)
}

/// It holds no volume's lock, so one that the kernel does not let go is nobody's trouble.
fn never_stuck(fault: Fault, purpose: &str) -> Fault {
    match fault.kind {
        FaultKind::Stuck => Fault::new(
            FaultKind::TimedOut,
            format!("{purpose} did not end within the deadline"),
        ),
        FaultKind::Invalid
        | FaultKind::NotFound
        | FaultKind::Exists
        | FaultKind::Busy
        | FaultKind::Precondition
        | FaultKind::Unreachable
        | FaultKind::Denied
        | FaultKind::Unsupported
        | FaultKind::Exhausted
        | FaultKind::TimedOut
        | FaultKind::Other => fault,
    }
}

#[cfg(test)]
mod tests {
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
        (directory, NetworkWorkers::running(program))
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
        while workers.idle().iter_mut().any(|idle| idle.worker.is_alive()) {
            std::thread::sleep(Duration::from_millis(1));
        }
        assert_ne!(ask(&workers, "b").message, first);
    }

    #[test]
    fn no_more_than_a_few_wait_for_work() {
        let script = format!("while read -r line; do sleep 0.3; {ANSWER}; done");
        let (_directory, workers) = workers(&script);
        std::thread::scope(|scope| {
            for _ in 0..MAX_IDLE + 3 {
                scope.spawn(|| ask(&workers, "a"));
            }
        });
        assert_eq!(workers.idle().len(), MAX_IDLE);
    }

    #[test]
    fn one_that_was_idle_for_too_long_is_ended() {
        let (_directory, workers) = workers(&format!("while read -r line; do {ANSWER}; done"));
        let first = ask(&workers, "a").message;
        for idle in workers.idle().iter_mut() {
            idle.since = Instant::now().checked_sub(TOO_OLD).expect("booted before");
        }
        assert_ne!(ask(&workers, "a").message, first);
        assert!(!is_alive(&first));
    }

    #[test]
    fn one_that_neither_reads_nor_answers_is_killed_at_the_deadline() {
        let (_directory, workers) = workers("exec sleep 60");
        // More than a pipe takes.
        let fault = ask(&workers, &"a".repeat(1 << 20));
        assert_eq!(fault.kind, FaultKind::TimedOut);
        assert!(workers.idle().is_empty());
    }

    #[test]
    fn a_missing_program_is_named() {
        let workers = NetworkWorkers::running(PathBuf::from("/nonexistent/drivebay"));
        let fault = ask(&workers, "a");
        assert_eq!(
            fault.message,
            "looking up \"a\": /nonexistent/drivebay is missing, which makes requests to the network; run `drivebay install`"
        );
    }
}
