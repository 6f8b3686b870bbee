//! What guests of one driver were refused, in numbers.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::grant::Capability;

/// Counted from the start of the process, in the order of `Capability::ALL`.
#[derive(Debug, Default)]
pub(super) struct RefusalCounts([AtomicU64; Capability::ALL.len()]);

impl RefusalCounts {
    pub(super) fn add(&self, capability: Capability) {
        let place = Capability::ALL.iter().position(|one| *one == capability);
        if let Some(place) = place {
            self.0[place].fetch_add(1, Ordering::Relaxed);
        }
    }

    /// How often each capability refused.
    pub(super) fn all(&self) -> impl Iterator<Item = (Capability, u64)> {
        let counts = self.0.iter().map(|count| count.load(Ordering::Relaxed));
        Capability::ALL.into_iter().zip(counts)
    }
}
