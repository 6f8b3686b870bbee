//! Unmounting a volume at a path, and forgetting it.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::mount_table::{beneath, is_mounted, is_still_mounted};
use super::operation::Operation;
use super::request::TargetCleanup;
use super::session::Session;
use crate::error::DriverError;
use crate::journal::{JournalError, MountRecord, Role, VolumeRecord};
use crate::volume::{Parameters, VolumeId, VolumeKey};
use crate::worker::{Fault, FaultKind, MountFlags, Request, WorkerClient};

/// For taking back what was done, where no more time is left.
pub(super) const UNDO_TIME: Duration = Duration::from_secs(5);

impl Session {
    /// Unmounts whatever is mounted at a path and forgets it. Nothing there is success: kubelet calls
    /// `unmount` for directories on which nothing was ever mounted.
    pub(super) fn unmount_and_forget(
        &self,
        path: &Path,
        cleanup: TargetCleanup,
    ) -> Result<(), DriverError> {
        // A path nobody noted may still hold a mount: of a driver we replace, or after the journal was lost.
        let key = self
            .shared
            .journal
            .volume_at(path)
            .unwrap_or_else(|| VolumeKey(path.to_string_lossy().into_owned()));
        let mut operation = self.begin(&key)?;
        if is_mounted(path)? {
            self.unmount(&mut operation, path)?;
        }
        if cleanup == TargetCleanup::Remove {
            let target = path.to_owned();
            let remove = Request::RemoveTarget { target };
            operation.workers.call(remove, operation.deadline)?;
        }
        // A corrupt record must not keep a pod from ending; `forget` says so in the log.
        let record = self.shared.journal.load(&key).ok().flatten();
        if let Some(record) = record.filter(VolumeRecord::is_attached_while_mounted) {
            self.release_from_node(&mut operation, record, path)?;
        }
        self.forget(&key, path);
        Ok(())
    }

    /// First as one should; if the server does not answer, its requests are ended by force.
    pub(super) fn unmount(
        &self,
        operation: &mut Operation,
        path: &Path,
    ) -> Result<(), DriverError> {
        let now = Instant::now();
        let half = now + operation.deadline.saturating_duration_since(now) / 2;
        let request = |flags| Request::Unmount {
            target: path.to_owned(),
            flags,
        };
        match operation.workers.call(request(MountFlags::Plain), half) {
            Ok(_) => Ok(()),
            Err(Fault {
                kind: FaultKind::TimedOut | FaultKind::Stuck,
                ..
            }) => {
                tracing::warn!(path = %path.display(), "the server does not answer; unmounting by force");
                operation
                    .workers
                    .call(request(MountFlags::Force), operation.deadline)?;
                Ok(())
            }
            Err(fault) if fault.kind == FaultKind::Busy => Err(busy(path, &fault)),
            Err(fault) => Err(fault.into()),
        }
    }

    /// The mount is gone; a note that stays behind only costs a look later, so trouble here is not the
    /// caller's.
    pub(super) fn forget(&self, key: &VolumeKey, path: &Path) {
        // Also where there is no record: its first writing may have been cut off.
        let nothing = || VolumeRecord::new(key, &VolumeId(String::new()), &Parameters::default());
        match self.shared.journal.load(key) {
            Ok(record) => {
                let mut record = record.unwrap_or_else(nothing);
                record.forget(path);
                self.clean_journal(&record, path);
            }
            Err(error) => log_unclean(Err(error)),
        }
    }

    /// Forgets stagings at other paths that hold nothing any more, as after a reboot, where a caller now stages
    /// elsewhere: a volume is published from the first that is noted.
    pub(super) fn forget_stagings_elsewhere(&self, record: &mut VolumeRecord, path: &Path) {
        let is_gone = |noted: &&MountRecord| {
            noted.role == Role::Staging && noted.path != path && !is_still_mounted(noted)
        };
        let gone = record.mounts.iter().filter(is_gone);
        let gone: Vec<PathBuf> = gone.map(|noted| noted.path.clone()).collect();
        for path in gone {
            tracing::info!(path = %path.display(), "the volume is no longer staged there, and is staged elsewhere");
            record.forget(&path);
            // The path may be another volume's by now.
            if self.shared.journal.volume_at(&path) == Some(record.key()) {
                log_unclean(self.shared.journal.unindex(&path));
            }
            log_unclean(self.shared.journal.save(record));
        }
    }

    /// Each by itself: on a full disk a shorter record cannot be written, but a path can be removed.
    pub(super) fn clean_journal(&self, record: &VolumeRecord, path: &Path) {
        log_unclean(self.shared.journal.save(record));
        log_unclean(self.shared.journal.unindex(path));
    }
}

/// The kernel has one word for a mount that a process uses and one that has another mount on it.
fn busy(path: &Path, fault: &Fault) -> DriverError {
    let reason = match beneath(path) {
        Ok(Some(point)) => format!(
            "{} is mounted beneath it, unmount that first",
            point.display()
        ),
        Ok(None) | Err(_) => "a process still uses it".to_owned(),
    };
    DriverError::failed_precondition(format!("{}; {reason}", fault.message))
}

fn log_unclean(cleaned: Result<(), JournalError>) {
    if let Err(error) = cleaned {
        tracing::warn!(error = %DriverError::from(error).chain(), "the journal could not be cleaned");
    }
}
