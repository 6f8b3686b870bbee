//! Putting a volume at a path, and taking it away again.
//!
//! kubelet repeats calls, restarts in between, and may be killed anywhere; so may we. What is really
//! mounted decides, the journal explains it: a mount we had only intended is a leftover and is redone; one
//! that was there before us is taken over if it is the same, and named if it is not.

use std::path::Path;
use std::time::{Duration, Instant};

use super::content::Content;
use super::{Driver, Emptied, Operation};
use crate::error::{Condition, DriverError};
use crate::journal::{JournalError, Placement, Progress, Role, Use, VolumeRecord};
use crate::sys::{
    Fault, FaultKind, Kernel, MountEntry, MountFlags, Reply, Request, TargetKind, is_mount_point,
    known_mount_at, mount_at,
};
use crate::volume::{Access, AccessType, Parameters, VolumeId, VolumeKey};

/// For taking back what was done, where no more time is left.
pub(super) const UNDO_TIME: Duration = Duration::from_secs(5);

/// For asking a server whether it knows a mount of its own; one that answers does so in milliseconds.
const STALE_TIME: Duration = Duration::from_secs(1);

/// Where a volume has to be, and how.
pub(super) struct Spot<'a> {
    pub(super) path: &'a Path,
    pub(super) role: Role,
    pub(super) access: Access,
    pub(super) kind: &'a AccessType,
}

impl Spot<'_> {
    fn target_kind(&self) -> TargetKind {
        match self.kind {
            AccessType::Block => TargetKind::Device,
            AccessType::Filesystem { .. } => TargetKind::Directory,
        }
    }
}

/// What has to be so again after a failure.
struct Before {
    was_empty: bool,
    /// Whether the target was made or there.
    target: Reply,
}

/// What is at a spot before anything is done.
pub(super) enum Standing {
    /// Nothing.
    Empty,
    /// What is asked for.
    Settled(MountEntry),
    /// Half of what an earlier try of ours did.
    Leftover,
    /// Something that was there before us.
    Found(MountEntry),
}

impl Driver {
    /// Brings the spot to hold the volume. `choose` says what to mount, and refuses what cannot be; it is
    /// not asked where the volume is in place already.
    pub(super) fn place<'a>(
        &self,
        operation: &mut Operation,
        mut record: VolumeRecord,
        spot: &Spot<'_>,
        choose: impl FnOnce(&Operation, &mut VolumeRecord) -> Result<Content<'a>, DriverError>,
    ) -> Result<(), DriverError> {
        let found = match standing(record.placement(spot.path), spot)? {
            Standing::Settled(entry) if self.is_stale(spot, &entry) => {
                tracing::info!("mounting anew what its server no longer knows");
                self.unmount(operation, spot.path)?;
                None
            }
            Standing::Settled(_) => return Ok(()),
            Standing::Leftover => {
                tracing::info!("redoing a mount that was interrupted");
                self.unmount(operation, spot.path)?;
                None
            }
            Standing::Empty => None,
            Standing::Found(entry) => Some(entry),
        };
        let content = choose(operation, &mut record)?;
        let prepare = Request::PrepareTarget {
            target: spot.path.to_owned(),
            kind: spot.target_kind(),
        };
        let before = Before {
            was_empty: found.is_none(),
            target: operation.workers.call(prepare, operation.deadline)?,
        };
        let outcome = self.put_in_place(operation, &mut record, spot, &content, found);
        if outcome.is_err() {
            self.undo(operation, &mut record, spot, &before);
        }
        outcome
    }

    /// Whether a server has lost what is mounted there, as after a restore or a failover. One that does not
    /// answer has not: its clients go on when it comes back.
    fn is_stale(&self, spot: &Spot<'_>, entry: &MountEntry) -> bool {
        let until = Instant::now() + STALE_TIME;
        is_from_server(entry)
            && self
                .measuring
                .measure(spot.path, &entry.fs_type, until)
                .is_err_and(|fault| fault.kind == FaultKind::Stale)
    }

    /// Intent, act, proof, result: a crash between any two of them is understood later.
    fn put_in_place(
        &self,
        operation: &mut Operation,
        record: &mut VolumeRecord,
        spot: &Spot<'_>,
        content: &Content<'_>,
        found: Option<MountEntry>,
    ) -> Result<(), DriverError> {
        let progress = match found {
            Some(_) => Progress::Adopting,
            None => Progress::Intended,
        };
        self.journal.index(spot.path, &record.key())?;
        self.note(record, spot, content, progress, None)?;
        content.put(operation, spot, found)?;
        let entry = self.look_after(record, spot)?;
        self.note(record, spot, content, Progress::Done, Some(&entry))
    }

    /// Takes away whatever is mounted at a path and forgets it. Nothing there is success: kubelet calls
    /// `unmount` for directories on which nothing was ever mounted. `kind` is what the path is where the
    /// journal does not say.
    pub(super) fn unplace(
        &self,
        path: &Path,
        kind: TargetKind,
        emptied: Emptied,
    ) -> Result<(), DriverError> {
        // A path nobody noted may still hold a mount: of a driver we replace, or after the journal was lost.
        let key = self
            .journal
            .volume_at(path)
            .unwrap_or_else(|| VolumeKey(path.to_string_lossy().into_owned()));
        let mut operation = self.begin(&key)?;
        if is_mounted(path)? {
            self.unmount(&mut operation, path)?;
        }
        // A record that makes no sense must not keep a pod from ending; `forget` says so in the log.
        let record = self.journal.load(&key).ok().flatten();
        let noted = record.as_ref().and_then(|record| record.placement(path));
        let kind = noted.map_or(kind, |placement| match placement.use_as.is_block() {
            true => TargetKind::Device,
            false => TargetKind::Directory,
        });
        if emptied == Emptied::Removed {
            let target = path.to_owned();
            let remove = Request::RemoveTarget { target, kind };
            operation.workers.call(remove, operation.deadline)?;
        }
        if let Some(record) = record.filter(VolumeRecord::lasts_while_mounted) {
            self.release(&mut operation, record, path)?;
        }
        self.forget(&key, path);
        Ok(())
    }

    fn note(
        &self,
        record: &mut VolumeRecord,
        spot: &Spot<'_>,
        content: &Content<'_>,
        progress: Progress,
        entry: Option<&MountEntry>,
    ) -> Result<(), DriverError> {
        record.note(Placement {
            path: spot.path.to_owned(),
            role: spot.role,
            use_as: Use::of(spot.access, spot.kind),
            component: content.component().to_owned(),
            progress,
            shown_as: entry.map(shown).unwrap_or_default(),
        });
        Ok(self.journal.save(record)?)
    }

    /// A guest that says it is done has mounted something.
    fn look_after(
        &self,
        record: &VolumeRecord,
        spot: &Spot<'_>,
    ) -> Result<MountEntry, DriverError> {
        known(spot.path)?.ok_or_else(|| {
            DriverError::internal(format!(
                "guest {:?} said volume {:?} is in place, but nothing is mounted at {}",
                self.config.component,
                record.id().0,
                spot.path.display()
            ))
        })
    }

    /// After a failure: nothing of ours stays mounted, made or noted.
    fn undo(
        &self,
        operation: &mut Operation,
        record: &mut VolumeRecord,
        spot: &Spot<'_>,
        before: &Before,
    ) {
        if operation.workers.is_stuck() {
            // The mount may still happen. The journal says "intended", and whoever gets the lock after the
            // worker is gone takes it away first.
            return;
        }
        // What failed may have failed at the deadline.
        operation.deadline = operation.deadline.max(Instant::now() + UNDO_TIME);
        let still_mounted = before.was_empty && is_mounted(spot.path).unwrap_or(true);
        if still_mounted && let Err(error) = self.unmount(operation, spot.path) {
            // The journal still says "intended", so the next try takes it away first.
            tracing::warn!(%error, "a mount could not be undone");
            return;
        }
        if before.target == Reply::Created {
            let removed = operation.workers.call(
                Request::RemoveTarget {
                    target: spot.path.to_owned(),
                    kind: spot.target_kind(),
                },
                operation.deadline,
            );
            if let Err(error) = removed {
                tracing::warn!(%error, "the target could not be removed again");
            }
        }
        record.forget(spot.path);
        self.clean_journal(record, spot.path);
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
            Err(fault) if fault.kind == FaultKind::Busy => Err(DriverError::new(
                Condition::FailedPrecondition,
                format!("{}; a process still uses it", fault.message),
            )),
            Err(fault) => Err(fault.into()),
        }
    }

    /// The mount is gone; a note that stays behind only costs a look later, so trouble here is not the
    /// caller's.
    pub(super) fn forget(&self, key: &VolumeKey, path: &Path) {
        // Also where there is no record: its first writing may have been cut off.
        let nothing = || VolumeRecord::new(key, &VolumeId(String::new()), &Parameters::default());
        match self.journal.load(key) {
            Ok(record) => {
                let mut record = record.unwrap_or_else(nothing);
                record.forget(path);
                self.clean_journal(&record, path);
            }
            Err(error) => log_unclean(Err(error)),
        }
    }

    /// Each by itself: on a full disk a shorter record cannot be written, but a path can be removed.
    fn clean_journal(&self, record: &VolumeRecord, path: &Path) {
        log_unclean(self.journal.save(record));
        log_unclean(self.journal.unindex(path));
    }
}

fn log_unclean(cleaned: Result<(), JournalError>) {
    if let Err(error) = cleaned {
        tracing::warn!(error = %DriverError::from(error).chain(), "the journal could not be cleaned");
    }
}

pub(super) fn standing(
    noted: Option<&Placement>,
    spot: &Spot<'_>,
) -> Result<Standing, DriverError> {
    match judged(noted, spot, known(spot.path)?)? {
        // What is taken over is looked at closely, also whether it can be written to.
        Standing::Found(_) => judged(noted, spot, look(spot.path)?),
        standing @ (Standing::Empty | Standing::Settled(_) | Standing::Leftover) => Ok(standing),
    }
}

fn judged(
    noted: Option<&Placement>,
    spot: &Spot<'_>,
    found: Option<MountEntry>,
) -> Result<Standing, DriverError> {
    let Some(entry) = found else {
        return Ok(Standing::Empty);
    };
    let Some(noted) = noted else {
        return Ok(Standing::Found(entry));
    };
    match noted.progress {
        Progress::Intended => Ok(Standing::Leftover),
        Progress::Adopting => Ok(Standing::Found(entry)),
        // Ours is gone, and somebody mounted something else since.
        Progress::Done if noted.shown_as != shown(&entry) => Ok(Standing::Found(entry)),
        Progress::Done if noted.use_as == Use::of(spot.access, spot.kind) => {
            Ok(Standing::Settled(entry))
        }
        Progress::Done => Err(DriverError::already_exists(format!(
            "the volume is mounted at {} with another access mode or type; unmount it first",
            spot.path.display()
        ))),
    }
}

/// Whether somebody else keeps what is mounted: `server:/path`, as the kernel writes such sources.
pub(super) fn is_from_server(entry: &MountEntry) -> bool {
    entry.source.contains(':')
}

/// What tells one mount from another in the kernel's table.
pub(super) fn shown(entry: &MountEntry) -> String {
    format!(
        "{} {} {}",
        entry.fs_type,
        entry.source,
        entry.root.display()
    )
}

/// While a volume is mounted somewhere, its parameters cannot change under it.
pub(super) fn refuse_changed_context(
    record: &VolumeRecord,
    context: &Parameters,
) -> Result<(), DriverError> {
    let in_use = record.placements.iter().find(|placement| {
        placement.progress == Progress::Done && is_mounted(&placement.path).unwrap_or(true)
    });
    match in_use {
        Some(placement) if !record.context().same_as(context) => {
            Err(DriverError::already_exists(format!(
                "volume {:?} is mounted at {} with other parameters; unmount it first",
                record.id().0,
                placement.path.display()
            )))
        }
        _ => Ok(()),
    }
}

pub(super) fn is_mounted(path: &Path) -> Result<bool, DriverError> {
    told(path, is_mount_point)
}

/// As [`look`], but whether it can be written to may be out of date.
pub(super) fn known(path: &Path) -> Result<Option<MountEntry>, DriverError> {
    told(path, known_mount_at)
}

pub(super) fn look(path: &Path) -> Result<Option<MountEntry>, DriverError> {
    told(path, mount_at)
}

/// What is mounted there, by whoever knows; nothing is the default.
fn told<T: Default>(path: &Path, by: fn(&Path) -> std::io::Result<T>) -> Result<T, DriverError> {
    match by(path) {
        Ok(told) => Ok(told),
        // No parent, no mount; making the target will say more.
        Err(error)
            if matches!(
                error.kind(),
                std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory
            ) =>
        {
            Ok(T::default())
        }
        Err(error) => Err(DriverError::internal(format!(
            "cannot tell what is mounted at {}",
            path.display()
        ))
        .caused_by(error)),
    }
}
