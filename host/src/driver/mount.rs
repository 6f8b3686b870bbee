//! Mounting a volume at a path: intent, mount(2) by a worker, proof, result.
//!
//! kubelet repeats calls, restarts in between, and may be killed anywhere; so may we. What is really
//! mounted decides, the journal explains it: a mount we had only intended is a leftover and is redone; one
//! that was there before us is taken over if it is the same, and named if it is not.

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use super::mount_rules::{refuse_read_only_after_error, used_otherwise};
use super::mount_source::MountSource;
use super::mount_spec::MountSpec;
use super::mount_state::{MountState, mount_state};
use super::mount_table::{cached_mount, identity, is_mounted};
use super::operation::Operation;
use super::session::Session;
use super::unmount::UNDO_TIME;
use crate::error::DriverError;
use crate::journal::{MountRecord, Progress, Role, Use, VolumeRecord};
use crate::sys::{MountEntry, disk_beneath};
use crate::volume::Access;
use crate::worker::{Reply, Request, WorkerClient};

/// What has to be so again after a failure.
struct Before {
    was_empty: bool,
    /// Earlier, and that is what the journal goes on saying.
    was_mounted: bool,
    /// Whether the target was made or there.
    target: Reply,
}

impl Session {
    /// Mounts the volume as the spec says. `choose` says what to mount, and refuses what cannot be; it is
    /// not asked where the volume is mounted already.
    pub(super) fn mount<'a>(
        &self,
        operation: &mut Operation,
        record: VolumeRecord,
        spec: &MountSpec<'_>,
        choose: impl FnOnce(&Operation, &mut VolumeRecord) -> Result<MountSource<'a>, DriverError>,
    ) -> Result<(), DriverError> {
        let state = mount_state(record.mount_at(spec.path), spec)?;
        self.mount_in_state(operation, record, (spec, state), choose)
    }

    /// The same for whoever has looked already.
    pub(super) fn mount_in_state<'a>(
        &self,
        operation: &mut Operation,
        mut record: VolumeRecord,
        (spec, state): (&MountSpec<'_>, MountState),
        choose: impl FnOnce(&Operation, &mut VolumeRecord) -> Result<MountSource<'a>, DriverError>,
    ) -> Result<(), DriverError> {
        let found = match state {
            MountState::Mounted(entry) => {
                let Some(stale) = self.stale_mount(&record, spec, &entry) else {
                    return Ok(());
                };
                self.unmount_stale(operation, &mut record, spec, (&stale, &entry))?;
                None
            }
            MountState::OtherUse(entry) => {
                let stale = self.stale_mount(&record, spec, &entry);
                let stale = stale.ok_or_else(|| used_otherwise(spec))?;
                self.unmount_stale(operation, &mut record, spec, (&stale, &entry))?;
                None
            }
            MountState::Interrupted => {
                tracing::info!("redoing a mount that was interrupted");
                self.unmount(operation, spec.path)?;
                None
            }
            MountState::NotMounted => None,
            MountState::Foreign(entry) => Some(entry),
        };
        let source = choose(operation, &mut record)?;
        let prepare = Request::PrepareTarget {
            target: spec.path.to_owned(),
            kind: spec.target_kind(),
        };
        let before = Before {
            was_empty: found.is_none(),
            was_mounted: was_mounted(&record, spec.path),
            target: operation.workers.call(prepare, operation.deadline)?,
        };
        let outcome = self.mount_and_record(operation, &mut record, spec, &source, found);
        if outcome.is_err() {
            self.roll_back_mount(operation, &mut record, spec, &before);
        }
        outcome
    }

    /// Intent, act, proof, result: a crash between any two of them is understood later.
    fn mount_and_record(
        &self,
        operation: &mut Operation,
        record: &mut VolumeRecord,
        spec: &MountSpec<'_>,
        source: &MountSource<'_>,
        found: Option<Arc<MountEntry>>,
    ) -> Result<(), DriverError> {
        let progress = match found {
            Some(_) => Progress::Adopting,
            None => Progress::Intended,
        };
        self.shared.journal.index(spec.path, &record.key())?;
        self.record_mount(record, spec, source, progress, None)?;
        source.mount(operation, spec, found)?;
        let entry = self.verify_mounted(record, spec, source)?;
        self.record_mount(record, spec, source, Progress::Done, Some(&entry))
    }

    fn record_mount(
        &self,
        record: &mut VolumeRecord,
        spec: &MountSpec<'_>,
        source: &MountSource<'_>,
        progress: Progress,
        entry: Option<&MountEntry>,
    ) -> Result<(), DriverError> {
        let before = record.mount_at(spec.path);
        let shown_before = before.map(|mount| mount.shown_as.clone());
        record.set_mount(MountRecord {
            path: spec.path.to_owned(),
            role: spec.role,
            use_as: Use::of(spec.access, spec.kind),
            component: source.component().to_owned(),
            progress,
            shown_as: entry.map(identity).or(shown_before).unwrap_or_default(),
            // One that cannot be told is not noted, and so not missed later.
            disk: entry.and_then(|entry| disk_beneath(spec.path, entry).ok().flatten()),
            takes_writes: entry.map(|entry| !entry.read_only),
        });
        Ok(self.shared.journal.save(record)?)
    }

    /// A guest that says it is done has mounted something, and it can be used.
    fn verify_mounted(
        &self,
        record: &VolumeRecord,
        spec: &MountSpec<'_>,
        source: &MountSource<'_>,
    ) -> Result<Arc<MountEntry>, DriverError> {
        let entry = cached_mount(spec.path)?.ok_or_else(|| {
            source.count_wrong_answer();
            DriverError::internal(format!(
                "guest {:?} said that volume {:?} is mounted, but nothing is mounted at {}",
                self.config().component,
                record.id().0,
                spec.path.display()
            ))
            .from_guest()
        })?;
        match spec.access {
            Access::ReadOnly => {}
            Access::ReadWrite => refuse_read_only_after_error(spec, &entry)?,
        }
        Ok(entry)
    }

    /// After a failure: nothing of ours stays mounted, made or noted.
    fn roll_back_mount(
        &self,
        operation: &mut Operation,
        record: &mut VolumeRecord,
        spec: &MountSpec<'_>,
        before: &Before,
    ) {
        if operation.workers.is_stuck() {
            // The mount may still happen. The journal says "intended", and whoever gets the lock after the
            // worker is gone unmounts it first.
            return;
        }
        // What failed may have failed at the deadline.
        operation.deadline = operation.deadline.max(Instant::now() + UNDO_TIME);
        let still_mounted = before.was_empty && is_mounted(spec.path).unwrap_or(true);
        if still_mounted && let Err(error) = self.unmount(operation, spec.path) {
            // The journal still says "intended", so the next try unmounts it first.
            tracing::warn!(%error, "a mount could not be undone");
            return;
        }
        if before.target == Reply::Created {
            let removed = operation.workers.call(
                Request::RemoveTarget {
                    target: spec.path.to_owned(),
                },
                operation.deadline,
            );
            if let Err(error) = removed {
                tracing::warn!(%error, "the target could not be removed again");
            }
        }
        // Who was told that it is staged comes to publish it, and not to stage it once more.
        if spec.role == Role::Staging && before.was_mounted {
            return;
        }
        record.forget(spec.path);
        self.clean_journal(record, spec.path);
    }
}

/// What was mounted once stays noted where it cannot be mounted again.
fn was_mounted(record: &VolumeRecord, path: &Path) -> bool {
    let noted = record.mount_at(path);
    noted.is_some_and(|mount| !mount.shown_as.is_empty())
}
