//! `stage_volume`, `publish_volume` and their inverses.

use super::content::Content;
use super::place::{Spot, refuse_changed_context};
use super::{Driver, PublishVolume, StageVolume, VolumeReference};
use crate::error::DriverError;
use crate::journal::{Role, VolumeRecord};
use crate::runtime::{Export, Guest};
use crate::volume::{Parameters, StagingPath, TargetPath};

impl Driver {
    /// Makes a volume appear for one pod. Safe to repeat; a target that holds it already is success,
    /// without asking the guest.
    ///
    /// # Errors
    /// `already-exists`: the target holds something else. `failed-precondition`: the volume has to be
    /// staged first. Whatever the guest answers.
    pub fn publish_volume(&self, request: &PublishVolume) -> Result<(), DriverError> {
        let mut operation = self.begin(&request.volume.key)?;
        let record = self.record(&request.volume)?;
        let spot = Spot {
            path: request.target.as_path(),
            role: Role::Target,
            access: request.access,
            kind: &request.kind,
        };
        if let Some(staging) = record.staging().cloned() {
            return self.place(&mut operation, record, &spot, |_, _| {
                Ok(Content::Staging {
                    path: staging.path,
                    component: staging.component,
                })
            });
        }
        refuse_changed_context(&record, &request.volume.context)?;
        self.place(&mut operation, record, &spot, |operation, record| {
            let guest = self
                .runtime
                .current_guest(&self.config, operation.deadline)?;
            refuse_unstaged(&guest, &request.volume)?;
            self.content_of(guest, record, &request.volume, Parameters::default())
        })
    }

    /// Makes a volume appear once for this node. Safe to repeat.
    ///
    /// # Errors
    /// As for [`Self::publish_volume`].
    pub fn stage_volume(&self, request: &StageVolume) -> Result<(), DriverError> {
        let mut operation = self.begin(&request.volume.key)?;
        let record = self.record(&request.volume)?;
        refuse_changed_context(&record, &request.volume.context)?;
        let spot = Spot {
            path: request.staging.as_path(),
            role: Role::Staging,
            access: request.access,
            kind: &request.kind,
        };
        let publish_context = if request.publish_context.pairs().is_empty() {
            record.publish_context(None)
        } else {
            request.publish_context.clone()
        };
        self.place(&mut operation, record, &spot, |operation, record| {
            let guest = self
                .runtime
                .current_guest(&self.config, operation.deadline)?;
            self.content_of(guest, record, &request.volume, publish_context)
        })
    }

    /// Takes a volume away from one pod; the directory stays, kubelet removes it. Nothing there is
    /// success.
    ///
    /// # Errors
    /// `failed-precondition` while a process uses it; `unavailable` where the kernel does not let go.
    pub fn unpublish_volume(&self, target: &TargetPath) -> Result<(), DriverError> {
        self.unplace(target.as_path())
    }

    /// Takes a volume away from this node. Nothing there is success.
    ///
    /// # Errors
    /// As for [`Self::unpublish_volume`].
    pub fn unstage_volume(&self, staging: &StagingPath) -> Result<(), DriverError> {
        self.unplace(staging.as_path())
    }

    fn content_of<'a>(
        &self,
        guest: Guest,
        record: &mut VolumeRecord,
        volume: &'a VolumeReference,
        publish_context: Parameters,
    ) -> Result<Content<'a>, DriverError> {
        let context = self.checked(&guest.manifest, volume)?;
        record.renew(&volume.id, &volume.context);
        Ok(Content::Guest {
            guest: Box::new(guest),
            volume,
            context,
            publish_context,
        })
    }
}

/// A volume that has to be attached is staged once and then bound; without the staging, a guest would
/// mount a disk a second time.
fn refuse_unstaged(guest: &Guest, volume: &VolumeReference) -> Result<(), DriverError> {
    if !guest.manifest.exports(Export::Attachment) {
        return Ok(());
    }
    Err(DriverError::failed_precondition(format!(
        "volume {:?} is not staged on this node (mountdevice comes before mount)",
        volume.id.0
    )))
}
