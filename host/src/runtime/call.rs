//! One call: a fresh store, its limits armed before the guest's first instruction, one export, the end.
//!
//! Each interface that a guest can export has a file beneath this one, with a typed function for each of
//! its functions; all of them come through `Guest::call`. Each fails with the guest's own error, or with `internal`
//! where the guest broke down.

mod accessibility;
mod attach_limit;
mod attachment;
mod capacity;
mod cloning;
mod controller;
mod convert;
mod expansion;
mod failure;
mod group_snapshots;
#[cfg(feature = "compiler")]
mod identity;
mod modification;
mod node;
mod setup;
mod snapshot_listing;
mod snapshots;
mod trace;
mod trap;
mod validate;
mod volume_health;
mod volume_listing;

use std::time::Instant;

use wasmtime::component::Instance;
use wasmtime::{Store, UpdateDeadline};

use super::guest::Guest;
use super::limiter::{Budget, Limiter};
use super::state::State;
use crate::bindings::drivebay::driver::types as wit;
use crate::error::{Condition, DriverError, ErrorOrigin};
use crate::store::CallEnd;

use failure::failed_with;

pub use attachment::AttachRequest;
pub use node::StageRequest;
pub use setup::CallSetup;
#[cfg(feature = "compiler")]
pub(super) use setup::NobodysCall;
pub(super) use trace::LineSource;
pub use trace::TraceDetail;

/// Bytes a guest may have copied out of its memory by one host call: the largest file the contract lets
/// through is 64 KiB, a request body some hundred.
const HOST_CALL_BYTES: usize = 2 << 20;

/// What a call takes besides its guest's linear memory: the stack of its frames (half a MiB), tables, what host
/// functions copy, and its worker process.
const CALL_BYTES: usize = 2 << 20;

/// Handles a guest may hold at once; none needs more than a few.
const MAX_HANDLES: usize = 256;

impl Guest {
    fn call<T>(
        &self,
        setup: CallSetup,
        export: &str,
        run: impl FnOnce(&mut Store<State>, &Instance) -> wasmtime::Result<Result<T, wit::Error>>,
    ) -> Result<T, DriverError> {
        let guest_time = setup.guest_time.clone();
        let mut store = self.store(setup);
        let ticking = self.clock.tick().map_err(|error| {
            DriverError::overloaded("cannot start a clock for the guest").caused_by(error)
        })?;
        let begun = Instant::now();
        let outcome = store
            .data_mut()
            .take(CALL_BYTES)
            .and_then(|()| self.ready.instantiate(&mut store))
            .and_then(|instance| run(&mut store, &instance));
        drop(ticking);
        let report = store.data_mut().end();
        guest_time.add(begun.elapsed().saturating_sub(report.waited));
        let outcome = match outcome {
            Ok(Ok(value)) => Ok(value),
            Ok(Err(error)) => Err(failed_with(error, &report, |message| {
                store.data().broker.without_secrets(message)
            })),
            Err(error) => Err(self.trap_error(export, &error, store.data(), report)),
        };
        self.count(outcome.as_ref().err().map_or(CallEnd::Answered, end_of));
        outcome
    }

    fn store(&self, setup: CallSetup) -> Store<State> {
        let budget = Budget::start(&self.limits, setup.deadline);
        let limiter = Limiter::new(&self.limits);
        let state = State::new(setup, limiter, self.limits.deadline, MAX_HANDLES);
        let mut store = Store::new(&self.engine, state);
        store.limiter(|state| state);
        store.set_hostcall_fuel(HOST_CALL_BYTES);
        store.set_max_component_handles(MAX_HANDLES);
        // Armed before instantiation: start functions and language runtimes run inside it.
        store.set_epoch_deadline(1);
        store.epoch_deadline_callback(move |_| match budget.check() {
            Ok(()) => Ok(UpdateDeadline::Continue(1)),
            Err(limit) => Err(wasmtime::Error::new(limit)),
        });
        store
    }
}

/// One that ran out of time may have waited for a backend that is slow; that alone says nothing about the version.
fn end_of(error: &DriverError) -> CallEnd {
    match (error.origin(), error.condition()) {
        (ErrorOrigin::Guest, Condition::Internal) => CallEnd::BrokeDown,
        _ => CallEnd::Answered,
    }
}
