//! One operation: begun under the lock of what it changes, with workers and a deadline of its own.

use std::fmt;
use std::time::Instant;

use super::Driver;
use super::request::VolumeReference;
use crate::error::DriverError;
use crate::journal::{JournalError, VolumeRecord, file_stem};
use crate::runtime::{CallSetup, DriverState};
use crate::sys::{self, Afterwards, Lock, LockError};
use crate::volume::{GroupSnapshotId, SnapshotId, VolumeKey};
use crate::worker::client::{SharedWorkers, WorkSite};

/// One operation on one volume: the lock is in the workers, and lasts as long as any of them.
pub(super) struct Operation {
    pub(super) deadline: Instant,
    pub(super) workers: SharedWorkers,
    state: DriverState,
}

impl Operation {
    pub(super) fn setup(&self) -> CallSetup {
        CallSetup {
            worker: Box::new(self.workers.clone()),
            deadline: self.deadline,
            driver: self.state.clone(),
        }
    }
}

/// What an operation changes, and is locked under.
#[derive(Debug, Clone, Copy)]
pub(super) enum LockScope<'a> {
    /// A volume that exists.
    Volume(&'a VolumeKey),
    /// One that is being made, by its name.
    NewVolume(&'a str),
    /// A snapshot that exists.
    Snapshot(&'a SnapshotId),
    /// One that is being cut, by its name.
    NewSnapshot(&'a str),
    /// A group of snapshots that exists.
    GroupSnapshot(&'a GroupSnapshotId),
    /// One that is being cut, by its name.
    NewGroupSnapshot(&'a str),
    /// Nothing is changed: such operations wait for nobody, and nobody for them.
    ReadOnly,
}

impl fmt::Display for LockScope<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Volume(key) => write!(f, "volume {:?}", key.0),
            Self::NewVolume(name) => write!(f, "the volume named {name:?}"),
            Self::Snapshot(id) => write!(f, "snapshot {:?}", id.0),
            Self::NewSnapshot(name) => write!(f, "the snapshot named {name:?}"),
            Self::GroupSnapshot(id) => write!(f, "group snapshot {:?}", id.0),
            Self::NewGroupSnapshot(name) => write!(f, "the group snapshot named {name:?}"),
            Self::ReadOnly => write!(f, "anything"),
        }
    }
}

impl Driver {
    pub(super) fn begin(&self, key: &VolumeKey) -> Result<Operation, DriverError> {
        self.begin_on(LockScope::Volume(key))
    }

    pub(super) fn begin_on(&self, scope: LockScope<'_>) -> Result<Operation, DriverError> {
        let span = tracing::Span::current();
        span.record("driver.name", self.config.name.0.as_str());
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
            workers: SharedWorkers::new(lock, self.work_site(), self.network.clone()),
            state: self.state.clone(),
        })
    }

    /// Once a process: what others may have written is not believed, and not written through.
    fn close_directories(&self) -> Result<(), DriverError> {
        if self.closed.get().is_some() {
            return Ok(());
        }
        let unsafe_to_use = |error| {
            DriverError::failed_precondition(
                "cannot trust the directories of the host on this node",
            )
            .caused_by(error)
            .from_process()
        };
        self.paths.close().map_err(unsafe_to_use)?;
        for directory in self.paths.trusted(&self.config.name) {
            sys::close_directory_beneath(&directory).map_err(unsafe_to_use)?;
        }
        let _ = self.closed.set(());
        Ok(())
    }

    /// For the workers of one call.
    fn work_site(&self) -> WorkSite {
        let name = &self.config.name.0;
        WorkSite::new(
            name,
            self.paths.jobs().join(name),
            self.paths.slots(),
            self.config.limits.jobs,
            self.config.limits.workers,
        )
    }

    /// Keeps others from working on a volume, beside the one that an operation is about.
    pub(super) fn lock_volume(
        &self,
        key: &VolumeKey,
        deadline: Instant,
    ) -> Result<Lock, DriverError> {
        self.lock(LockScope::Volume(key), deadline)
    }

    pub(super) fn lock(
        &self,
        scope: LockScope<'_>,
        deadline: Instant,
    ) -> Result<Lock, DriverError> {
        let until = deadline.min(Instant::now() + self.timeouts.lock);
        self.lock_file(scope, until).map_err(|error| match error {
            error @ LockError::Held => {
                DriverError::in_progress(format!("cannot work on {scope} now")).caused_by(error)
            }
            error @ LockError::Io { .. } => {
                DriverError::unavailable(format!("cannot work on {scope}")).caused_by(error)
            }
        })
    }

    /// The file of a volume's lock stays while the journal has the volume; of what comes and goes in one call,
    /// nothing stays.
    fn lock_file(&self, scope: LockScope<'_>, deadline: Instant) -> Result<Lock, LockError> {
        let file = |prefix: &str, name: &str| {
            self.paths
                .locks()
                .join(&self.config.name.0)
                .join(format!("{prefix}{}.lock", file_stem(name.as_bytes())))
        };
        let passing = |prefix: &str, name: &str| {
            let lock = Lock::acquire(&file(prefix, name), deadline)?;
            Ok(lock.and(Afterwards::Goes))
        };
        match scope {
            LockScope::Volume(key) => {
                let lock = Lock::acquire(&file("", &key.0), deadline)?;
                let record = self.journal.record_file(key);
                Ok(lock.and(Afterwards::StaysWith(record)))
            }
            LockScope::NewVolume(name) => passing("new-volume-", name),
            LockScope::Snapshot(id) => passing("snapshot-", &id.0),
            LockScope::NewSnapshot(name) => passing("new-snapshot-", name),
            LockScope::GroupSnapshot(id) => passing("group-snapshot-", &id.0),
            LockScope::NewGroupSnapshot(name) => passing("new-group-snapshot-", name),
            LockScope::ReadOnly => Lock::share(&file("readers-", "")),
        }
    }

    pub(super) fn record(&self, volume: &VolumeReference) -> Result<VolumeRecord, DriverError> {
        let known = self.journal.load(&volume.key)?;
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
            JournalError::Corrupt { .. } => {
                Self::internal("the journal of the volume is corrupt").caused_by(error)
            }
        }
    }
}
