//! Processor time of one thread.

use std::time::Duration;

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
