//! What one call of a guest has, and how its host functions ask the worker.

use std::time::{Duration, Instant};

use wasmtime::component::ResourceTable;

use super::convert::from_wit;
use super::driver_state::DriverState;
use super::guest_memory::CallMemory;
use super::log_budget::LogBudget;
use super::signing::CallKeys;
use crate::bindings::drivebay::driver::types as wit;
use crate::error::{Condition, DriverError};
use crate::grant::Grants;
use crate::worker::{Fault, FaultKind, Reply, Request, WorkerClient};

/// Everything one call of a guest may touch; dropped with the call.
pub(crate) struct CallContext {
    pub(crate) table: ResourceTable,
    pub(crate) grants: Grants,
    pub(crate) worker: Box<dyn WorkerClient>,
    pub(crate) deadline: Instant,
    pub(crate) log: LogBudget,
    /// What outlives the call.
    pub(crate) driver: DriverState,
    /// What it may take of this process's memory.
    pub(crate) taken: CallMemory,
    /// Keys that were used already: one call signs with one key, whatever is refreshed meanwhile.
    pub(crate) keys: CallKeys,
    /// The request that got no answer before the deadline: the reason why there is no time left.
    pub(crate) unanswered: Option<Fault>,
    /// Whether a request was refused because this process or this node had too much to do.
    pub(crate) was_full: bool,
    /// Whether a worker failed as none should: the guest may pass that on, too.
    pub(crate) was_broken: bool,
    /// How long host functions waited for workers and the network.
    pub(crate) waited: Duration,
}

impl CallContext {
    /// For an answer that is large, before it is asked for.
    pub(super) fn take_buffer(&mut self, bytes: usize) -> Result<(), DriverError> {
        let taken = self.taken.take_buffer(bytes, self.deadline);
        taken.map_err(|error| {
            DriverError::unavailable("cannot take in an answer now").caused_by(error)
        })
    }

    pub(super) fn ask(&mut self, request: Request) -> Result<Reply, DriverError> {
        self.ask_until(request, self.deadline)
    }

    /// The same with less patience.
    pub(super) fn ask_until(
        &mut self,
        request: Request,
        until: Instant,
    ) -> Result<Reply, DriverError> {
        let begun = Instant::now();
        let answer = self.worker.call(request, until.min(self.deadline));
        self.waited += begun.elapsed();
        self.was_full |= matches!(&answer, Err(fault) if fault.kind == FaultKind::Full);
        self.was_broken |= matches!(&answer, Err(fault) if fault.kind == FaultKind::Other);
        if let Err(fault) = &answer
            && until >= self.deadline
            && self.used_up_the_time(fault.kind)
        {
            self.unanswered = Some(fault.clone());
        }
        Ok(answer?)
    }

    /// Whether that is why there is none left: it waited until now for an answer, for another job or for a slot.
    fn used_up_the_time(&self, kind: FaultKind) -> bool {
        let is_up = self.deadline <= Instant::now() + LAST_MOMENT;
        matches!(kind, FaultKind::TimedOut | FaultKind::Stuck)
            || is_up
                && matches!(
                    kind,
                    FaultKind::Busy | FaultKind::Exhausted | FaultKind::Full
                )
    }

    /// What the guest fails with. It cannot say who ran out of something, nor who has the bug: where this process ran out
    /// of it, or a worker of it failed, that is what it passes on.
    pub(crate) fn failed_with(&self, error: wit::Error) -> DriverError {
        let error = from_wit(error);
        match error.condition() {
            Condition::Exhausted if self.was_full => error.from_process(),
            Condition::Internal if !self.was_broken => error.from_guest(),
            _ => error,
        }
    }
}

/// Whoever waits for something that may become free looks for it at most so long before the deadline for the last time.
const LAST_MOMENT: Duration = Duration::from_millis(100);
