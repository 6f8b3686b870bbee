//! One operation: begun under the lock of what it changes, with workers and a deadline of its own.

use std::sync::Arc;
use std::time::Instant;

use super::lock::LockScope;
use super::request::VolumeReference;
use super::session::{Session, Shared};
use crate::broker::{CallBounds, DriverState, Target, TargetHandle, WorkerBroker};
use crate::config::DriverConfig;
use crate::error::DriverError;
use crate::journal::{JournalError, VolumeRecord};
use crate::runtime::CallSetup;
use crate::sys;
use crate::volume::{Secrets, VolumeKey};
use crate::worker::client::{SharedWorkers, WorkSite};

/// One operation on one volume: the lock is in the workers, and lasts as long as any of them.
pub(super) struct Operation {
    pub(super) deadline: Instant,
    pub(super) workers: SharedWorkers,
    config: Arc<DriverConfig>,
    shared: Arc<Shared>,
    state: DriverState,
    secrets: Secrets,
}

impl Operation {
    /// For one call of the guest, which asks a broker of its own.
    pub(super) fn setup(&self) -> CallSetup {
        let bounds = self.bounds();
        self.setup_of(self.broker(bounds.clone()), bounds)
    }

    /// The same for a call that is lent a target.
    pub(super) fn setup_with(&self, target: Target) -> (CallSetup, TargetHandle) {
        let bounds = self.bounds();
        let mut broker = self.broker(bounds.clone());
        let target = self.shared.answering.lent(broker.lend(target));
        (self.setup_of(broker, bounds), target)
    }

    fn bounds(&self) -> CallBounds {
        CallBounds {
            deadline: self.deadline,
            log_lines: self.config.limits.log_lines,
            memory: self.state.call_memory(),
        }
    }

    fn broker(&self, bounds: CallBounds) -> WorkerBroker {
        let (driver, grants) = (self.state.clone(), self.config.grants.clone());
        let worker = self.shared.answering.worker(self.workers.clone());
        let broker = WorkerBroker::new(driver, grants, worker, bounds);
        broker.with_secrets(self.secrets.clone())
    }

    fn setup_of(&self, broker: WorkerBroker, bounds: CallBounds) -> CallSetup {
        CallSetup {
            broker: self.shared.answering.over(broker),
            deadline: bounds.deadline,
            memory: bounds.memory,
            guest_time: self.shared.guest_time.clone(),
        }
    }
}

impl Session {
    pub(super) fn begin(&self, key: &VolumeKey) -> Result<Operation, DriverError> {
        self.begin_on(LockScope::Volume(key))
    }

    pub(super) fn begin_on(&self, scope: LockScope<'_>) -> Result<Operation, DriverError> {
        let span = tracing::Span::current();
        span.record("driver.name", self.config().name.0.as_str());
        match scope {
            LockScope::Volume(key) => span.record("volume.id", key.0.as_str()),
            LockScope::NewVolume(name) => span.record("volume.name", name),
            LockScope::Snapshot(id) => span.record("snapshot.id", id.0.as_str()),
            LockScope::NewSnapshot(name) => span.record("snapshot.name", name),
            LockScope::GroupSnapshot(id) => span.record("group.id", id.0.as_str()),
            LockScope::NewGroupSnapshot(name) => span.record("group.name", name),
            LockScope::ReadOnly => &span,
        };
        self.close_directories()?;
        let deadline = self.deadline(Instant::now());
        let lock = self.lock(scope, deadline)?;
        Ok(Operation {
            deadline,
            workers: SharedWorkers::new(lock, self.work_site(), self.shared.network.clone()),
            config: Arc::clone(self.config()),
            shared: Arc::clone(&self.shared),
            state: self.state.clone(),
            secrets: self.secrets.clone(),
        })
    }

    /// Once a process: what others may have written is not believed, and not written through.
    fn close_directories(&self) -> Result<(), DriverError> {
        if self.shared.closed.get().is_some() {
            return Ok(());
        }
        let unsafe_to_use = |error| {
            DriverError::failed_precondition(
                "cannot trust the directories of the host on this node",
            )
            .caused_by(error)
            .from_process()
        };
        self.shared.paths.close_roots().map_err(unsafe_to_use)?;
        for directory in self.shared.paths.trusted(&self.config().name) {
            sys::close_directory_beneath(&directory).map_err(unsafe_to_use)?;
        }
        let _ = self.shared.closed.set(());
        Ok(())
    }

    /// For the workers of one call.
    fn work_site(&self) -> WorkSite {
        let name = &self.config().name.0;
        WorkSite::new(
            name,
            self.shared.paths.jobs().join(name),
            self.shared.paths.slots(),
            self.config().limits.jobs,
            self.config().limits.workers,
        )
    }

    pub(super) fn record(&self, volume: &VolumeReference) -> Result<VolumeRecord, DriverError> {
        let known = self.shared.journal.load(&volume.key)?;
        Ok(known.unwrap_or_else(|| VolumeRecord::new(&volume.key, &volume.id, &volume.context)))
    }
}

impl From<JournalError> for DriverError {
    fn from(error: JournalError) -> Self {
        let message =
            "cannot keep track of the volume; check space and permissions of the state directory";
        match error {
            JournalError::Unwritable { .. } | JournalError::Unreadable { .. } => {
                Self::unavailable(message).caused_by(error)
            }
            JournalError::Later { .. } => {
                Self::failed_precondition("the volume is a later host's").caused_by(error)
            }
            JournalError::Corrupt { .. } => {
                Self::internal("the journal of the volume is corrupt").caused_by(error)
            }
        }
    }
}
