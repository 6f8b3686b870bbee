//! `stage_volume`, `publish_volume` and their inverses.

use std::sync::Arc;

use super::mount_rules::{
    refuse_changed_context, refuse_contradiction, refuse_mounted_beneath, refuse_only_read,
    refuse_second_target, refuse_unstaged,
};
use super::mount_source::MountSource;
use super::mount_spec::MountSpec;
use super::mount_state::{MountState, mount_state};
use super::mount_table::is_mounted;
use super::operation::Operation;
use super::request::{PublishVolume, StageVolume, StagedFor, TargetCleanup, VolumeReference};
use super::session::Session;
use super::staging_check::publish_context;
use super::staging_path::{staged_devices, staging_of};
use crate::error::DriverError;
use crate::journal::{Role, VolumeRecord};
use crate::runtime::Guest;
use crate::store::Export;
use crate::volume::{Parameters, StagingPath, TargetPath, VolumeId};

impl Session {
    /// Mounts a volume for one pod. Safe to repeat; a target that holds it already is success,
    /// without asking the guest.
    ///
    /// # Errors
    /// `already-exists`: the target holds something else. `failed-precondition`: the volume has to be
    /// staged first, or is staged for reading alone. Whatever the guest answers.
    pub fn publish_volume(&self, request: &PublishVolume) -> Result<(), DriverError> {
        let mut operation = self.begin(&request.volume.key)?;
        let mut record = self.record(&request.volume)?;
        let spec = MountSpec::of_target(request);
        refuse_second_target(&record, request)?;
        let state = mount_state(record.mount_at(spec.path), &spec)?;
        if !matches!(state, MountState::Mounted(_)) {
            record = self.ensure_staging(&mut operation, record, request)?;
        }
        refuse_contradiction(&record, request)?;
        let staging = record.staging().cloned();
        self.mount_in_state(
            &mut operation,
            record,
            (&spec, state),
            |operation, record| {
                if let Some(staging) = staging {
                    refuse_only_read(record, &staging, request.access)?;
                    return Ok(MountSource::Staging {
                        path: staging.path,
                        component: staging.component,
                    });
                }
                let guest = self.node_guest(operation)?;
                refuse_unstaged(&guest, &request.volume)?;
                self.source_of(guest, record, &request.volume, Parameters::default())
            },
        )
    }

    /// Mounts a volume once for this node. Safe to repeat. A raw device appears as the file `device`
    /// in the staging directory: CSI's callers make a directory for either kind. A staging that is the first
    /// pod's serves also one with another access, if it can.
    pub fn stage_volume(&self, request: &StageVolume) -> Result<(), DriverError> {
        let mut operation = self.begin(&request.volume.key)?;
        let mut record = self.record(&request.volume)?;
        refuse_changed_context(&record, &request.volume.context)?;
        let path = staging_of(request)?;
        self.forget_stagings_elsewhere(&mut record, &path);
        let spec = MountSpec {
            path: &path,
            role: Role::Staging,
            access: request.access,
            kind: &request.kind,
        };
        if request.staged_for == StagedFor::FirstPod
            && self.is_staged_for_another_pod(&mut operation, &mut record, &spec)?
        {
            return Ok(());
        }
        let publish_context = publish_context(&record, &request.publish_context);
        self.mount(&mut operation, record, &spec, |operation, record| {
            let guest = self.node_guest(operation)?;
            self.source_of(guest, record, &request.volume, publish_context)
        })
    }

    /// Unmounts a volume from one pod's target, and detaches it from the node where it was attached for the pods' sake and
    /// this was the last. Nothing there is success.
    ///
    /// # Errors
    /// `failed-precondition` while a process uses it; `unavailable` where the kernel does not let go; the
    /// guest's own where it is detached.
    pub fn unpublish_volume(
        &self,
        target: &TargetPath,
        cleanup: TargetCleanup,
    ) -> Result<(), DriverError> {
        self.unmount_and_forget(target.as_path(), cleanup)
    }

    /// Unmounts a volume from this node; the directory stays. Nothing there is success. Which volume it is need
    /// be known for a raw device alone that another driver staged.
    pub fn unstage_volume(
        &self,
        staging: &StagingPath,
        volume: Option<&VolumeId>,
    ) -> Result<(), DriverError> {
        let directory = staging.as_path();
        // What is mounted at the directory may be dead, and looking into it would hang. Then there is no
        // device in it either, unless the journal says so.
        let holds_devices = !is_mounted(directory)?;
        let mut is_known = self.shared.journal.volume_at(directory).is_some();
        for device in staged_devices(directory, volume) {
            let is_recorded = self.shared.journal.volume_at(&device).is_some();
            is_known |= is_recorded;
            if is_recorded || holds_devices && device.symlink_metadata().is_ok() {
                self.unmount_and_forget(&device, TargetCleanup::Remove)?;
            }
        }
        if holds_devices && !is_known {
            refuse_mounted_beneath(directory)?;
        }
        self.unmount_and_forget(directory, TargetCleanup::Keep)
    }

    pub(super) fn node_guest(&self, operation: &Operation) -> Result<Arc<Guest>, DriverError> {
        self.guest_with(operation, Export::Node, "mount volumes")
    }

    pub(super) fn source_of<'a>(
        &self,
        guest: Arc<Guest>,
        record: &mut VolumeRecord,
        volume: &'a VolumeReference,
        publish_context: Parameters,
    ) -> Result<MountSource<'a>, DriverError> {
        let context = self.volume_parameters(&guest.manifest, volume)?;
        record.renew(&volume.id, &volume.context);
        Ok(MountSource::Guest {
            guest,
            volume,
            context,
            publish_context,
        })
    }
}
