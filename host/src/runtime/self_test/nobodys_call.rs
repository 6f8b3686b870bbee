//! A call that no driver makes, for a guest that has been granted nothing: what it asks of the host is denied.

use std::time::Instant;

use crate::capability::DriverState;
use crate::runtime::call::CallSetup;
use crate::worker::{Fault, FaultKind, Reply, Request, WorkerClient};

pub(super) fn nobodys_call(deadline: Instant) -> CallSetup {
    CallSetup {
        worker: Box::new(NoWorker),
        deadline,
        driver: DriverState::of_nobody(),
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
