//! Volumes come and go: `create_volume`, `delete_volume`, and what can be asked about volumes.
//!
//! Making a volume is locked under its name, because it has no id before; everything that is done to one
//! afterwards is locked under its id. The two never meet: nobody knows the id until making it is over.
//! Nothing is journaled when a volume is made: the contract has the guest derive its tokens from the name,
//! which the caller repeats until it has an answer. An answer that cannot be believed is none: nothing of it is kept, and
//! what the backend may have made by then is found under the same name, by this or by a mended component.

use std::sync::Arc;

use super::lock::LockScope;
use super::mount_table::is_mounted;
use super::operation::Operation;
use super::parameters;
use super::session::Session;
use crate::error::DriverError;
use crate::journal::VolumeRecord;
use crate::runtime::Guest;
use crate::store::{Export, Scope};
use crate::volume::{
    CapacityRange, CreateVolume, PageToken, Parameters, Topology, VolumeCapability, VolumeId,
    VolumeInfo, VolumeKey, VolumePage, VolumeSource,
};

/// Longest name in bytes: CSI's bound on strings.
const LONGEST_NAME: usize = 128;

impl Session {
    /// Makes a volume, or finds the one that an earlier try made.
    ///
    /// # Errors
    /// `invalid-argument`: the name, the sizes, a parameter, or a filesystem that may not be made. `unsupported`:
    /// content that the component cannot start from, because it lacks the export.
    pub fn create_volume(&self, request: &CreateVolume) -> Result<VolumeInfo, DriverError> {
        check_name(&request.name)?;
        check_range(request.capacity)?;
        let operation = self.begin_on(LockScope::NewVolume(&request.name))?;
        let guest = self.controller(&operation, "create volumes")?;
        let parameters = self.parameters_of(&guest, Scope::Creation, &request.parameters)?;
        let request = CreateVolume {
            parameters,
            ..request.clone()
        };
        match &request.source {
            Some(VolumeSource::Volume(source)) => {
                self.require(&guest, Export::Cloning, "copy volumes")?;
                self.refuse_unmakeable(&guest, &request)?;
                return guest.clone_volume(operation.setup(), &request, source);
            }
            Some(VolumeSource::Snapshot(_)) => {
                self.require(&guest, Export::Snapshots, "restore snapshots")?;
            }
            None => {}
        }
        self.refuse_unmakeable(&guest, &request)?;
        guest.create_volume(operation.setup(), &request)
    }

    /// Removes a volume; one that does not exist is success. Safe to repeat.
    ///
    /// # Errors
    /// `failed-precondition`: it is mounted on this machine, or attached as this machine attached it. The guest's
    /// own.
    pub fn delete_volume(&self, id: &VolumeId) -> Result<(), DriverError> {
        let key = VolumeKey(id.0.clone());
        let operation = self.begin(&key)?;
        let guest = self.controller(&operation, "delete volumes")?;
        let others = self.other_keys(id, &key)?;
        // What is being done to it under another name would be missed.
        let held = others
            .iter()
            .map(|key| self.lock_volume(key, operation.deadline));
        let _held = held.collect::<Result<Vec<_>, _>>()?;
        let keys = [&[key], &others[..]].concat();
        for key in &keys {
            if let Some(record) = self.shared.journal.load_shared(key)? {
                self.refuse_in_use(&operation, &guest, &record)?;
            }
        }
        guest.delete_volume(operation.setup(), id)?;
        keys.iter().try_for_each(|key| self.forget_volume(key))
    }

    /// FlexVolume's records are kept under the PersistentVolume's name, so looking under the id is not enough.
    fn other_keys(&self, id: &VolumeId, key: &VolumeKey) -> Result<Vec<VolumeKey>, DriverError> {
        let records = self.shared.journal.records()?;
        let its = records.iter().filter(|record| record.id() == *id);
        let keys = its.map(VolumeRecord::key);
        Ok(keys.filter(|other| other != key).collect())
    }

    /// The backend may not know of a mount, nor ask before it deletes what is attached. Whether what we attached
    /// is attached still is asked: whoever detached it may have been another machine.
    fn refuse_in_use(
        &self,
        operation: &Operation,
        guest: &Guest,
        record: &VolumeRecord,
    ) -> Result<(), DriverError> {
        let refusal = |what: &str, at: &str| {
            Err(DriverError::failed_precondition(format!(
                "cannot delete volume {:?}: it is {what} {at}",
                record.id().0
            )))
        };
        let mounted = record
            .mounts
            .iter()
            .find(|mount| is_mounted(&mount.path).unwrap_or(true));
        if let Some(mount) = mounted {
            return refusal("mounted at", &mount.path.display().to_string());
        }
        for made in &record.attachments {
            if self.is_still_attached(operation, guest, record, made)? {
                return refusal("attached to node", &made.node);
            }
        }
        Ok(())
    }

    /// What is left of a volume that is gone: notes of mounts that went with a reboot, and of attachments that
    /// another machine undid.
    fn forget_volume(&self, key: &VolumeKey) -> Result<(), DriverError> {
        self.shared.detached.forget_deleted(key)?;
        let Some(mut record) = self.shared.journal.load(key)? else {
            return Ok(());
        };
        for mount in std::mem::take(&mut record.mounts) {
            self.shared.journal.unindex(&mount.path)?;
        }
        record.attachments.clear();
        Ok(self.shared.journal.save(&record)?)
    }

    /// Whether a volume exists and can be used so.
    ///
    /// # Errors
    /// `not-found`; `unsupported` with the reason.
    pub fn validate_volume(
        &self,
        id: &VolumeId,
        context: &Parameters,
        capabilities: &[VolumeCapability],
    ) -> Result<(), DriverError> {
        let operation = self.begin_on(LockScope::ReadOnly)?;
        let guest = self.controller(&operation, "validate volumes")?;
        let context =
            parameters::validate_partial(&guest.manifest.description, Scope::Volume, context)?;
        self.refuse_unmountable(&guest, capabilities, &context)?;
        guest.validate_volume(operation.setup(), id, &context, capabilities)
    }

    /// One volume, as the backend has it now.
    ///
    /// # Errors
    /// `not-found`.
    pub fn get_volume(&self, id: &VolumeId) -> Result<VolumeInfo, DriverError> {
        let operation = self.begin_on(LockScope::ReadOnly)?;
        let guest = self.controller(&operation, "look up volumes")?;
        guest.get_volume(operation.setup(), id)
    }

    /// A page of volumes; 0 entries means as many as the backend gives at once.
    ///
    /// # Errors
    /// `in-progress` for a token that is not valid; `unsupported` where the backend cannot list.
    pub fn list_volumes(
        &self,
        max_entries: u32,
        from: Option<&PageToken>,
    ) -> Result<VolumePage, DriverError> {
        let operation = self.begin_on(LockScope::ReadOnly)?;
        let guest = self.guest_with(&operation, Export::VolumeListing, "list volumes")?;
        guest.list_volumes(operation.setup(), max_entries, from)
    }

    /// Bytes that could still be provisioned with those parameters, there. Some may be missing.
    ///
    /// # Errors
    /// `unsupported` where the backend cannot tell.
    pub fn available_capacity(
        &self,
        parameters: &Parameters,
        place: Option<&Topology>,
    ) -> Result<u64, DriverError> {
        let operation = self.begin_on(LockScope::ReadOnly)?;
        let guest = self.guest_with(&operation, Export::Capacity, "report available capacity")?;
        let parameters =
            parameters::validate_partial(&guest.manifest.description, Scope::Creation, parameters)?;
        guest.available_capacity(operation.setup(), &parameters, place)
    }

    /// Changes what can change while the volume lives.
    ///
    /// # Errors
    /// `invalid-argument`: a parameter, and then nothing was changed.
    pub fn modify_volume(&self, id: &VolumeId, parameters: &Parameters) -> Result<(), DriverError> {
        let operation = self.begin(&VolumeKey(id.0.clone()))?;
        let guest = self.guest_with(&operation, Export::Modification, "modify volumes")?;
        let parameters = self.parameters_of(&guest, Scope::Modification, parameters)?;
        guest.modify_volume(operation.setup(), id, &parameters)
    }

    fn controller(&self, operation: &Operation, doing: &str) -> Result<Arc<Guest>, DriverError> {
        self.guest_with(operation, Export::Controller, doing)
    }
}

/// For volumes and for snapshots.
pub(super) fn check_name(name: &str) -> Result<(), DriverError> {
    if (1..=LONGEST_NAME).contains(&name.len()) {
        return Ok(());
    }
    Err(DriverError::invalid_argument(format!(
        "the name {name:?} has {} bytes; it must have 1 to {LONGEST_NAME}",
        name.len()
    )))
}

/// For making and for growing.
pub(super) fn check_range(capacity: CapacityRange) -> Result<(), DriverError> {
    match (capacity.required_bytes, capacity.limit_bytes) {
        (Some(required), Some(limit)) if limit < required => Err(DriverError::invalid_argument(
            format!("the limit of {limit} bytes is less than the {required} that are required"),
        )),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_that_no_size_can_satisfy_is_refused() {
        let range = |required_bytes, limit_bytes| CapacityRange {
            required_bytes,
            limit_bytes,
        };
        for good in [
            range(None, None),
            range(Some(1), None),
            range(None, Some(1)),
            range(Some(1), Some(1)),
        ] {
            assert!(check_range(good).is_ok(), "{good:?}");
        }
        assert!(check_range(range(Some(2), Some(1))).is_err());
    }

    #[test]
    fn a_name_has_one_to_128_bytes() {
        assert!(check_name("pvc-1").is_ok());
        assert!(check_name(&"x".repeat(128)).is_ok());
        assert!(check_name("").is_err());
        assert!(check_name(&"x".repeat(129)).is_err());
    }
}
