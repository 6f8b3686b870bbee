//! What of a driver outlives its calls: keys and counts in memory, rates beneath the run directory.
//!
//! Nothing of a guest is in it, and no guest reads it.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::guest_memory::{CallMemory, GuestMemory};
use super::guest_stats::{GuestStats, Running};
use super::log_budget::LogBudget;
use super::signing::KeyCache;
use crate::grant::Capability;
use crate::volume::DriverName;

/// One for each driver of a process; clones share it.
#[derive(Debug, Clone)]
pub struct DriverState(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    name: DriverName,
    run: PathBuf,
    keys: KeyCache,
    guest_stats: Arc<GuestStats>,
    guests: GuestMemory,
}

impl DriverState {
    /// Of that driver, with the directory that is gone after a reboot. Its guests have no bound but their own,
    /// as where a process makes one call and ends.
    pub fn new(name: DriverName, run: PathBuf) -> Self {
        Self::with_guests(name, run, GuestMemory::without_bound())
    }

    /// The same where many calls run at once: how many bytes all their guests may take.
    pub fn of_guests_within(bytes: usize, name: DriverName, run: PathBuf) -> Self {
        Self::with_guests(name, run, GuestMemory::of_bytes(bytes))
    }

    fn with_guests(name: DriverName, run: PathBuf, guests: GuestMemory) -> Self {
        Self(Arc::new(Shared {
            name,
            run,
            keys: KeyCache::default(),
            guest_stats: Arc::default(),
            guests,
        }))
    }

    /// For a component that is described and serves no driver; it is granted nothing that would look here.
    #[cfg(feature = "compiler")]
    pub(crate) fn of_nobody() -> Self {
        Self::new(DriverName(String::new()), PathBuf::new())
    }

    /// A call that has taken nothing yet.
    pub(crate) fn call(&self) -> CallMemory {
        self.0.guests.call()
    }

    pub(super) fn keys(&self) -> &KeyCache {
        &self.0.keys
    }

    /// A guest of this driver runs on this thread from now on, in a call that may log so much.
    pub(crate) fn running(&self, log: LogBudget) -> Running {
        self.0.guest_stats.running(log)
    }

    /// A guest ran for so long.
    pub(crate) fn add_guest_time(&self, time: Duration) {
        self.0.guest_stats.add_guest_time(time);
    }

    /// How long guests ran, without the time that their host functions waited for workers.
    pub fn guest_time(&self) -> Duration {
        self.0.guest_stats.guest_time()
    }

    /// How often each capability refused.
    pub fn refusals(&self) -> impl Iterator<Item = (Capability, u64)> {
        self.0.guest_stats.refusals()
    }

    /// Where requests to an endpoint are counted.
    pub(super) fn rate_file(&self, endpoint: &str) -> PathBuf {
        let Shared { name, run, .. } = &*self.0;
        run.join("rates").join(&name.0).join(endpoint)
    }
}
