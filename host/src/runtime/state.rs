//! What the store of one call holds, and what it may take.

use std::time::{Duration, Instant};

use wasmtime::ResourceLimiter;
use wasmtime::component::ResourceTable;

use super::call::CallSetup;
use super::limiter::{LimitError, Limiter, MAX_INSTANCES};
use super::stderr::Stderr;
use crate::broker::{Broker, CallMemory, CallReport};
use crate::store::MEMORY_RESERVATION;

/// Everything in the store of one call.
pub(super) struct State {
    /// Whom all questions go to.
    pub(super) broker: Box<dyn Broker>,
    pub(super) limiter: Limiter,
    /// Of WASI alone: what the contract's handles stand for is not known here.
    pub(super) table: ResourceTable,
    memory: CallMemory,
    deadline: Instant,
    begun: Instant,
    /// All that the call was given, for messages.
    whole: Duration,
    /// How long the guest slept, by WASI.
    slept: Duration,
    pub(super) stderr: Stderr,
}

impl State {
    /// Of a call that begins now and may take so long, with so many handles of WASI.
    pub(super) fn new(setup: CallSetup, limiter: Limiter, whole: Duration, handles: usize) -> Self {
        let mut table = ResourceTable::new();
        table.set_max_capacity(handles);
        Self {
            broker: setup.broker,
            limiter,
            table,
            memory: setup.memory,
            deadline: setup.deadline,
            begun: Instant::now(),
            whole,
            slept: Duration::ZERO,
            stderr: Stderr::default(),
        }
    }

    /// The call is over: how it went, and how long it waited in all.
    pub(super) fn end(&mut self) -> CallReport {
        let mut report = self.broker.end();
        report.waited += self.slept + self.memory.waited();
        report
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
    pub(super) fn take(&mut self, bytes: usize) -> wasmtime::Result<()> {
        let taken = self.memory.take(bytes, self.deadline);
        Ok(taken.map_err(LimitError::AllGuests)?)
    }

    /// Sleeps until then, for a guest that can do nothing meanwhile. No epoch wakes the host's own code, so
    /// whoever would sleep past the deadline is ended now: nothing else could become of the call, and its
    /// thread and memory are others' sooner.
    ///
    /// # Errors
    /// [`LimitError::Sleep`], also for what never comes.
    pub(super) fn sleep_until(&mut self, when: Option<Instant>) -> Result<(), LimitError> {
        let when = when.filter(|when| *when < self.deadline);
        let when = when.ok_or(LimitError::Sleep(self.whole))?;
        let pause = when.saturating_duration_since(Instant::now());
        if !pause.is_zero() {
            std::thread::sleep(pause);
            self.slept += pause;
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
            let moved = self.memory.take_buffer(current, self.deadline);
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
