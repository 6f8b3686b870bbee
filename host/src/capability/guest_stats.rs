//! What guests of one driver did, in numbers: time in their own code, and what they were refused.

use std::cell::RefCell;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::log_budget::LogBudget;
use crate::error::GuestText;
use crate::grant::{Capability, Refusal};

/// Counted from the start of the process.
#[derive(Debug, Default)]
pub(super) struct GuestStats {
    guest_nanoseconds: AtomicU64,
    /// In the order of `Capability::ALL`.
    refusals: [AtomicU64; Capability::ALL.len()],
}

thread_local! {
    /// For whom a guest runs on this thread. A refusal is born in the middle of a check that knows the grant
    /// and not the driver, as its log line is, which takes the driver from the surrounding span.
    static RUNNING_FOR: RefCell<Option<Runner>> = const { RefCell::new(None) };
}

/// Who counts what a guest was refused, and what may be logged of it.
#[derive(Debug)]
struct Runner {
    stats: Arc<GuestStats>,
    log: LogBudget,
}

/// As long as it lives, refusals on this thread are one driver's.
#[must_use]
pub(crate) struct Running {
    before: Option<Runner>,
}

impl GuestStats {
    /// A guest of this driver runs on this thread from now on, in a call that may log so much.
    pub(super) fn running(self: &Arc<Self>, log: LogBudget) -> Running {
        let stats = Arc::clone(self);
        Running {
            before: RUNNING_FOR.replace(Some(Runner { stats, log })),
        }
    }

    pub(super) fn add_guest_time(&self, time: Duration) {
        let nanoseconds = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        self.guest_nanoseconds
            .fetch_add(nanoseconds, Ordering::Relaxed);
    }

    pub(super) fn guest_time(&self) -> Duration {
        Duration::from_nanos(self.guest_nanoseconds.load(Ordering::Relaxed))
    }

    /// How often each capability refused.
    pub(super) fn refusals(&self) -> impl Iterator<Item = (Capability, u64)> {
        let counts = self.refusals.iter();
        Capability::ALL
            .into_iter()
            .zip(counts.map(|count| count.load(Ordering::Relaxed)))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        RUNNING_FOR.set(self.before.take());
    }
}

/// Counts one refusal for whom a guest runs here, and logs it within what the call may log: a guest can ask for what it
/// is not granted as often as it likes. While a component is described, nobody counts.
pub(super) fn note_refusal(refusal: &Refusal) {
    RUNNING_FOR.with_borrow(|running| {
        let Some(Runner { stats, log }) = running else {
            return warn_of(refusal);
        };
        log.spend(|| warn_of(refusal));
        let place = Capability::ALL
            .iter()
            .position(|one| *one == refusal.capability);
        if let Some(place) = place {
            stats.refusals[place].fetch_add(1, Ordering::Relaxed);
        }
    });
}

/// The scope is what the guest asked for, in its words.
fn warn_of(refusal: &Refusal) {
    tracing::warn!(
        capability = refusal.capability.name(),
        scope = GuestText::sentence(&refusal.scope).as_str(),
        grant = refusal.grant,
        "refused"
    );
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::DriverError;
    use crate::grant::Refusal;

    fn refuse(capability: Capability) {
        let _ = DriverError::from(Refusal {
            capability,
            scope: "anything".into(),
            grant: "grants nothing".into(),
        });
    }

    fn refused(stats: &GuestStats) -> Vec<(Capability, u64)> {
        stats.refusals().filter(|(_, count)| *count > 0).collect()
    }

    #[test]
    fn a_refusal_counts_for_the_driver_whose_guest_runs_and_for_no_other() {
        let (one, other) = (Arc::new(GuestStats::default()), GuestStats::default());
        let running = one.running(LogBudget::new(0));
        refuse(Capability::Mounts);
        refuse(Capability::Https);
        refuse(Capability::Https);
        drop(running);
        refuse(Capability::Mounts);
        assert_eq!(
            refused(&one),
            [(Capability::Mounts, 1), (Capability::Https, 2)]
        );
        assert_eq!(refused(&other), []);
    }
}
