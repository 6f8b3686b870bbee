//! The broker of one call: what the call has, and how it asks the worker.

use std::time::{Duration, Instant};

use super::driver_state::DriverState;
use super::error::BrokerError;
use super::guest_memory::CallMemory;
use super::handle::TargetHandle;
use super::handle_table::{HandleTable, Target};
use super::line::{CallReport, Violation};
use super::log_budget::LogBudget;
use super::signing::CallKeys;
use crate::error::{DriverError, GuestText};
use crate::grant::{Grants, Refusal};
use crate::volume::Secrets;
use crate::worker::{Fault, FaultKind, Reply, Request, WorkerClient};

/// Answers by what a driver was granted and what workers do; dropped with its call. Each capability has a file with what
/// it answers.
pub(crate) struct WorkerBroker {
    pub(super) grants: Grants,
    pub(super) worker: Box<dyn WorkerClient>,
    pub(super) deadline: Instant,
    pub(super) log: LogBudget,
    /// What outlives the call.
    pub(super) driver: DriverState,
    memory: CallMemory,
    /// What the caller brought, as far as the driver may use it.
    pub(super) secrets: Secrets,
    /// Keys that were used already: one call signs with one key, whatever is refreshed meanwhile.
    pub(super) keys: CallKeys,
    pub(super) held: HandleTable,
    pub(super) report: CallReport,
    pub(super) is_over: bool,
}

/// What one call may take.
#[derive(Debug, Clone)]
pub(crate) struct CallBounds {
    pub(crate) deadline: Instant,
    pub(crate) log_lines: u32,
    pub(crate) memory: CallMemory,
}

impl WorkerBroker {
    /// Of a call of that driver, by that worker.
    pub(crate) fn new(
        driver: DriverState,
        grants: Grants,
        worker: Box<dyn WorkerClient>,
        bounds: CallBounds,
    ) -> Self {
        Self {
            grants,
            worker,
            deadline: bounds.deadline,
            log: LogBudget::new(bounds.log_lines),
            driver,
            memory: bounds.memory,
            secrets: Secrets::default(),
            keys: CallKeys::default(),
            held: HandleTable::default(),
            report: CallReport::default(),
            is_over: false,
        }
    }

    /// The same call, to which its caller brought these.
    pub(crate) fn with_secrets(self, secrets: Secrets) -> Self {
        Self { secrets, ..self }
    }

    /// The guest may use it as long as the call lasts.
    pub(crate) fn lend(&mut self, target: Target) -> TargetHandle {
        self.held.lend(target)
    }

    /// Handles that it was lent until now.
    #[cfg(feature = "compiler")]
    pub(crate) fn lent(&self) -> Vec<u32> {
        self.held.lent()
    }

    /// For an answer that is large, before it is asked for.
    pub(super) fn take_buffer(&mut self, bytes: usize) -> Result<(), DriverError> {
        let taken = self.memory.take_buffer(bytes, self.deadline);
        taken.map_err(|error| {
            DriverError::unavailable("cannot take in an answer now").caused_by(error)
        })
    }

    pub(super) fn ask_worker(&mut self, request: Request) -> Result<Reply, DriverError> {
        self.ask_worker_until(request, self.deadline)
    }

    /// The same with less patience.
    pub(super) fn ask_worker_until(
        &mut self,
        request: Request,
        until: Instant,
    ) -> Result<Reply, DriverError> {
        let begun = Instant::now();
        let answer = self.worker.call(request, until.min(self.deadline));
        self.report.waited += begun.elapsed();
        if let Err(fault) = &answer {
            self.note_fault(fault, until);
        }
        Ok(answer?)
    }

    fn note_fault(&mut self, fault: &Fault, until: Instant) {
        self.report.was_full |= fault.kind == FaultKind::Full;
        self.report.was_broken |= fault.kind == FaultKind::Other;
        if until >= self.deadline && self.used_up_the_time(fault.kind) {
            self.report.unanswered = Some(fault.clone());
        }
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

    /// What is told of an error. A refusal is counted for the driver here, once, and logged within what the call may log:
    /// a guest can ask for what it is not granted as often as it likes.
    pub(super) fn settle(&mut self, error: BrokerError) -> Result<DriverError, Violation> {
        match error {
            BrokerError::Failed(error) => Ok(error),
            BrokerError::Violated(violation) => Err(violation),
            BrokerError::Refused(refusal) => {
                self.log.spend(|| warn_of(&refusal));
                self.driver.count_refusal(refusal.capability);
                Ok(DriverError::denied(refusal.to_string()))
            }
        }
    }
}

/// Whoever waits for something that may become free looks for it at most so long before the deadline for the last time.
const LAST_MOMENT: Duration = Duration::from_millis(100);

/// The scope is what the guest asked for, in its words.
fn warn_of(refusal: &Refusal) {
    tracing::warn!(
        capability = refusal.capability.name(),
        scope = GuestText::sentence(&refusal.scope).as_str(),
        grant = refusal.grant,
        "refused"
    );
}
