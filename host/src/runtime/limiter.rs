//! Bounds on what one instance may take, and which of them it ran into.

use std::time::{Duration, Instant};

use crate::broker::NoMemory;
use crate::config::Limits;
use crate::sys::ThreadClock;

/// Guests with more in all their tables do not exist outside attacks: language runtimes have some thousand
/// entries.
const MAX_TABLE_ELEMENTS: usize = 100_000;

/// A component is made of a handful of core instances, adapters included.
pub(super) const MAX_INSTANCES: usize = 64;

/// A limit a guest ran into.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum LimitError {
    #[error("it used more than {0:?} of processor time (limits.cpu)")]
    Cpu(Duration),
    #[error("it was not done after {0:?} (limits.deadline)")]
    Deadline(Duration),
    #[error("it would have slept beyond the end of its {0:?} (limits.deadline)")]
    Sleep(Duration),
    #[error(transparent)]
    AllGuests(#[from] NoMemory),
}

/// What one instance may grow to. Memory is refused by answering "no" to growth, as on a machine that has no
/// more; a guest that cannot cope traps by itself, and `refused` tells why.
#[derive(Debug)]
pub(super) struct Limiter {
    memory_bytes: usize,
    used_bytes: usize,
    used_elements: usize,
    refused: bool,
}

impl Limiter {
    pub(super) fn new(limits: &Limits) -> Self {
        Self {
            memory_bytes: limits.memory_bytes,
            used_bytes: 0,
            used_elements: 0,
            refused: false,
        }
    }

    pub(super) fn refused(&self) -> bool {
        self.refused
    }

    /// How many bytes more that is, or none where it is too much: the bound is over all memories together.
    pub(super) fn grow_memory(&mut self, current: usize, desired: usize) -> Option<usize> {
        let more = desired.saturating_sub(current);
        let total = self.used_bytes.saturating_add(more);
        if total > self.memory_bytes {
            self.refused = true;
            return None;
        }
        self.used_bytes = total;
        Some(more)
    }

    /// Whether tables may grow so; the bound is over all of them together.
    pub(super) fn grow_table(&mut self, current: usize, desired: usize) -> bool {
        let more = desired.saturating_sub(current);
        let total = self.used_elements.saturating_add(more);
        let is_allowed = total <= MAX_TABLE_ELEMENTS;
        if is_allowed {
            self.used_elements = total;
        }
        is_allowed
    }
}

/// Time left to a call, asked at every tick.
#[derive(Debug, Clone, Copy)]
pub(super) struct Budget {
    clock: ThreadClock,
    cpu: Duration,
    deadline: Instant,
    whole: Duration,
}

impl Budget {
    pub(super) fn start(limits: &Limits, deadline: Instant) -> Self {
        Self {
            clock: ThreadClock::now(),
            cpu: limits.cpu,
            deadline,
            whole: limits.deadline,
        }
    }

    pub(super) fn check(&self) -> Result<(), LimitError> {
        if self.clock.elapsed() > self.cpu {
            return Err(LimitError::Cpu(self.cpu));
        }
        if Instant::now() > self.deadline {
            return Err(LimitError::Deadline(self.whole));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_counted_over_all_memories_and_refusal_is_remembered() {
        let limits = Limits {
            memory_bytes: 100,
            ..Limits::default()
        };
        let mut limiter = Limiter::new(&limits);
        assert_eq!(limiter.grow_memory(0, 60), Some(60));
        assert!(!limiter.refused());
        assert_eq!(limiter.grow_memory(0, 60), None);
        assert!(limiter.refused());
        assert_eq!(limiter.grow_memory(60, 100), Some(40));
    }

    #[test]
    fn elements_are_counted_over_all_tables() {
        let mut limiter = Limiter::new(&Limits::default());
        assert!(limiter.grow_table(0, MAX_TABLE_ELEMENTS - 1));
        assert!(!limiter.grow_table(0, 2));
        assert!(limiter.grow_table(0, 1));
    }
}
