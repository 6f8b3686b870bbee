//! `stage_volume`, `publish_volume` and their inverses.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use super::Driver;
use super::access::refuse_only_read;
use super::mount::{
    MountSpec, MountState, beneath, is_from_server, is_mounted, mount_state,
    refuse_changed_context, still_holds,
};
use super::mount_source::MountSource;
use super::operation::{Operation, Subject};
use super::request::{PublishVolume, Sharing, StageVolume, StagedFor, VolumeReference};
use super::staging::{publish_context, staged_at, staged_devices};
use super::stale_mount::StaleMount;
use crate::error::DriverError;
use crate::journal::{MountRecord, Role, VolumeRecord};
use crate::runtime::{Export, Guest};
use crate::volume::{AccessType, Parameters, StagingPath, TargetPath, VolumeId};

/// What becomes of a target that was unmounted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TargetCleanup {
    /// It stays: kubelet removes what it made for FlexVolume.
    Keep,
    /// It goes: in CSI whoever publishes makes the target, and removes it.
    Remove,
}

impl Driver {
    /// Makes a volume appear for one pod. Safe to repeat; a target that holds it already is success,
    /// without asking the guest.
    ///
    /// # Errors
    /// `already-exists`: the target holds something else. `failed-precondition`: the volume has to be
    /// staged first, or is staged for reading alone. Whatever the guest answers.
    pub fn publish_volume(&self, request: &PublishVolume) -> Result<(), DriverError> {
        let mut operation = self.begin(&request.volume.key)?;
        let mut record = self.record(&request.volume)?;
        let spec = target(request);
        refuse_second_target(&record, request)?;
        let state = mount_state(record.mount_at(spec.path), &spec)?;
        if !matches!(state, MountState::Mounted(_)) {
            record = self.with_staging(&mut operation, record, request)?;
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

    /// Whether [`Self::publish_volume`] would find nothing to do, as far as that can be told without waiting:
    /// for another operation, for a server that may have lost the mount, for a guest.
    pub fn is_published(&self, request: &PublishVolume) -> bool {
        self.has_published(request).unwrap_or(false)
    }

    fn has_published(&self, request: &PublishVolume) -> Result<bool, DriverError> {
        let Ok(_lock) = self.lock(Subject::Volume(&request.volume.key), Instant::now()) else {
            return Ok(false);
        };
        let Some(record) = self.journal.look(&request.volume.key)? else {
            return Ok(false);
        };
        refuse_second_target(&record, request)?;
        refuse_contradiction(&record, request)?;
        let spec = target(request);
        let noted = record.mount_at(spec.path);
        Ok(match (mount_state(noted, &spec)?, noted) {
            (MountState::Mounted(entry), Some(noted)) => {
                !is_from_server(&entry) && StaleMount::of(noted, &entry).is_none()
            }
            _ => false,
        })
    }

    /// Makes a volume appear once for this node. Safe to repeat. A raw device appears as the file `device`
    /// in the staging directory: CSI's callers make a directory for either kind. A staging that is the first
    /// pod's serves also one with another access, if it can.
    ///
    /// # Errors
    /// As for [`Self::publish_volume`].
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

    /// Takes a volume away from one pod, and from the node where it was attached for the pods' sake and
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

    /// Takes a volume away from this node; the directory stays. Nothing there is success. Which volume it is need
    /// be known for a raw device alone that another driver staged.
    ///
    /// # Errors
    /// As for [`Self::unpublish_volume`].
    pub fn unstage_volume(
        &self,
        staging: &StagingPath,
        volume: Option<&VolumeId>,
    ) -> Result<(), DriverError> {
        let directory = staging.as_path();
        // What is mounted at the directory may be dead, and looking into it would hang. Then there is no
        // device in it either, unless the journal says so.
        let holds_devices = !is_mounted(directory)?;
        let mut is_known = self.journal.volume_at(directory).is_some();
        for device in staged_devices(directory, volume) {
            let is_noted = self.journal.volume_at(&device).is_some();
            is_known |= is_noted;
            if is_noted || holds_devices && device.symlink_metadata().is_ok() {
                self.unmount_and_forget(&device, TargetCleanup::Remove)?;
            }
        }
        if holds_devices && !is_known {
            refuse_beneath(directory)?;
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
        let context = self.checked(&guest.manifest, volume)?;
        record.renew(&volume.id, &volume.context);
        Ok(MountSource::Guest {
            guest,
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

/// What the request says has to agree with what is noted.
fn refuse_contradiction(record: &VolumeRecord, request: &PublishVolume) -> Result<(), DriverError> {
    refuse_other_staging(record, request)?;
    match record.staging() {
        Some(staging) => refuse_other_kind(staging, &request.kind),
        None => refuse_changed_context(record, &request.volume.context),
    }
}

fn target(request: &PublishVolume) -> MountSpec<'_> {
    MountSpec {
        path: request.target.as_path(),
        role: Role::Target,
        access: request.access,
        kind: &request.kind,
    }
}

/// A volume for one pod appears at one target.
fn refuse_second_target(record: &VolumeRecord, request: &PublishVolume) -> Result<(), DriverError> {
    if request.sharing == Sharing::ManyTargets {
        return Ok(());
    }
    let other = record.mounts.iter().find(|mount| {
        mount.role == Role::Target && mount.path != request.target.as_path() && still_holds(mount)
    });
    other.map_or(Ok(()), |other| {
        Err(DriverError::failed_precondition(format!(
            "cannot publish volume {:?} at {}: its access mode allows one target, and it is published at {}; unpublish it there first",
            request.volume.id.0,
            request.target.as_path().display(),
            other.path.display()
        )))
    })
}

/// A caller that names a staging directory has staged the volume there.
fn refuse_other_staging(record: &VolumeRecord, request: &PublishVolume) -> Result<(), DriverError> {
    let Some(named) = &request.staging else {
        return Ok(());
    };
    let is_there = record.staging().is_some_and(|mount| {
        let path = &mount.path;
        path == named.as_path()
            || staged_devices(named.as_path(), Some(&request.volume.id)).contains(path)
    });
    match is_there {
        true => Ok(()),
        false => Err(DriverError::failed_precondition(format!(
            "cannot publish volume {:?}: it is not staged at {}; stage it there first",
            request.volume.id.0,
            named.as_path().display()
        ))),
    }
}

/// Where to stage it: where another driver staged it, it is taken over.
fn staging_of(request: &StageVolume) -> Result<PathBuf, DriverError> {
    let mut paths = staged_at(&request.staging, &request.volume.id, &request.kind)?;
    for path in paths.iter().skip(1) {
        if is_mounted(path)? && !is_mounted(&paths[0])? {
            return Ok(path.clone());
        }
    }
    Ok(paths.swap_remove(0))
}

/// A staging directory that is given back with something mounted in it would never be removed, and what is mounted
/// there never unmounted.
fn refuse_beneath(directory: &Path) -> Result<(), DriverError> {
    match beneath(directory)? {
        None => Ok(()),
        Some(point) => Err(DriverError::failed_precondition(format!(
            "cannot unstage {}: {} is mounted beneath it, and not by this driver; unmount that first",
            directory.display(),
            point.display()
        ))),
    }
}

/// A directory cannot be bound to a file, nor a file to a directory.
fn refuse_other_kind(staging: &MountRecord, kind: &AccessType) -> Result<(), DriverError> {
    let word = |is_block| match is_block {
        true => "a raw device",
        false => "a directory",
    };
    let (staged, wanted) = (staging.use_as.is_block(), *kind == AccessType::Block);
    if staged == wanted {
        return Ok(());
    }
    Err(DriverError::failed_precondition(format!(
        "the volume is staged at {} as {}, and cannot be published as {}; unstage it first",
        staging.path.display(),
        word(staged),
        word(wanted)
    )))
}
