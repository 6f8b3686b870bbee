//! What a driver's work has cost since the process began.

use std::time::Duration;

use super::Driver;

/// At one moment; each number only grows, and is lost with the process.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Figures {
    /// Time in guests, without the time that their host functions waited.
    pub guest: Duration,
    /// Time that operations, and the host functions of their guests, waited for the kernel's workers and the
    /// network. Waiting for a volume's lock and compiling are in neither.
    pub host: Duration,
    /// Workers given up and killed, by reason.
    pub workers_killed: Vec<(&'static str, u64)>,
    /// What guests were refused, by capability.
    pub refusals: Vec<(&'static str, u64)>,
}

impl Driver {
    /// What its work has cost by now.
    pub fn figures(&self) -> Figures {
        let costs = self.toll.costs();
        Figures {
            guest: self.memory.guest_time(),
            host: costs.waited,
            workers_killed: vec![
                ("deadline", costs.killed_at_deadline),
                ("stuck", costs.killed_and_stuck),
                ("failure", costs.killed_after_failure),
            ],
            refusals: self
                .memory
                .refusals()
                .map(|(capability, count)| (capability.name(), count))
                .collect(),
        }
    }
}
