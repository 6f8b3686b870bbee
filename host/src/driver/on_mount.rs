//! Volumes that are attached because a pod mounts them: for callers that mount and unmount and nothing else.
//!
//! The first pod's mount attaches the volume to this node, stages it in a directory of ours and binds that;
//! the last pod's unmount undoes all three. Where a pod's directory belongs to is noted before anything is
//! attached: whoever dies in between, `unmount` of that directory finds its way to the attachment. After a
//! reboot mounts and staging are gone and the journal is not; the same two calls put it right.

use std::path::{Path, PathBuf};
use std::time::Instant;

use super::access::is_in_place;
use super::content::{Content, occupied};
use super::place::{Spot, Standing, UNDO_TIME, is_mounted, standing, still_holds, used_otherwise};
use super::{AttachVolume, Driver, Operation, PublishVolume};
use crate::error::{Condition, DriverError};
use crate::journal::{
    Lasts, Placement, Progress, Role, Use, VolumeRecord, content_stem, file_stem,
};
use crate::sys;
use crate::volume::{NodeId, Parameters, VolumeKey};
use crate::worker::{Request, WorkerClient};

impl Driver {
    /// The key of a volume that is attached on mount. Pods may name volumes of their own alike, and kubelet
    /// then means two; what they say about them tells them apart.
    pub fn key_by_content(name: &str, context: &Parameters) -> VolumeKey {
        let digest = content_stem(context);
        VolumeKey(format!("{name}#{}", &digest[..16]))
    }

    /// Makes a volume appear for one pod, attaching and staging it first where no other pod has it. Safe to
    /// repeat. [`Self::unpublish_volume`] undoes it.
    ///
    /// # Errors
    /// As for attaching, staging and publishing. Nothing is left then, unless the condition is
    /// `in-progress`: the retry goes on from there.
    pub fn attach_and_publish_volume(&self, request: &PublishVolume) -> Result<(), DriverError> {
        let mut operation = self.begin(&request.volume.key)?;
        let mut record = self.record(&request.volume)?;
        let spot = Spot {
            path: request.target.as_path(),
            role: Role::Target,
            access: request.access,
            kind: &request.kind,
        };
        match standing(record.placement(spot.path), &spot)? {
            Standing::Settled(entry) => {
                let defect = self.defect(&record, &spot, &entry);
                return defect.map_or(Ok(()), |defect| Err(defect.refusal(&spot, spot.path)));
            }
            Standing::Found(entry) => return Err(occupied(&spot, &entry)),
            Standing::Otherwise(_) => return Err(used_otherwise(&spot)),
            Standing::Empty | Standing::Leftover => {}
        }
        let staged = self.staged_for(&mut operation, &mut record, &spot)?;
        let outcome = self.carry_through(&mut operation, record, staged, request, &spot);
        if let Err(error) = &outcome
            && error.condition() != Condition::InProgress
        {
            self.take_back(&mut operation, request);
        }
        outcome
    }

    fn carry_through(
        &self,
        operation: &mut Operation,
        mut record: VolumeRecord,
        staged: Option<Placement>,
        request: &PublishVolume,
        spot: &Spot<'_>,
    ) -> Result<(), DriverError> {
        let staging = match staged {
            Some(staging) => staging,
            None => {
                let node = self.this_node(operation)?;
                self.note_target(&mut record, spot)?;
                self.attach_and_stage(operation, record, node, request)?
            }
        };
        let record = self.record(&request.volume)?;
        self.place(operation, record, spot, |_, _| {
            Ok(Content::Staging {
                path: staging.path,
                component: staging.component,
            })
        })
    }

    /// The staging that another pod's mount made, if it is still there. It serves this pod too, or this pod
    /// cannot have the volume now.
    fn staged_for(
        &self,
        operation: &mut Operation,
        record: &mut VolumeRecord,
        spot: &Spot<'_>,
    ) -> Result<Option<Placement>, DriverError> {
        let staging = record
            .staging()
            .filter(|placement| placement.progress == Progress::Done)
            .cloned();
        let Some(staging) = staging else {
            return Ok(None);
        };
        if !is_in_place(&staging)? {
            return Ok(None);
        }
        let wanted = Use::of(spot.access, spot.kind);
        if !staging.use_as.serves(&wanted) && !staging.use_as.differs_in_access(&wanted) {
            return Err(DriverError::already_exists(
                "another pod of this node has the volume with another type or other options",
            ));
        }
        let serves = self.serves_or_goes(operation, record, &staging, (spot.access, spot.kind))?;
        Ok(serves.then_some(staging))
    }

    /// From the pod's directory to the volume, before there is anything to find. The record itself is
    /// written together with the attachment's intent.
    fn note_target(&self, record: &mut VolumeRecord, spot: &Spot<'_>) -> Result<(), DriverError> {
        self.journal.index(spot.path, &record.key())?;
        record.note(Placement {
            path: spot.path.to_owned(),
            role: Role::Target,
            use_as: Use::of(spot.access, spot.kind),
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
    ) -> Result<Placement, DriverError> {
        let attach = AttachVolume {
            volume: request.volume.clone(),
            node,
            kind: None,
            access: request.access,
        };
        let publish_context = self.tie(operation, &mut record, &attach, Lasts::WhileMounted)?;
        let path = self.make_private_staging(&record.key())?;
        let spot = Spot {
            path: &path,
            role: Role::Staging,
            access: request.access,
            kind: &request.kind,
        };
        self.place(operation, record, &spot, |operation, record| {
            let guest = self.node_guest(operation)?;
            self.content_of(guest, record, &request.volume, publish_context)
        })?;
        let record = self.record(&request.volume)?;
        record.placement(&path).cloned().ok_or_else(|| {
            DriverError::internal("the journal lost the staging that it was just given")
        })
    }

    /// A directory that only we know.
    fn private_staging(&self, key: &VolumeKey) -> PathBuf {
        let parent = self.paths.staging().join(&self.config.name.0);
        parent.join(file_stem(key.0.as_bytes()))
    }

    /// The same, with its parents there.
    fn make_private_staging(&self, key: &VolumeKey) -> Result<PathBuf, DriverError> {
        let path = self.private_staging(key);
        let parent = path.parent().unwrap_or(&path);
        sys::create_root_only_directory(parent).map_err(|error| {
            DriverError::unavailable(format!("cannot make {}", parent.display())).caused_by(error)
        })?;
        Ok(path)
    }

    /// After a failure: kubelet forgets a mount that failed, and nobody would ever unmount it.
    fn take_back(&self, operation: &mut Operation, request: &PublishVolume) {
        if operation.workers.is_stuck() {
            // The mount may still happen; the journal leads `unmount` and the next `mount` to it.
            return;
        }
        operation.deadline = operation.deadline.max(Instant::now() + UNDO_TIME);
        let target = request.target.as_path();
        let released = match self.journal.load(&request.volume.key) {
            Ok(Some(record)) => self.release(operation, record, target),
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

    /// Takes the volume off this node if no pod but the one that leaves has it. The note of the one that
    /// leaves stays until the caller removes it: until then a retry comes here again.
    pub(super) fn release(
        &self,
        operation: &mut Operation,
        mut record: VolumeRecord,
        leaving: &Path,
    ) -> Result<(), DriverError> {
        let is_used = |placement: &Placement| {
            placement.role == Role::Target && placement.path != leaving && still_holds(placement)
        };
        if record.placements.iter().any(is_used) {
            return Ok(());
        }
        if let Some(staging) = record.staging().cloned() {
            self.empty_staging(operation, &staging)?;
        }
        for made in record.attachments.clone() {
            let node = NodeId(made.node);
            self.untie(operation, &record, &node)?;
            record.forget_attachment(&node);
        }
        // What else is noted went with a reboot.
        let gone: Vec<PathBuf> = record
            .placements
            .iter()
            .map(|placement| placement.path.clone())
            .filter(|path| path != leaving)
            .collect();
        for path in gone {
            record.forget(&path);
            self.journal.unindex(&path)?;
        }
        // Indexed before the record names it: a kill in between left the one without the other.
        self.journal.unindex(&self.private_staging(&record.key()))?;
        Ok(self.journal.save(&record)?)
    }

    fn empty_staging(
        &self,
        operation: &mut Operation,
        staging: &Placement,
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
        Driver::key_by_content(name, &Parameters::new(pairs.iter().map(owned).collect()))
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
