//! How long guests of one driver ran in their own code.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Counted from the start of the process, in nanoseconds; clones share it.
#[derive(Debug, Clone, Default)]
pub(crate) struct GuestTime(Arc<AtomicU64>);

impl GuestTime {
    /// A guest ran for so long.
    pub(super) fn add(&self, time: Duration) {
        let nanoseconds = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        self.0.fetch_add(nanoseconds, Ordering::Relaxed);
    }

    /// Without the time that they waited for answers.
    pub(crate) fn total(&self) -> Duration {
        Duration::from_nanos(self.0.load(Ordering::Relaxed))
    }
}
