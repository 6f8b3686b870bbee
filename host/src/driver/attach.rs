//! `attach_volume`, `detach_volume`, `is_attached`.
//!
//! These run where the controller runs, which may be another machine than the node. kubelet and the
//! controller give `detach` a name and nothing else: the journal has the rest, and after it is gone, for
//! those who ask once more, the notes of what was detached.
//!
//! Several controllers, each with a journal of its own, may serve one backend, one after the other. So the
//! journal says what there is to undo and by which component; whether a volume is attached is asked.

use super::mount_table::is_mounted;
use super::operation::Operation;
use super::parameters::validate;
use super::request::{AttachVolume, VolumeReference};
use super::session::Session;
use crate::error::{Condition, DriverError, ErrorOrigin};
use crate::journal::{Attachment, Lifetime, Progress, Use, VolumeRecord};
use crate::runtime::{AttachRequest, Guest};
use crate::store::{Export, Manifest, Scope};
use crate::volume::{NodeId, Parameters, VolumeId, VolumeKey};

impl Session {
    /// Attaches a volume to a node and returns what staging will need. Safe to repeat.
    ///
    /// # Errors
    /// The guest's own; the journal's, before anything is attached.
    pub fn attach_volume(&self, request: &AttachVolume) -> Result<Parameters, DriverError> {
        let operation = self.begin(&request.volume.key)?;
        let mut record = self.record(&request.volume)?;
        self.attach_locked(&operation, &mut record, request, Lifetime::UntilDetached)
    }

    /// Attaches and keeps the record, given the lock.
    pub(super) fn attach_locked(
        &self,
        operation: &Operation,
        record: &mut VolumeRecord,
        request: &AttachVolume,
        lifetime: Lifetime,
    ) -> Result<Parameters, DriverError> {
        let guest = self.guest_with(operation, Export::Attachment, "attach volumes")?;
        let context = self.volume_parameters(&guest.manifest, &request.volume)?;
        let use_as = request
            .kind
            .as_ref()
            .map(|kind| Use::of(request.access, kind));
        let before = match record.attachment(&request.node).cloned() {
            Some(before) if is_other_use(&before, use_as.as_ref()) => {
                self.refuse_other_use(operation, &guest, record, &before)?;
                // Another machine detached it: nothing of it holds any more.
                None
            }
            before => before,
        };
        record.renew(&request.volume.id, &request.volume.context);
        let intended = Attachment {
            node: request.node.0.clone(),
            publish_context: before
                .clone()
                .map(|known| known.publish_context)
                .unwrap_or_default(),
            component: guest.manifest.component_sha256.clone(),
            progress: Progress::Intended,
            use_as,
            lifetime,
        };
        let known = Parameters::new(intended.publish_context.clone());
        record.set_attachment(intended.clone());
        self.shared.journal.save(record)?;
        let arguments = AttachRequest {
            id: &request.volume.id,
            context: &context,
            publish_context: &known,
            node: &request.node,
        };
        let answer = guest.attach_volume(operation.setup(), &arguments, request.access);
        match &answer {
            Ok(publish_context) => record.set_attachment(Attachment {
                publish_context: publish_context.pairs().to_vec(),
                progress: Progress::Done,
                ..intended
            }),
            Err(error) if nothing_happened(error) => {
                record.forget_attachment(&request.node);
                before
                    .into_iter()
                    .for_each(|before| record.set_attachment(before));
            }
            Err(_) => return answer,
        }
        self.shared.journal.save(record)?;
        if answer.is_ok() {
            self.shared.detached.forget(record)?;
        }
        answer
    }

    /// Detaches a volume from a node, by the component that attached it. Unknown or already detached is success. An
    /// empty node means every node, as in CSI. The backend is asked also if we detached the volume already:
    /// another machine may have attached it since.
    pub fn detach_volume(&self, key: &VolumeKey, node: &NodeId) -> Result<(), DriverError> {
        let operation = self.begin(key)?;
        let journaled = self.shared.journal.load(key)?;
        let is_repeat = journaled.is_none();
        let mut record = journaled.unwrap_or_else(|| self.unjournaled(key));
        self.detach_locked(&operation, &record, node)?;
        let before = record.clone();
        match node.0.is_empty() {
            true => record.attachments.clear(),
            false => record.forget_attachment(node),
        }
        // Notes of mounts that are gone stay behind where the disk was full when they went.
        record
            .mounts
            .retain(|mount| is_mounted(&mount.path).unwrap_or(true));
        if record.is_empty() && !is_repeat {
            self.note_detached(&before);
        }
        self.shared.journal.save(&record)?;
        Ok(())
    }

    /// What can be said of a volume that the journal does not have: we detached it, or another machine
    /// attached it, and then the name is all there is.
    fn unjournaled(&self, key: &VolumeKey) -> VolumeRecord {
        let by_name = || VolumeRecord::new(key, &VolumeId(key.0.clone()), &Parameters::default());
        self.shared.detached.find(key).unwrap_or_else(by_name)
    }

    /// A full disk must not keep a volume from being detached: without the note a repeat has the name, as
    /// on another machine.
    fn note_detached(&self, record: &VolumeRecord) {
        if let Err(error) = self.shared.detached.note(record) {
            tracing::warn!(
                error = DriverError::from(error).chain(),
                "the volume is detached, but not noted as such: a repeated detach has its name alone"
            );
        }
    }

    /// Detaches, given the lock; the record is the caller's to change.
    pub(super) fn detach_locked(
        &self,
        operation: &Operation,
        record: &VolumeRecord,
        node: &NodeId,
    ) -> Result<(), DriverError> {
        let made = match node.0.is_empty() {
            true => record.attachments.first(),
            false => record.attachment(node),
        };
        let guest = match made {
            Some(made) => self.guest_that_made(operation, &made.component)?,
            None => self.guest_with(operation, Export::Attachment, "detach volumes")?,
        };
        let publish_context = made
            .map(|made| made.publish_context.clone())
            .unwrap_or_default();
        let arguments = AttachRequest {
            id: &record.id(),
            context: &self.recorded_parameters(&guest.manifest, record),
            publish_context: &Parameters::new(publish_context),
            node,
        };
        guest.detach_volume(operation.setup(), &arguments)
    }

    /// Whether a volume is attached to a node, as the backend has it.
    pub fn is_attached(
        &self,
        volume: &VolumeReference,
        node: &NodeId,
    ) -> Result<bool, DriverError> {
        let operation = self.begin(&volume.key)?;
        let guest = self.guest_with(&operation, Export::Attachment, "report attachments")?;
        let context = self.volume_parameters(&guest.manifest, volume)?;
        let publish_context = self.record(volume)?.publish_context(Some(node));
        let arguments = AttachRequest {
            id: &volume.id,
            context: &context,
            publish_context: &publish_context,
            node,
        };
        guest.is_attached(operation.setup(), &arguments)
    }

    /// Whether what the journal remembers still holds. Another machine may have detached the volume since, and
    /// only the backend knows. A volume or a node that it no longer has is attached to nothing.
    pub(super) fn is_still_attached(
        &self,
        operation: &Operation,
        guest: &Guest,
        record: &VolumeRecord,
        made: &Attachment,
    ) -> Result<bool, DriverError> {
        if !guest.manifest.exports(Export::Attachment) {
            // Nobody can be asked after a component that attached gave way to one that does not.
            return Ok(true);
        }
        let arguments = AttachRequest {
            id: &record.id(),
            context: &self.recorded_parameters(&guest.manifest, record),
            publish_context: &Parameters::new(made.publish_context.clone()),
            node: &NodeId(made.node.clone()),
        };
        match guest.is_attached(operation.setup(), &arguments) {
            Err(error) if error.condition() == Condition::NotFound => Ok(false),
            answer => answer,
        }
    }

    /// How a volume is used on a node is noted here alone; whether it is there at all, by the backend.
    fn refuse_other_use(
        &self,
        operation: &Operation,
        guest: &Guest,
        record: &VolumeRecord,
        before: &Attachment,
    ) -> Result<(), DriverError> {
        match self.is_still_attached(operation, guest, record, before)? {
            false => Ok(()),
            true => Err(DriverError::already_exists(format!(
                "volume {:?} is attached to node {:?} with another access mode or type; detach it first",
                record.id().0,
                before.node
            ))),
        }
    }

    /// The journaled parameters in this guest's spelling. They were accepted once; a version that no longer
    /// knows one of them must still be able to undo.
    fn recorded_parameters(&self, manifest: &Manifest, record: &VolumeRecord) -> Parameters {
        validate(&manifest.description, Scope::Volume, &record.context())
            .unwrap_or_else(|_| record.context())
    }
}

/// Whether a backend has surely not begun. After any other error the attachment may exist, and the intent has to
/// stay in the journal.
fn nothing_happened(error: &DriverError) -> bool {
    match error.condition() {
        Condition::InvalidArgument
        | Condition::OutOfRange
        | Condition::NotFound
        | Condition::FailedPrecondition
        | Condition::Denied
        | Condition::Unsupported => true,
        // A node that is full refuses at once. A limit on requests, which is also met by a guest that asks
        // whether what it began is done, is `unavailable`. What this process lacks cuts a guest off wherever it is.
        Condition::Exhausted => error.origin() == ErrorOrigin::Backend,
        Condition::AlreadyExists
        | Condition::InProgress
        | Condition::Unavailable
        | Condition::Internal => false,
    }
}

/// A volume is attached to a node in one way; only whoever says in which can contradict himself.
fn is_other_use(before: &Attachment, wanted: Option<&Use>) -> bool {
    let is_other = match (&before.use_as, wanted) {
        (Some(known), Some(wanted)) => known != wanted,
        _ => false,
    };
    before.progress == Progress::Done && is_other
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_intent_to_attach_is_dropped_only_where_the_backend_has_surely_not_begun() {
        let dropped = Condition::ALL
            .into_iter()
            .filter(|it| nothing_happened(&DriverError::new(*it, "why")));
        assert_eq!(
            dropped.map(Condition::name).collect::<Vec<_>>(),
            [
                "invalid-argument",
                "out-of-range",
                "not-found",
                "exhausted",
                "failed-precondition",
                "denied",
                "unsupported"
            ]
        );
        assert!(!nothing_happened(&DriverError::overloaded("why")));
    }
}
