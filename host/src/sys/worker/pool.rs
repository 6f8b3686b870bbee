//! Workers that outlive a call: started when first needed, kept for the next one.
//!
//! They hold no lock, so whatever they are asked must harm nobody if it goes on after the call.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::process::{Lost, Worker};
use super::{Fault, Reply, Request, WorkerToll};

/// As many as calls usually run at once; more are started and end when they are done.
pub(super) const MAX_IDLE: usize = 4;

/// After this long without a request a worker ends by itself.
pub(super) const IDLE: Duration = Duration::from_secs(60);

/// One that is about to is not asked any more.
const TOO_OLD: Duration = Duration::from_secs(50);

/// Workers of one kind; clones share the idle ones.
#[derive(Debug, Clone)]
pub(super) struct Pool(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    program: PathBuf,
    argument: &'static str,
    toll: WorkerToll,
    idle: Mutex<Vec<Idle>>,
}

#[derive(Debug)]
pub(super) struct Idle {
    worker: Worker,
    since: Instant,
}

impl Pool {
    /// None yet. The argument is the word of a worker's command line that says what it is for.
    pub(super) fn of(program: PathBuf, argument: &'static str, toll: WorkerToll) -> Self {
        Self(Arc::new(Shared {
            program,
            argument,
            toll,
            idle: Mutex::new(Vec::new()),
        }))
    }

    pub(super) fn program(&self) -> &Path {
        &self.0.program
    }

    pub(super) fn toll(&self) -> &WorkerToll {
        &self.0.toll
    }

    /// Asks an idle worker, or a new one. One that was lost is ended.
    pub(super) fn call(
        &self,
        request: &Request,
        purpose: &str,
        deadline: Instant,
    ) -> Result<Reply, Fault> {
        let mut worker = self.borrow()?;
        match worker.ask(request, Path::new(""), deadline) {
            Ok(answer) => {
                self.give_back(worker);
                answer
            }
            Err(lost) => {
                let fault = given_up(worker, lost, purpose);
                self.0.toll.killed(&fault);
                Err(fault)
            }
        }
    }

    fn borrow(&self) -> Result<Worker, Fault> {
        loop {
            // Taken out before it is looked at: ending one takes a moment, and others want the pool.
            let last = self.idle().pop();
            let Some(Idle { mut worker, since }) = last else {
                return Worker::start_unlocked(&self.0.program, self.0.argument);
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
    pub(super) fn idle(&self) -> std::sync::MutexGuard<'_, Vec<Idle>> {
        self.0.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn given_up(mut worker: Worker, lost: Lost, purpose: &str) -> Fault {
    let fault = worker.end(lost, purpose);
    tracing::warn!(%fault, "a worker was given up");
    fault
}

#[cfg(test)]
impl Idle {
    pub(super) fn is_alive(&mut self) -> bool {
        self.worker.is_alive()
    }

    pub(super) fn grow_old(&mut self) {
        self.since = Instant::now().checked_sub(TOO_OLD).expect("booted before");
    }
}
