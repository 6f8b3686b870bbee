//! Who answers where there is no driver: while a component is tried, nothing is granted to it.

use std::time::Instant;

use super::driver_state::DriverState;
use super::worker_broker::{CallBounds, WorkerBroker};
use crate::grant::Grants;
use crate::worker::{Fault, FaultKind, Reply, Request, WorkerClient};

impl WorkerBroker {
    /// Of a call that no driver makes. All that needs a grant is denied.
    pub(crate) fn of_nobody(bounds: CallBounds) -> Self {
        let (driver, grants) = (DriverState::of_nobody(), Grants::default());
        Self::new(driver, grants, Box::new(NoWorker), bounds)
    }
}

/// Without a grant hardly anything comes as far as this.
struct NoWorker;

impl WorkerClient for NoWorker {
    fn call(&mut self, _request: Request, _deadline: Instant) -> Result<Reply, Fault> {
        Err(Fault {
            kind: FaultKind::Denied,
            message: "nothing is granted while a component is tested".to_owned(),
        })
    }
}
