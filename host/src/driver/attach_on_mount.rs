//! Volumes that are attached because a pod mounts them: for callers that mount and unmount and nothing else.
//!
//! The first pod's mount attaches the volume to this node, stages it in a directory of ours and binds that;
//! the last pod's unmount undoes all three. Where a pod's directory belongs to is noted before anything is
//! attached: whoever dies in between, `unmount` of that directory finds its way to the attachment. After a
//! reboot mounts and staging are gone and the journal is not; the same two calls put it right.

use std::path::{Path, PathBuf};
use std::time::Instant;

use super::mount_rules::{occupied, used_otherwise};
use super::mount_source::MountSource;
use super::mount_spec::MountSpec;
use super::mount_state::{MountState, mount_state};
use super::mount_table::{is_mounted, is_still_mounted};
use super::operation::Operation;
use super::request::{AttachVolume, PublishVolume};
use super::session::Session;
use super::staging_access::is_sound;
use super::unmount::UNDO_TIME;
use crate::error::{Condition, DriverError};
use crate::journal::{
    Lifetime, MountRecord, Progress, Role, Use, VolumeRecord, content_stem, file_stem,
};
use crate::sys;
use crate::volume::{NodeId, Parameters, VolumeKey};
use crate::worker::{Request, WorkerClient};

impl Session {
    /// The key of a volume that is attached on mount. Pods may name volumes of their own alike, and kubelet
    /// then means two; what they say about them tells them apart.
    pub fn key_by_content(name: &str, context: &Parameters) -> VolumeKey {
        let digest = content_stem(context);
        VolumeKey(format!("{name}#{}", &digest[..16]))
    }

    /// Mounts a volume for one pod, attaching and staging it first where no other pod has it. Safe to
    /// repeat. [`Self::unpublish_volume`] undoes it.
    ///
    /// # Errors
    /// As for attaching, staging and publishing. Nothing is left then, unless the condition is
    /// `in-progress`: the retry goes on from there.
    pub fn attach_and_publish_volume(&self, request: &PublishVolume) -> Result<(), DriverError> {
        let mut operation = self.begin(&request.volume.key)?;
        let mut record = self.record(&request.volume)?;
        let spec = MountSpec::of_target(request);
        match mount_state(record.mount_at(spec.path), &spec)? {
            MountState::Mounted(entry) => {
                let stale = self.stale_mount(&record, &spec, &entry);
                return stale.map_or(Ok(()), |stale| Err(stale.refusal(&spec, spec.path)));
            }
            MountState::Foreign(entry) => return Err(occupied(&spec, &entry)),
            MountState::OtherUse(_) => return Err(used_otherwise(&spec)),
            MountState::NotMounted | MountState::Interrupted => {}
        }
        let staged = self.usable_staging(&mut operation, &mut record, &spec)?;
        let outcome = self.stage_and_bind(&mut operation, record, staged, request, &spec);
        if let Err(error) = &outcome
            && error.condition() != Condition::InProgress
        {
            self.roll_back_attach(&mut operation, request);
        }
        outcome
    }

    fn stage_and_bind(
        &self,
        operation: &mut Operation,
        mut record: VolumeRecord,
        staged: Option<MountRecord>,
        request: &PublishVolume,
        spec: &MountSpec<'_>,
    ) -> Result<(), DriverError> {
        let staging = match staged {
            Some(staging) => staging,
            None => {
                let node = self.this_node(operation)?;
                self.note_target(&mut record, spec)?;
                self.attach_and_stage(operation, record, node, request)?
            }
        };
        let record = self.record(&request.volume)?;
        self.mount(operation, record, spec, |_, _| {
            Ok(MountSource::Staging {
                path: staging.path,
                component: staging.component,
            })
        })
    }

    /// The staging that another pod's mount made, if it is still there. It serves this pod too, or this pod
    /// cannot have the volume now.
    fn usable_staging(
        &self,
        operation: &mut Operation,
        record: &mut VolumeRecord,
        spec: &MountSpec<'_>,
    ) -> Result<Option<MountRecord>, DriverError> {
        let staging = record
            .staging()
            .filter(|mount| mount.progress == Progress::Done)
            .cloned();
        let Some(staging) = staging else {
            return Ok(None);
        };
        if !is_sound(&staging)? {
            return Ok(None);
        }
        let wanted = Use::of(spec.access, spec.kind);
        if !staging.use_as.serves(&wanted) && !staging.use_as.differs_in_access(&wanted) {
            return Err(DriverError::already_exists(
                "another pod of this node has the volume with another type or other options",
            ));
        }
        let serves =
            self.serves_or_is_unmounted(operation, record, &staging, (spec.access, spec.kind))?;
        Ok(serves.then_some(staging))
    }

    /// From the pod's directory to the volume, before there is anything to find. The record itself is
    /// written together with the attachment's intent.
    fn note_target(
        &self,
        record: &mut VolumeRecord,
        spec: &MountSpec<'_>,
    ) -> Result<(), DriverError> {
        self.shared.journal.index(spec.path, &record.key())?;
        record.set_mount(MountRecord {
            path: spec.path.to_owned(),
            role: Role::Target,
            use_as: Use::of(spec.access, spec.kind),
            component: String::new(),
            progress: Progress::Intended,
            shown_as: String::new(),
            disk: None,
            takes_writes: None,
        });
        Ok(())
    }

    fn attach_and_stage(
        &self,
        operation: &mut Operation,
        mut record: VolumeRecord,
        node: NodeId,
        request: &PublishVolume,
    ) -> Result<MountRecord, DriverError> {
        let attach = AttachVolume {
            volume: request.volume.clone(),
            node,
            kind: None,
            access: request.access,
        };
        let publish_context =
            self.attach_locked(operation, &mut record, &attach, Lifetime::WhileMounted)?;
        let path = self.make_private_staging(&record.key())?;
        let spec = MountSpec {
            path: &path,
            role: Role::Staging,
            access: request.access,
            kind: &request.kind,
        };
        self.mount(operation, record, &spec, |operation, record| {
            let guest = self.node_guest(operation)?;
            self.source_of(guest, record, &request.volume, publish_context)
        })?;
        let record = self.record(&request.volume)?;
        record.mount_at(&path).cloned().ok_or_else(|| {
            DriverError::internal("the journal has no record of the staging that was just made")
        })
    }

    /// A directory that only we know.
    fn private_staging(&self, key: &VolumeKey) -> PathBuf {
        let parent = self.shared.paths.staging().join(&self.config().name.0);
        parent.join(file_stem(key.0.as_bytes()))
    }

    /// The same, with its parents there.
    fn make_private_staging(&self, key: &VolumeKey) -> Result<PathBuf, DriverError> {
        let path = self.private_staging(key);
        let parent = path.parent().unwrap_or(&path);
        sys::create_root_only_directory(parent).map_err(|error| {
            DriverError::unavailable(format!("cannot create {}", parent.display())).caused_by(error)
        })?;
        Ok(path)
    }

    /// After a failure: kubelet forgets a mount that failed, and nobody would ever unmount it.
    fn roll_back_attach(&self, operation: &mut Operation, request: &PublishVolume) {
        if operation.workers.is_stuck() {
            // The mount may still happen; the journal leads `unmount` and the next `mount` to it.
            return;
        }
        operation.deadline = operation.deadline.max(Instant::now() + UNDO_TIME);
        let target = request.target.as_path();
        let released = match self.shared.journal.load(&request.volume.key) {
            Ok(Some(record)) => self.release_from_node(operation, record, target),
            Ok(None) => Ok(()),
            Err(error) => Err(error.into()),
        };
        match released {
            Ok(()) => self.forget(&request.volume.key, target),
            Err(error) => {
                tracing::warn!(
                    error = error.chain(),
                    "what was attached for a mount that failed could not be detached"
                );
            }
        }
    }

    /// Unstages and detaches the volume if no pod but the one that leaves has it. The note of the one that
    /// leaves stays until the caller removes it: until then a retry comes here again.
    pub(super) fn release_from_node(
        &self,
        operation: &mut Operation,
        mut record: VolumeRecord,
        leaving: &Path,
    ) -> Result<(), DriverError> {
        let is_used = |mount: &MountRecord| {
            mount.role == Role::Target && mount.path != leaving && is_still_mounted(mount)
        };
        if record.mounts.iter().any(is_used) {
            return Ok(());
        }
        if let Some(staging) = record.staging().cloned() {
            self.unmount_staging(operation, &staging)?;
        }
        for made in record.attachments.clone() {
            let node = NodeId(made.node);
            self.detach_locked(operation, &record, &node)?;
            record.forget_attachment(&node);
        }
        // What else is noted went with a reboot.
        let gone: Vec<PathBuf> = record
            .mounts
            .iter()
            .map(|mount| mount.path.clone())
            .filter(|path| path != leaving)
            .collect();
        for path in gone {
            record.forget(&path);
            self.shared.journal.unindex(&path)?;
        }
        // Indexed before the record names it: a kill in between left the one without the other.
        self.shared
            .journal
            .unindex(&self.private_staging(&record.key()))?;
        Ok(self.shared.journal.save(&record)?)
    }

    fn unmount_staging(
        &self,
        operation: &mut Operation,
        staging: &MountRecord,
    ) -> Result<(), DriverError> {
        if is_mounted(&staging.path)? {
            self.unmount(operation, &staging.path)?;
        }
        let remove = Request::RemoveTarget {
            target: staging.path.clone(),
        };
        operation.workers.call(remove, operation.deadline)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(name: &str, pairs: &[(&str, &str)]) -> VolumeKey {
        let owned = |(key, value): &(&str, &str)| ((*key).to_owned(), (*value).to_owned());
        Session::key_by_content(name, &Parameters::new(pairs.iter().map(owned).collect()))
    }

    #[test]
    fn one_volume_has_one_key_however_it_is_spelled() {
        assert_eq!(
            key("data", &[("VolumeId", "d-1"), ("pool", "a")]),
            key("data", &[("POOL", "a"), ("volumeid", "d-1")])
        );
    }

    #[test]
    fn volumes_of_one_name_that_say_different_things_are_two() {
        let keys = [
            key("data", &[]),
            key("data", &[("volumeId", "d-1")]),
            key("data", &[("volumeId", "d-2")]),
            key("data", &[("a", "b\0c=d")]),
            key("data", &[("a", "b"), ("c", "d")]),
            key("logs", &[("volumeId", "d-1")]),
        ];
        for (index, key) in keys.iter().enumerate() {
            assert_eq!(keys.iter().position(|other| other == key), Some(index));
        }
    }
}
