//! What worker processes cost: time spent waiting for them, and how many had to be killed.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::worker::{Fault, FaultKind};

/// Counted from the start of the process; clones count together.
#[derive(Debug, Clone, Default)]
pub struct WorkerCounters(Arc<Counters>);

#[derive(Debug, Default)]
struct Counters {
    waited_nanoseconds: AtomicU64,
    deadline: AtomicU64,
    stuck: AtomicU64,
    failed: AtomicU64,
}

/// The same at one moment.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct WorkerStats {
    /// How long callers waited for answers, all of them together.
    pub waited: Duration,
    /// Workers killed because they did not answer in time.
    pub killed_at_deadline: u64,
    /// Those of them that the kernel did not let go.
    pub killed_and_stuck: u64,
    /// Workers killed because they ended, or answered nonsense.
    pub killed_after_failure: u64,
}

impl WorkerCounters {
    /// What the process has paid by now.
    pub fn stats(&self) -> WorkerStats {
        let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        WorkerStats {
            waited: Duration::from_nanos(count(&self.0.waited_nanoseconds)),
            killed_at_deadline: count(&self.0.deadline),
            killed_and_stuck: count(&self.0.stuck),
            killed_after_failure: count(&self.0.failed),
        }
    }

    /// Carries out what waits for a worker.
    pub(super) fn waiting<T>(&self, wait: impl FnOnce() -> T) -> T {
        let begun = Instant::now();
        let answer = wait();
        let nanoseconds = u64::try_from(begun.elapsed().as_nanos()).unwrap_or(u64::MAX);
        self.0
            .waited_nanoseconds
            .fetch_add(nanoseconds, Ordering::Relaxed);
        answer
    }

    /// One more was given up, for that reason.
    pub(super) fn killed(&self, fault: &Fault) {
        let counter = if fault.kind == FaultKind::TimedOut {
            &self.0.deadline
        } else if fault.kind == FaultKind::Stuck {
            &self.0.stuck
        } else {
            &self.0.failed
        };
        counter.fetch_add(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_reason_is_counted_for_itself() {
        let counters = WorkerCounters::default();
        for kind in [
            FaultKind::TimedOut,
            FaultKind::TimedOut,
            FaultKind::TimedOut,
            FaultKind::Stuck,
            FaultKind::Stuck,
            FaultKind::Other,
        ] {
            counters.clone().killed(&Fault::new(kind, "lost"));
        }
        let stats = counters.stats();
        assert_eq!(stats.killed_at_deadline, 3);
        assert_eq!(stats.killed_and_stuck, 2);
        assert_eq!(stats.killed_after_failure, 1);
    }

    #[test]
    fn all_waiting_adds_up() {
        let counters = WorkerCounters::default();
        let wait = Duration::from_millis(2);
        for _ in 0..2 {
            counters.waiting(|| std::thread::sleep(wait));
        }
        assert!(counters.stats().waited >= 2 * wait);
    }
}
