//! One call: a fresh store, its limits armed before the guest's first instruction, one export, the end.
//!
//! Each interface that a guest can export has a file beneath this one, with a typed function for each of
//! its functions; all of them come through `Guest::call`.

mod accessibility;
mod attachment;
mod breakdown;
mod capacity;
mod checked;
mod cloning;
mod controller;
mod convert;
mod expansion;
mod filesystem;
mod group_snapshots;
#[cfg(feature = "compiler")]
mod identity;
mod modification;
mod node;
mod snapshot_listing;
mod snapshots;
mod volume_listing;

use std::time::{Duration, Instant};

use wasmtime::component::{Instance, ResourceTable};
use wasmtime::{ResourceLimiter, Store, UpdateDeadline};

use super::engine::MEMORY_RESERVATION;
use super::guest::Guest;
use super::limiter::{Budget, LimitError, Limiter, MAX_INSTANCES};
use super::wasi::Stderr;
use crate::bindings::drivebay::driver::types as wit;
use crate::capability::{CallContext, CallKeys, DriverState, LogBudget};
use crate::error::DriverError;
use crate::worker::WorkerClient;

pub use attachment::AttachRequest;
pub use node::StageRequest;

/// Bytes a guest may have copied out of its memory by one host call: the largest file the contract lets
/// through is 64 KiB, a request body some hundred.
const HOST_CALL_BYTES: usize = 2 << 20;

/// What a call takes besides its guest's linear memory: the stack of its frames (half a MiB), tables, what host
/// functions copy, and its worker process.
const CALL_BYTES: usize = 2 << 20;

/// Handles a guest may hold at once; none needs more than a few.
const MAX_HANDLES: usize = 256;

/// What a call needs besides its arguments.
pub struct CallSetup {
    /// The way to the kernel, holding the volume's lock.
    pub worker: Box<dyn WorkerClient>,
    /// When everything has to be over.
    pub deadline: Instant,
    /// What the driver's calls have in common.
    pub driver: DriverState,
}

impl std::fmt::Debug for CallSetup {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CallSetup")
            .field("deadline", &self.deadline)
            .finish_non_exhaustive()
    }
}

/// Everything in the store of one call.
pub(super) struct State {
    context: CallContext,
    limiter: Limiter,
    begun: Instant,
    /// All that the call was given, for messages.
    whole: Duration,
    stderr: Stderr,
}

impl State {
    pub(super) fn context(&mut self) -> &mut CallContext {
        &mut self.context
    }

    pub(super) fn table(&self) -> &ResourceTable {
        &self.context.table
    }

    /// What the guest writes to standard error.
    pub(super) fn stderr(&mut self) -> &mut Stderr {
        &mut self.stderr
    }

    /// When the call began.
    pub(super) fn begun(&self) -> Instant {
        self.begun
    }

    /// Takes so much of what all guests of the driver have; waits for it where others have it now.
    fn take(&mut self, bytes: usize) -> wasmtime::Result<()> {
        let taken = self.context.taken.take(bytes, self.context.deadline);
        Ok(taken.map_err(LimitError::AllGuests)?)
    }

    /// Sleeps until then, for a guest that can do nothing meanwhile. No epoch wakes the host's own code, so
    /// whoever would sleep past the deadline is ended now: nothing else could become of the call, and its
    /// thread and memory are others' sooner.
    ///
    /// # Errors
    /// [`LimitError::Sleep`], also for what never comes.
    pub(super) fn sleep_until(&mut self, when: Option<Instant>) -> Result<(), LimitError> {
        let when = when.filter(|when| *when < self.context.deadline);
        let when = when.ok_or(LimitError::Sleep(self.whole))?;
        let pause = when.saturating_duration_since(Instant::now());
        if !pause.is_zero() {
            std::thread::sleep(pause);
            self.context.waited += pause;
        }
        Ok(())
    }
}

impl ResourceLimiter for State {
    fn memory_growing(
        &mut self,
        current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        let Some(more) = self.limiter.grow_memory(current, desired) else {
            return Ok(false);
        };
        self.take(more)?;
        if desired as u64 > MEMORY_RESERVATION {
            // It may have to be moved, and there are two of it then.
            let (taken, deadline) = (&mut self.context.taken, self.context.deadline);
            let moved = taken.take_buffer(current, deadline);
            moved.map_err(LimitError::AllGuests)?;
        }
        Ok(true)
    }

    fn table_growing(
        &mut self,
        current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        Ok(self.limiter.grow_table(current, desired))
    }

    fn instances(&self) -> usize {
        MAX_INSTANCES
    }

    fn tables(&self) -> usize {
        MAX_INSTANCES
    }

    fn memories(&self) -> usize {
        MAX_INSTANCES
    }
}

impl Guest {
    fn call<T>(
        &self,
        setup: CallSetup,
        export: &str,
        run: impl FnOnce(&mut Store<State>, &Instance) -> wasmtime::Result<Result<T, wit::Error>>,
    ) -> Result<T, DriverError> {
        let driver = setup.driver.clone();
        let mut store = self.store(setup);
        let ticking = self.clock.tick().map_err(|error| {
            DriverError::overloaded("cannot start a clock for the guest").caused_by(error)
        })?;
        let begun = Instant::now();
        let running = driver.running(store.data().context.log.clone());
        let outcome = store
            .data_mut()
            .take(CALL_BYTES)
            .and_then(|()| self.ready.instantiate(&mut store))
            .and_then(|instance| run(&mut store, &instance));
        drop((running, ticking));
        let context = &store.data().context;
        let waited = context.waited + context.taken.waited;
        driver.add_guest_time(begun.elapsed().saturating_sub(waited));
        match outcome {
            Ok(Ok(value)) => Ok(value),
            Ok(Err(error)) => Err(context.failed_with(error)),
            Err(error) => Err(self.breakdown(export, &error, &store)),
        }
    }

    fn store(&self, setup: CallSetup) -> Store<State> {
        let mut table = ResourceTable::new();
        table.set_max_capacity(MAX_HANDLES);
        let budget = Budget::start(&self.limits, setup.deadline);
        let context = CallContext {
            table,
            grants: self.grants.clone(),
            worker: setup.worker,
            deadline: setup.deadline,
            log: LogBudget::new(self.limits.log_lines),
            taken: setup.driver.call(),
            driver: setup.driver,
            keys: CallKeys::default(),
            unanswered: None,
            was_full: false,
            waited: Duration::ZERO,
        };
        let mut store = Store::new(
            &self.engine,
            State {
                context,
                limiter: Limiter::new(&self.limits),
                begun: Instant::now(),
                whole: self.limits.deadline,
                stderr: Stderr::default(),
            },
        );
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
