//! Workers that outlive a call: started when first needed, kept for the next one.
//!
//! They hold no lock, so whatever they are asked must harm nobody if it goes on after the call.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::process::{Lost, Worker};
use super::stats::WorkerCounters;
use crate::worker::{Fault, FaultKind, Reply, Request};

/// As many as calls usually run at once; more are started and end when they are done.
pub(super) const MAX_IDLE: usize = 4;

/// At once, of one kind and one driver in this process: what their callers may make them wait for is somebody else's server.
const MAX_BUSY: usize = 32;

/// One that is about to is not asked any more.
const TOO_OLD: Duration = Duration::from_secs(50);

/// Where as many as are kept are at work, how long a request waits for one of them before it gets one that is
/// started for it: starting takes milliseconds of a processor, and most answers much less. Where nobody
/// answers, as on a dead server, it is all that one caller loses by the others.
const TURN: Duration = Duration::from_millis(20);

/// Workers of one kind; clones share the idle ones.
#[derive(Debug, Clone)]
pub(super) struct Pool(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    program: PathBuf,
    argument: &'static str,
    counters: WorkerCounters,
    workers: Mutex<Workers>,
    freed: Condvar,
}

#[derive(Debug, Default)]
struct Workers {
    idle: Vec<Idle>,
    busy: usize,
}

#[derive(Debug)]
struct Idle {
    worker: Worker,
    since: Instant,
}

impl Pool {
    /// None yet. The argument is the word of a worker's command line that says what it is for.
    pub(super) fn of(program: PathBuf, argument: &'static str, counters: WorkerCounters) -> Self {
        Self(Arc::new(Shared {
            program,
            argument,
            counters,
            workers: Mutex::default(),
            freed: Condvar::new(),
        }))
    }

    pub(super) fn program(&self) -> &Path {
        &self.0.program
    }

    pub(super) fn counters(&self) -> &WorkerCounters {
        &self.0.counters
    }

    /// Asks an idle worker, or a new one. One that was lost is ended.
    pub(super) fn call(
        &self,
        request: &Request,
        purpose: &str,
        deadline: Instant,
    ) -> Result<Reply, Fault> {
        let mut worker = self.borrow(deadline)?;
        match worker.ask(request, Path::new(""), deadline) {
            Ok(answer) if has_secrets(request) => {
                // Its memory ends with it.
                drop(worker);
                self.one_less();
                answer
            }
            Ok(answer) => {
                self.give_back(worker);
                answer
            }
            Err(lost) => {
                self.one_less();
                let fault = given_up(worker, lost, purpose);
                self.0.counters.killed(&fault);
                Err(fault)
            }
        }
    }

    fn borrow(&self, deadline: Instant) -> Result<Worker, Fault> {
        let turn = deadline.min(Instant::now() + TURN);
        loop {
            // Taken out before it is looked at: ending one takes a moment, and others want the pool.
            let Some(Idle { mut worker, since }) = self.take(turn, deadline)? else {
                let started = Worker::start_unlocked(&self.0.program, self.0.argument);
                return started.inspect_err(|_| self.one_less());
            };
            if since.elapsed() < TOO_OLD && worker.is_alive() {
                return Ok(worker);
            }
            drop(worker);
            self.one_less();
        }
    }

    /// An idle one, if there is one before its turn is over; whoever gets none is to start one. Both count as busy.
    /// Where too many are, there is nothing to start until the deadline either.
    fn take(&self, turn: Instant, deadline: Instant) -> Result<Option<Idle>, Fault> {
        let mut workers = self.lock();
        loop {
            let until = match workers.busy < MAX_BUSY {
                true => turn,
                false => deadline,
            };
            let left = until.saturating_duration_since(Instant::now());
            if !workers.idle.is_empty() || workers.busy < MAX_IDLE || left.is_zero() {
                if workers.busy >= MAX_BUSY {
                    return Err(all_busy());
                }
                workers.busy += 1;
                return Ok(workers.idle.pop());
            }
            let waited = self.0.freed.wait_timeout(workers, left);
            workers = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// A busy one is not any more, and not idle either.
    fn one_less(&self) {
        self.lock().busy -= 1;
        self.0.freed.notify_one();
    }

    fn give_back(&self, worker: Worker) {
        let since = Instant::now();
        let mut workers = self.lock();
        let (kept, ended) = std::mem::take(&mut workers.idle)
            .into_iter()
            .partition(|idle: &Idle| idle.since.elapsed() < TOO_OLD);
        workers.idle = kept;
        workers.busy -= 1;
        let mut superfluous: Vec<Idle> = ended;
        match workers.idle.len() < MAX_IDLE {
            true => workers.idle.push(Idle { worker, since }),
            false => superfluous.push(Idle { worker, since }),
        }
        drop(workers);
        self.0.freed.notify_one();
        drop(superfluous);
    }

    /// A panic elsewhere leaves the list as it was.
    fn lock(&self) -> MutexGuard<'_, Workers> {
        self.0
            .workers
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// How many wait for work.
    #[cfg(test)]
    pub(super) fn idle(&self) -> usize {
        self.lock().idle.len()
    }

    #[cfg(test)]
    pub(super) fn any_is_alive(&self) -> bool {
        self.lock()
            .idle
            .iter_mut()
            .any(|idle| idle.worker.is_alive())
    }

    /// As if they had waited for too long.
    #[cfg(test)]
    pub(super) fn grow_old(&self) {
        for idle in &mut self.lock().idle {
            idle.since = Instant::now().checked_sub(TOO_OLD).expect("booted before");
        }
    }
}

fn has_secrets(request: &Request) -> bool {
    matches!(request, Request::Https(request) if request.has_secrets())
}

fn all_busy() -> Fault {
    Fault::new(
        FaultKind::Full,
        format!(
            "{MAX_BUSY} worker processes of this kind are busy and stay so; repeat the call later"
        ),
    )
}

fn given_up(mut worker: Worker, lost: Lost, purpose: &str) -> Fault {
    let fault = worker.end(lost, purpose);
    tracing::warn!(%fault, "a worker was given up");
    fault
}
