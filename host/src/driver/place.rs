//! Putting a volume at a path, and taking it away again.
//!
//! kubelet repeats calls, restarts in between, and may be killed anywhere; so may we. What is really
//! mounted decides, the journal explains it: a mount we had only intended is a leftover and is redone; one
//! that was there before us is taken over if it is the same, and named if it is not.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::content::Content;
use super::defect::Defect;
use super::parameters::PROVISIONER_IDENTITY;
use super::{Driver, Emptied, Operation};
use crate::error::DriverError;
use crate::journal::{JournalError, Placement, Progress, Role, Use, VolumeRecord};
use crate::sys::{
    MountEntry, cached_mount_at, disk_beneath, is_mount_point, mount_at, mount_points_beneath,
    takes_writes,
};
use crate::volume::{Access, AccessType, Parameters, VolumeId, VolumeKey};
use crate::worker::{Fault, FaultKind, MountFlags, Reply, Request, TargetKind, WorkerClient};

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
    /// Earlier, and that is what the journal goes on saying.
    was_in_place: bool,
    /// Whether the target was made or there.
    target: Reply,
}

/// What is at a spot before anything is done.
pub(super) enum Standing {
    /// Nothing.
    Empty,
    /// What is asked for.
    Settled(MountEntry),
    /// A staging of ours that is used otherwise than is asked for.
    Otherwise(MountEntry),
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
        record: VolumeRecord,
        spot: &Spot<'_>,
        choose: impl FnOnce(&Operation, &mut VolumeRecord) -> Result<Content<'a>, DriverError>,
    ) -> Result<(), DriverError> {
        let standing = standing(record.placement(spot.path), spot)?;
        self.place_on(operation, record, (spot, standing), choose)
    }

    /// The same for whoever has looked already.
    pub(super) fn place_on<'a>(
        &self,
        operation: &mut Operation,
        mut record: VolumeRecord,
        (spot, standing): (&Spot<'_>, Standing),
        choose: impl FnOnce(&Operation, &mut VolumeRecord) -> Result<Content<'a>, DriverError>,
    ) -> Result<(), DriverError> {
        let found = match standing {
            Standing::Settled(entry) => {
                let Some(defect) = self.defect(&record, spot, &entry) else {
                    return Ok(());
                };
                self.take_away(operation, &mut record, spot, (&defect, &entry))?;
                None
            }
            Standing::Otherwise(entry) => {
                let defect = self.defect(&record, spot, &entry);
                let defect = defect.ok_or_else(|| used_otherwise(spot))?;
                self.take_away(operation, &mut record, spot, (&defect, &entry))?;
                None
            }
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
            was_in_place: was_in_place(&record, spot.path),
            target: operation.workers.call(prepare, operation.deadline)?,
        };
        let outcome = self.put_in_place(operation, &mut record, spot, &content, found);
        if outcome.is_err() {
            self.undo(operation, &mut record, spot, &before);
        }
        outcome
    }

    /// What is wrong with what is settled there. A server that does not answer has not lost it: its clients go on
    /// when it comes back.
    pub(super) fn defect(
        &self,
        record: &VolumeRecord,
        spot: &Spot<'_>,
        entry: &MountEntry,
    ) -> Option<Defect> {
        if !is_from_server(entry) {
            return Defect::of(record.placement(spot.path)?, entry);
        }
        let until = Instant::now() + STALE_TIME;
        let measured = self.measuring.measure(spot.path, &entry.fs_type, until);
        let is_stale = measured.is_err_and(|fault| fault.kind == FaultKind::Stale);
        is_stale.then_some(Defect::Forgotten)
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
    /// `unmount` for directories on which nothing was ever mounted.
    pub(super) fn unplace(&self, path: &Path, emptied: Emptied) -> Result<(), DriverError> {
        // A path nobody noted may still hold a mount: of a driver we replace, or after the journal was lost.
        let key = self
            .journal
            .volume_at(path)
            .unwrap_or_else(|| VolumeKey(path.to_string_lossy().into_owned()));
        let mut operation = self.begin(&key)?;
        if is_mounted(path)? {
            self.unmount(&mut operation, path)?;
        }
        if emptied == Emptied::Removed {
            let target = path.to_owned();
            let remove = Request::RemoveTarget { target };
            operation.workers.call(remove, operation.deadline)?;
        }
        // A record that makes no sense must not keep a pod from ending; `forget` says so in the log.
        let record = self.journal.load(&key).ok().flatten();
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
        let before = record.placement(spot.path);
        let shown_before = before.map(|placement| placement.shown_as.clone());
        record.note(Placement {
            path: spot.path.to_owned(),
            role: spot.role,
            use_as: Use::of(spot.access, spot.kind),
            component: content.component().to_owned(),
            progress,
            shown_as: entry.map(shown).or(shown_before).unwrap_or_default(),
            // One that cannot be told is not noted, and so not missed later.
            disk: entry.and_then(|entry| disk_beneath(spot.path, entry).ok().flatten()),
            takes_writes: entry.map(|entry| !entry.read_only),
        });
        Ok(self.journal.save(record)?)
    }

    /// A guest that says it is done has mounted something, and it can be used.
    fn look_after(
        &self,
        record: &VolumeRecord,
        spot: &Spot<'_>,
    ) -> Result<MountEntry, DriverError> {
        let entry = known(spot.path)?.ok_or_else(|| {
            DriverError::internal(format!(
                "guest {:?} said volume {:?} is in place, but nothing is mounted at {}",
                self.config.component,
                record.id().0,
                spot.path.display()
            ))
        })?;
        match spot.access {
            Access::ReadOnly => {}
            Access::ReadWrite => refuse_given_up(spot, &entry)?,
        }
        Ok(entry)
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
                },
                operation.deadline,
            );
            if let Err(error) = removed {
                tracing::warn!(%error, "the target could not be removed again");
            }
        }
        // Who was told that it is staged comes to publish it, and not to stage it once more.
        if spot.role == Role::Staging && before.was_in_place {
            return;
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
            Err(fault) if fault.kind == FaultKind::Busy => Err(busy(path, &fault)),
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

    /// Forgets stagings at other paths that hold nothing any more, as after a reboot, where a caller now stages
    /// elsewhere: a volume is published from the first that is noted.
    pub(super) fn forget_stagings_elsewhere(&self, record: &mut VolumeRecord, path: &Path) {
        let is_gone = |noted: &&Placement| {
            noted.role == Role::Staging && noted.path != path && !still_holds(noted)
        };
        let gone = record.placements.iter().filter(is_gone);
        let gone: Vec<PathBuf> = gone.map(|noted| noted.path.clone()).collect();
        for path in gone {
            tracing::info!(path = %path.display(), "the volume is no longer staged there, and is staged elsewhere");
            record.forget(&path);
            // The path may be another volume's by now.
            if self.journal.volume_at(&path) == Some(record.key()) {
                log_unclean(self.journal.unindex(&path));
            }
            log_unclean(self.journal.save(record));
        }
    }

    /// Each by itself: on a full disk a shorter record cannot be written, but a path can be removed.
    fn clean_journal(&self, record: &VolumeRecord, path: &Path) {
        log_unclean(self.journal.save(record));
        log_unclean(self.journal.unindex(path));
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

/// What was in place once stays noted where it cannot be put there again.
fn was_in_place(record: &VolumeRecord, path: &Path) -> bool {
    let noted = record.placement(path);
    noted.is_some_and(|placement| !placement.shown_as.is_empty())
}

pub(super) fn standing(
    noted: Option<&Placement>,
    spot: &Spot<'_>,
) -> Result<Standing, DriverError> {
    match judged(noted, spot, known(spot.path)?)? {
        // What is taken over is looked at closely, also whether it can be written to.
        Standing::Found(_) => judged(noted, spot, look(spot.path)?),
        standing @ (Standing::Empty
        | Standing::Settled(_)
        | Standing::Otherwise(_)
        | Standing::Leftover) => Ok(standing),
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
        Progress::Done if !is_as_noted(noted, &entry) => Ok(Standing::Found(entry)),
        Progress::Done if noted.use_as == Use::of(spot.access, spot.kind) => {
            Ok(Standing::Settled(entry))
        }
        // Where it is dead, it is put there anew as it is asked for now.
        Progress::Done if spot.role == Role::Staging => Ok(Standing::Otherwise(entry)),
        Progress::Done => Err(used_otherwise(spot)),
    }
}

pub(super) fn used_otherwise(spot: &Spot<'_>) -> DriverError {
    DriverError::already_exists(format!(
        "the volume is mounted at {} with another access mode or type; unmount it first",
        spot.path.display()
    ))
}

/// The kernel keeps a filesystem that it gave up until its last mount is gone: whoever mounts it once more meanwhile
/// gets the same one. What a guest mounted read-only was never meant to be written to.
fn refuse_given_up(spot: &Spot<'_>, entry: &MountEntry) -> Result<(), DriverError> {
    if entry.read_only {
        return Ok(());
    }
    let takes_writes = takes_writes(spot.path, &entry.fs_type, &entry.device);
    match takes_writes {
        Ok(true) => Ok(()),
        Ok(false) | Err(_) => Err(DriverError::failed_precondition(format!(
            "cannot use the {} filesystem of {} at {}: the kernel lets nobody write to it after an error, and it is mounted elsewhere on this node; unpublish and unstage it everywhere (delete its pods), then staging checks it and mounts it anew",
            entry.fs_type,
            entry.source,
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
    let root = entry.root.to_string_lossy();
    // The kernel removes a device's node with the device, and it stays bound: whether the disk is still there is
    // asked by its number.
    let root = match entry.fs_type.as_str() {
        "devtmpfs" => root.trim_end_matches("//deleted"),
        _ => &root,
    };
    format!("{} {} {root}", entry.fs_type, entry.source)
}

/// While a volume is mounted somewhere, its parameters cannot change under it. Who made it is none of them: an older
/// version did not note that, and its notes outlive it.
pub(super) fn refuse_changed_context(
    record: &VolumeRecord,
    context: &Parameters,
) -> Result<(), DriverError> {
    let in_use = record
        .placements
        .iter()
        .find(|placement| placement.progress == Progress::Done && still_holds(placement));
    match in_use {
        Some(placement) if !says_the_same(&record.context(), context) => {
            Err(DriverError::already_exists(format!(
                "volume {:?} is mounted at {} with other parameters; unmount it first",
                record.id().0,
                placement.path.display()
            )))
        }
        _ => Ok(()),
    }
}

fn says_the_same(noted: &Parameters, given: &Parameters) -> bool {
    let noted = noted.without(PROVISIONER_IDENTITY);
    noted.same_as(&given.without(PROVISIONER_IDENTITY))
}

/// Whether the kernel's table shows there what it showed when that was put there.
pub(super) fn is_as_noted(noted: &Placement, entry: &MountEntry) -> bool {
    noted.shown_as == shown(entry)
}

/// Whether what was put there is there still; what cannot be told counts as there.
pub(super) fn still_holds(placement: &Placement) -> bool {
    match known(&placement.path) {
        Ok(None) => false,
        Ok(Some(entry)) => placement.progress != Progress::Done || is_as_noted(placement, &entry),
        Err(_) => true,
    }
}

pub(super) fn is_mounted(path: &Path) -> Result<bool, DriverError> {
    told(path, is_mount_point)
}

/// As [`look`], but whether it can be written to may be out of date.
pub(super) fn known(path: &Path) -> Result<Option<MountEntry>, DriverError> {
    told(path, cached_mount_at)
}

/// What is mounted beneath a path, not at it.
pub(super) fn beneath(path: &Path) -> Result<Option<PathBuf>, DriverError> {
    let points = or_nothing(path, mount_points_beneath(path))?;
    Ok(points.and_then(|points| points.into_iter().next()))
}

pub(super) fn look(path: &Path) -> Result<Option<MountEntry>, DriverError> {
    told(path, mount_at)
}

/// What is mounted there, by whoever knows; nothing is the default.
fn told<T: Default>(path: &Path, by: fn(&Path) -> std::io::Result<T>) -> Result<T, DriverError> {
    Ok(or_nothing(path, by(path))?.unwrap_or_default())
}

/// No parent, no mount; making the target will say more.
fn or_nothing<T>(path: &Path, told: std::io::Result<T>) -> Result<Option<T>, DriverError> {
    use std::io::ErrorKind::{NotADirectory, NotFound};
    match told {
        Ok(told) => Ok(Some(told)),
        Err(error) if matches!(error.kind(), NotFound | NotADirectory) => Ok(None),
        Err(error) => Err(DriverError::internal(format!(
            "cannot tell what is mounted at {}",
            path.display()
        ))
        .caused_by(error)),
    }
}

#[cfg(test)]
mod tests {
    use std::slice;

    use super::*;

    #[test]
    fn the_node_of_a_disk_that_is_gone_shows_as_the_same_mount_and_a_removed_directory_does_not() {
        let entry = |fs_type: &str, root: &str| MountEntry {
            fs_type: fs_type.into(),
            source: "x".into(),
            root: root.into(),
            device: "0:5".into(),
            read_only: false,
        };
        let shown = |fs_type: &str, root: &str| shown(&entry(fs_type, root));
        assert_eq!(
            shown("devtmpfs", "/vdb//deleted"),
            shown("devtmpfs", "/vdb")
        );
        assert_ne!(shown("devtmpfs", "/vdc"), shown("devtmpfs", "/vdb"));
        assert_ne!(shown("ext4", "/pool/a//deleted"), shown("ext4", "/pool/a"));
    }

    /// A record of a volume that is mounted.
    fn in_use(context: &Parameters) -> VolumeRecord {
        let path = PathBuf::from("/proc");
        let entry = look(&path).expect("readable").expect("mounted");
        let id = VolumeId("d-1".into());
        let mut record = VolumeRecord::new(&VolumeKey(id.0.clone()), &id, context);
        record.note(Placement {
            path,
            role: Role::Staging,
            use_as: Use::of(Access::ReadWrite, &AccessType::Block),
            component: String::new(),
            progress: Progress::Done,
            shown_as: shown(&entry),
            disk: None,
            takes_writes: None,
        });
        record
    }

    #[test]
    fn who_made_a_volume_is_none_of_the_parameters_that_cannot_change_while_it_is_mounted() {
        let pair = |key: &str, value: &str| (key.to_owned(), value.to_owned());
        let context = |pairs: &[(String, String)]| Parameters::new(pairs.to_vec());
        let (path, made_by) = (pair("path", "/a"), pair(PROVISIONER_IDENTITY, "1-2-nfs"));
        let old = context(slice::from_ref(&path));
        let new = context(&[made_by.clone(), path]);
        let changed = context(&[made_by, pair("path", "/b")]);
        for noted in [&old, &new] {
            let record = in_use(noted);
            for same in [&old, &new] {
                refuse_changed_context(&record, same).expect("the same volume");
            }
            refuse_changed_context(&record, &changed).expect_err("another directory");
            refuse_changed_context(&record, &context(&[])).expect_err("none");
        }
    }
}
