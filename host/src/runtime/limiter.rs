//! Bounds on what one instance may take, and which of them it ran into.

use std::time::{Duration, Instant};

use wasmtime::ResourceLimiter;

use crate::config::Limits;
use crate::sys::ThreadClock;

/// Guests with tables larger than this do not exist outside attacks: language runtimes have some thousand
/// entries.
const MAX_TABLE_ELEMENTS: usize = 100_000;

/// A component is made of a handful of core instances, adapters included.
const MAX_INSTANCES: usize = 64;

/// A limit a guest ran into.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum LimitError {
    #[error("it used more than {0:?} of processor time (limits.cpu)")]
    Cpu(Duration),
    #[error("it was not done after {0:?} (limits.deadline)")]
    Deadline(Duration),
    #[error("it would have slept beyond the end of its {0:?} (limits.deadline)")]
    Sleep(Duration),
}

/// Memory is refused by answering "no" to growth, as on a machine that has no more; a guest that cannot
/// cope traps by itself, and `refused` tells why.
#[derive(Debug)]
pub(super) struct Limiter {
    memory_bytes: usize,
    used_bytes: usize,
    refused: bool,
}

impl Limiter {
    pub(super) fn new(limits: &Limits) -> Self {
        Self {
            memory_bytes: limits.memory_bytes,
            used_bytes: 0,
            refused: false,
        }
    }

    pub(super) fn refused(&self) -> bool {
        self.refused
    }
}

impl ResourceLimiter for Limiter {
    /// The bound is over all memories of the instance together.
    fn memory_growing(
        &mut self,
        current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        let total = self
            .used_bytes
            .saturating_add(desired.saturating_sub(current));
        if total > self.memory_bytes {
            self.refused = true;
            return Ok(false);
        }
        self.used_bytes = total;
        Ok(true)
    }

    fn table_growing(
        &mut self,
        _current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        Ok(desired <= MAX_TABLE_ELEMENTS)
    }

    fn instances(&self) -> usize {
        MAX_INSTANCES
    }

    fn tables(&self) -> usize {
        MAX_INSTANCES
    }

    fn memories(&self) -> usize {
        MAX_INSTANCES
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
        assert!(limiter.memory_growing(0, 60, None).expect("no error"));
        assert!(!limiter.refused());
        assert!(!limiter.memory_growing(0, 60, None).expect("no error"));
        assert!(limiter.refused());
        assert!(limiter.memory_growing(60, 100, None).expect("no error"));
    }
}
