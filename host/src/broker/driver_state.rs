//! What of a driver outlives its calls: keys and counts in memory, rates beneath the run directory.
//!
//! Nothing of a guest is in it, and no guest reads it.

use std::path::PathBuf;
use std::sync::Arc;

use super::guest_memory::{CallMemory, GuestMemory};
use super::refusal_counts::RefusalCounts;
use super::signing::KeyCache;
use crate::grant::Capability;
use crate::volume::DriverName;

/// One for each driver of a process; clones share it.
#[derive(Debug, Clone)]
pub(crate) struct DriverState(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    name: DriverName,
    run: PathBuf,
    keys: KeyCache,
    refusals: RefusalCounts,
    guests: GuestMemory,
}

impl DriverState {
    /// Of that driver, with the directory that is gone after a reboot. Its guests have no bound but their own,
    /// as where a process makes one call and ends.
    pub(crate) fn new(name: DriverName, run: PathBuf) -> Self {
        Self::with_guests(name, run, GuestMemory::without_bound())
    }

    /// The same where many calls run at once: how many bytes all their guests may take.
    pub(crate) fn of_guests_within(bytes: usize, name: DriverName, run: PathBuf) -> Self {
        Self::with_guests(name, run, GuestMemory::of_bytes(bytes))
    }

    fn with_guests(name: DriverName, run: PathBuf, guests: GuestMemory) -> Self {
        Self(Arc::new(Shared {
            name,
            run,
            keys: KeyCache::default(),
            refusals: RefusalCounts::default(),
            guests,
        }))
    }

    /// For a component that is described and serves no driver; it is granted nothing that would look here.
    #[cfg(feature = "compiler")]
    pub(super) fn of_nobody() -> Self {
        Self::new(DriverName(String::new()), PathBuf::new())
    }

    /// For a call that has taken nothing yet.
    pub(crate) fn call_memory(&self) -> CallMemory {
        self.0.guests.call()
    }

    /// How often each capability refused.
    pub(crate) fn refusals(&self) -> impl Iterator<Item = (Capability, u64)> {
        self.0.refusals.all()
    }

    pub(super) fn count_refusal(&self, capability: Capability) {
        self.0.refusals.add(capability);
    }

    pub(super) fn keys(&self) -> &KeyCache {
        &self.0.keys
    }

    /// Where requests to an endpoint are counted.
    pub(super) fn rate_file(&self, endpoint: &str) -> PathBuf {
        let Shared { name, run, .. } = &*self.0;
        run.join("rates").join(&name.0).join(endpoint)
    }
}
