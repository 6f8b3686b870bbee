//! How a component that was just compiled is called while it is tried: by no driver.

use std::time::Instant;

use crate::broker::{CallBounds, CallMemory, WorkerBroker};
use crate::config::Limits;
use crate::runtime::{self, CallSetup, GuestTime};
use crate::store::SelfTest;

/// What a component says of itself, once it has shown that it can be called.
pub const SELF_TEST: SelfTest =
    |engine, component, interfaces| runtime::self_test(engine, component, interfaces, nobodys_call);

fn nobodys_call(deadline: Instant) -> CallSetup {
    let bounds = CallBounds {
        deadline,
        log_lines: Limits::default().log_lines,
        memory: CallMemory::without_bound(),
    };
    CallSetup {
        broker: Box::new(WorkerBroker::of_nobody(bounds.clone())),
        deadline,
        memory: bounds.memory,
        guest_time: GuestTime::default(),
    }
}
