//! What operations are locked under: each volume, snapshot and name has a lock of its own.

use std::fmt;
use std::path::PathBuf;
use std::time::Instant;

use super::session::Session;
use crate::error::DriverError;
use crate::journal::file_stem;
use crate::sys::{Afterwards, Lock, LockError, Look};
use crate::volume::{GroupSnapshotId, SnapshotId, VolumeKey};

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

impl Session {
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

    /// A look at a volume, together with others who look, if nobody works on it. Waits for nobody.
    pub(super) fn look_at(&self, key: &VolumeKey) -> Option<Look<'_>> {
        let looks = &self.shared.looks;
        looks.begin(&key.0, || self.path_of_volume_lock(key))
    }

    pub(super) fn path_of_volume_lock(&self, key: &VolumeKey) -> PathBuf {
        self.path_of_lock("", &key.0)
    }

    /// The file of a volume's lock stays while the journal has the volume; of what comes and goes in one call,
    /// nothing stays.
    fn lock_file(&self, scope: LockScope<'_>, deadline: Instant) -> Result<Lock, LockError> {
        let file = |prefix: &str, name: &str| self.path_of_lock(prefix, name);
        let passing = |prefix: &str, name: &str| {
            let lock = Lock::acquire(&file(prefix, name), deadline)?;
            Ok(lock.and(Afterwards::Goes))
        };
        match scope {
            LockScope::Volume(key) => {
                let lock = Lock::acquire(&self.path_of_volume_lock(key), deadline)?;
                let record = self.shared.journal.record_file(key);
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

    fn path_of_lock(&self, prefix: &str, name: &str) -> PathBuf {
        self.shared
            .paths
            .locks()
            .join(&self.shared.versions.configured().name.0)
            .join(format!("{prefix}{}.lock", file_stem(name.as_bytes())))
    }
}
