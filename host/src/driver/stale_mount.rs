//! What is mounted where it belongs and yet is not what was mounted there.
//!
//! Disks are detached behind a mount, kernels give up on filesystems, servers forget. The table of mounts shows
//! none of it, so what a repeated call relies on is asked itself. It is mounted anew where nobody uses it: under
//! a pod that has it open, nothing is exchanged.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use std::{fmt, io};

use super::mount_spec::MountSpec;
use super::mount_table::{is_from_server, is_still_mounted};
use super::operation::Operation;
use super::session::Session;
use crate::error::DriverError;
use crate::journal::{MountRecord, Role, VolumeRecord};
use crate::sys::{MountEntry, disk_beneath, mount_points_of, says_shut_down, takes_writes};
use crate::worker::FaultKind;

/// For asking a server whether it knows a mount of its own; one that answers does so in milliseconds.
const STALE_TIME: Duration = Duration::from_secs(1);

/// Why it is not.
#[derive(Debug)]
pub(super) enum StaleMount {
    /// Its server does not know it any more.
    UnknownToServer,
    /// The disk that was beneath is gone, whatever is attached now.
    DiskGone,
    /// It took writes, and does not any more.
    TurnedReadOnly,
    /// Its filesystem was shut down.
    ShutDown(io::Error),
    /// Nothing is wrong with it, but it was staged for a pod that only reads.
    StagedReadOnly,
}

impl StaleMount {
    /// What can be told without waiting for a server.
    pub(super) fn of(noted: &MountRecord, entry: &MountEntry) -> Option<Self> {
        if is_another(noted.disk.as_deref(), disk_beneath(&noted.path, entry)) {
            return Some(Self::DiskGone);
        }
        // An older version did not note how it was.
        let took_writes = noted.takes_writes?;
        match takes_writes(&noted.path, entry) {
            Ok(takes_writes) => (took_writes && !takes_writes).then_some(Self::TurnedReadOnly),
            Err(error) if says_shut_down(&error) => Some(Self::ShutDown(error)),
            // It could not be asked, as where too many files are open.
            Err(_) => None,
        }
    }
}

/// Whether the disk that was noted is gone. What cannot be told is no reason to unmount it.
fn is_another(noted: Option<&str>, beneath: io::Result<Option<String>>) -> bool {
    match (noted, beneath) {
        (Some(noted), Ok(beneath)) => beneath.as_deref() != Some(noted),
        (None, _) | (Some(_), Err(_)) => false,
    }
}

impl fmt::Display for StaleMount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownToServer => f.write_str("its server no longer knows it"),
            Self::DiskGone => f.write_str("the disk that was mounted there is gone from this node"),
            Self::TurnedReadOnly => f.write_str(
                "its filesystem has become read-only, to which the kernel turns it after an error",
            ),
            Self::ShutDown(error) => write!(f, "its filesystem was shut down ({error})"),
            Self::StagedReadOnly => {
                f.write_str("the pod that had it first on this node only reads")
            }
        }
    }
}

impl Session {
    /// What is wrong with what is settled there. A server that does not answer has not lost it: its clients go on
    /// when it comes back.
    pub(super) fn stale_mount(
        &self,
        record: &VolumeRecord,
        spec: &MountSpec<'_>,
        entry: &MountEntry,
    ) -> Option<StaleMount> {
        if !is_from_server(entry) {
            return StaleMount::of(record.mount_at(spec.path)?, entry);
        }
        let until = Instant::now() + STALE_TIME;
        let measured = self.shared.measuring.measure(spec.path, entry, until);
        let is_stale = measured.is_err_and(|fault| fault.kind == FaultKind::Stale);
        is_stale.then_some(StaleMount::UnknownToServer)
    }

    /// Unmounts what no longer is what was mounted there, so that it can be mounted anew. Until it is, the journal
    /// says that it is meant to be.
    ///
    /// # Errors
    /// `failed-precondition` where somebody uses it.
    pub(super) fn unmount_stale(
        &self,
        operation: &mut Operation,
        record: &mut VolumeRecord,
        spec: &MountSpec<'_>,
        (stale, entry): (&StaleMount, &MountEntry),
    ) -> Result<(), DriverError> {
        if let Some(user) = user(record, spec, stale, entry)? {
            return Err(stale.refusal(spec, &user));
        }
        tracing::info!(path = %spec.path.display(), reason = %stale, "mounting anew");
        record.intend_again(spec.path);
        self.shared.journal.save(record)?;
        self.unmount(operation, spec.path)
    }
}

impl StaleMount {
    /// Who has to go before anything can be mounted anew.
    pub(super) fn refusal(&self, spec: &MountSpec<'_>, user: &Path) -> DriverError {
        DriverError::failed_precondition(format!(
            "cannot use the volume at {}: {self}; unpublish it at {} first (delete the pod) and wherever else it is published, then unstage it: staging checks its filesystem and mounts it anew",
            spec.path.display(),
            user.display()
        ))
    }
}

/// Where somebody uses what is mounted there. A pod has what is at its target; a server that forgot a mount has
/// ended its use already.
fn user(
    record: &VolumeRecord,
    spec: &MountSpec<'_>,
    stale: &StaleMount,
    entry: &MountEntry,
) -> Result<Option<PathBuf>, DriverError> {
    match (spec.role, stale) {
        (_, StaleMount::UnknownToServer) => Ok(None),
        (
            Role::Target,
            StaleMount::DiskGone
            | StaleMount::TurnedReadOnly
            | StaleMount::ShutDown(_)
            | StaleMount::StagedReadOnly,
        ) => Ok(Some(spec.path.to_owned())),
        (Role::Staging, _) => match published(record) {
            Some(target) => Ok(Some(target.path.clone())),
            None => shown_elsewhere(spec.path, entry),
        },
    }
}

/// A target that holds the volume.
fn published(record: &VolumeRecord) -> Option<&MountRecord> {
    let mut targets = record.mounts.iter();
    targets.find(|mount| mount.role == Role::Target && is_still_mounted(mount))
}

/// Where another driver bound it, which the journal does not know.
fn shown_elsewhere(path: &Path, entry: &MountEntry) -> Result<Option<PathBuf>, DriverError> {
    if !entry.is_on_device() {
        return Ok(None);
    }
    let points = mount_points_of(entry).map_err(|error| {
        DriverError::internal("cannot read what is mounted on this node").caused_by(error)
    })?;
    // A container that sees the node beneath a directory of its own sees the same mount there.
    let same = path.strip_prefix("/").unwrap_or(path);
    Ok(points.into_iter().find(|point| !point.ends_with(same)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_disk_is_another_one_only_where_that_is_told() {
        let disk = |number: &str| Ok(Some(format!("disk {number}")));
        assert!(!is_another(Some("disk 7"), disk("7")));
        assert!(is_another(Some("disk 7"), disk("8")));
        assert!(is_another(Some("disk 7"), Ok(None)));
        assert!(!is_another(
            Some("disk 7"),
            Err(io::Error::other("too many open files"))
        ));
        assert!(!is_another(None, disk("7")));
    }
}
