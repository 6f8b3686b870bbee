//! What the work of a driver has cost.

use super::Driver;
use super::driver_stats::DriverStats;

impl Driver {
    /// What its work has cost by now.
    pub fn stats(&self) -> DriverStats {
        let stats = self.worker_counters.stats();
        DriverStats {
            guest: self.state.guest_time(),
            host: stats.waited,
            workers_killed: vec![
                ("deadline", stats.killed_at_deadline),
                ("stuck", stats.killed_and_stuck),
                ("failure", stats.killed_after_failure),
            ],
            refusals: self
                .state
                .refusals()
                .map(|(capability, count)| (capability.name(), count))
                .collect(),
        }
    }
}
