//! Processor time of one thread, and the time of day.

use std::time::{Duration, SystemTime};

use nix::time::{ClockId, clock_gettime};

/// Processor time used by the calling thread since it was made: what a guest burned, however busy the
/// node is.
#[derive(Debug, Clone, Copy)]
pub struct ThreadClock(Duration);

impl ThreadClock {
    /// The time now.
    pub fn now() -> Self {
        // The clock of the calling thread always exists; zero would only make the limit stricter later.
        Self(
            clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID)
                .map(Duration::from)
                .unwrap_or_default(),
        )
    }

    /// Processor time used since.
    pub fn elapsed(self) -> Duration {
        Self::now().0.saturating_sub(self.0)
    }
}

/// Seconds since 1970 UTC; zero on a node whose clock is before that.
pub fn now_seconds() -> u64 {
    SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .map_or(0, |since| since.as_secs())
}
