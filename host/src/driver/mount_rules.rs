//! The rules of mounting: what may be mounted where, how often and with which access. Everything here refuses or
//! lets pass; nothing mounts.
//!
//! A caller repeats its calls, and may contradict what it said before: then it is told what to undo first.

use std::path::Path;

use super::mount_spec::MountSpec;
use super::mount_table::{beneath, is_still_mounted};
use super::parameters::PROVISIONER_IDENTITY;
use super::request::{PublishVolume, Sharing, VolumeReference};
use super::staging_path::staged_devices;
use crate::error::DriverError;
use crate::journal::{MountRecord, Progress, Role, VolumeRecord};
use crate::runtime::Guest;
use crate::store::Export;
use crate::sys::{MountEntry, takes_writes};
use crate::volume::{Access, AccessType, Parameters};

/// Something is mounted there that we cannot take for the volume.
pub(super) fn occupied(spec: &MountSpec<'_>, entry: &MountEntry) -> DriverError {
    DriverError::already_exists(format!(
        "{} already holds a {} mount of {}; unmount it first",
        spec.path.display(),
        entry.fs_type,
        entry.source
    ))
}

pub(super) fn used_otherwise(spec: &MountSpec<'_>) -> DriverError {
    DriverError::already_exists(format!(
        "the volume is mounted at {} with another access mode or type; unmount it first",
        spec.path.display()
    ))
}

/// What the request says has to agree with what is noted.
pub(super) fn refuse_contradiction(
    record: &VolumeRecord,
    request: &PublishVolume,
) -> Result<(), DriverError> {
    refuse_other_staging(record, request)?;
    match record.staging() {
        Some(staging) => refuse_other_kind(staging, &request.kind),
        None => refuse_changed_context(record, &request.volume.context),
    }
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

/// While a volume is mounted somewhere, its parameters cannot change under it. Who made it is none of them: an older
/// version did not note that, and its notes outlive it.
pub(super) fn refuse_changed_context(
    record: &VolumeRecord,
    context: &Parameters,
) -> Result<(), DriverError> {
    let in_use = record
        .mounts
        .iter()
        .find(|mount| mount.progress == Progress::Done && is_still_mounted(mount));
    match in_use {
        Some(mount) if !says_the_same(&record.context(), context) => {
            Err(DriverError::already_exists(format!(
                "volume {:?} is mounted at {} with other parameters; unmount it first",
                record.id().0,
                mount.path.display()
            )))
        }
        _ => Ok(()),
    }
}

pub(super) fn says_the_same(noted: &Parameters, given: &Parameters) -> bool {
    let noted = noted.without(PROVISIONER_IDENTITY);
    noted.same_as(&given.without(PROVISIONER_IDENTITY))
}

/// A volume for one pod appears at one target.
pub(super) fn refuse_second_target(
    record: &VolumeRecord,
    request: &PublishVolume,
) -> Result<(), DriverError> {
    if request.sharing == Sharing::ManyTargets {
        return Ok(());
    }
    let other = record.mounts.iter().find(|mount| {
        mount.role == Role::Target
            && mount.path != request.target.as_path()
            && is_still_mounted(mount)
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

/// A volume that has to be attached is staged once and then bound; without the staging, a guest would
/// mount a disk a second time.
pub(super) fn refuse_unstaged(guest: &Guest, volume: &VolumeReference) -> Result<(), DriverError> {
    if !guest.manifest.exports(Export::Attachment) {
        return Ok(());
    }
    Err(DriverError::failed_precondition(format!(
        "volume {:?} is not staged on this node (mountdevice comes before mount)",
        volume.id.0
    )))
}

/// `failed-precondition` where a staging that is everyone's only reads.
pub(super) fn refuse_only_read(
    record: &VolumeRecord,
    staging: &MountRecord,
    access: Access,
) -> Result<(), DriverError> {
    if staging.use_as.allows(access) {
        return Ok(());
    }
    Err(DriverError::failed_precondition(format!(
        "cannot mount volume {:?} for writing: it is staged read-only at {}; unstage it, and stage it for writing first",
        record.id().0,
        staging.path.display()
    )))
}

/// The kernel keeps a filesystem that it gave up until its last mount is gone: whoever mounts it once more meanwhile
/// gets the same one. What a guest mounted read-only was never meant to be written to.
pub(super) fn refuse_read_only_after_error(
    spec: &MountSpec<'_>,
    entry: &MountEntry,
) -> Result<(), DriverError> {
    if entry.read_only {
        return Ok(());
    }
    match takes_writes(spec.path, entry) {
        Ok(true) => Ok(()),
        Ok(false) | Err(_) => Err(DriverError::failed_precondition(format!(
            "cannot use the {} filesystem of {} at {}: the kernel lets nobody write to it after an error, and it is mounted elsewhere on this node; unpublish and unstage it everywhere (delete its pods), then staging checks it and mounts it anew",
            entry.fs_type,
            entry.source,
            spec.path.display()
        ))),
    }
}

/// A staging directory that is given back with something mounted in it would never be removed, and what is mounted
/// there never unmounted.
pub(super) fn refuse_mounted_beneath(directory: &Path) -> Result<(), DriverError> {
    match beneath(directory)? {
        None => Ok(()),
        Some(point) => Err(DriverError::failed_precondition(format!(
            "cannot unstage {}: {} is mounted beneath it, and not by this driver; unmount that first",
            directory.display(),
            point.display()
        ))),
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;
    use std::slice;

    use super::*;
    use crate::driver::mount_table::{current_mount, identity};
    use crate::journal::Use;
    use crate::volume::{VolumeId, VolumeKey};

    /// A record of a volume that is mounted.
    fn in_use(context: &Parameters) -> VolumeRecord {
        let path = PathBuf::from("/proc");
        let entry = current_mount(&path).expect("readable").expect("mounted");
        let id = VolumeId("d-1".into());
        let mut record = VolumeRecord::new(&VolumeKey(id.0.clone()), &id, context);
        record.set_mount(MountRecord {
            path,
            role: Role::Staging,
            use_as: Use::of(Access::ReadWrite, &AccessType::Block),
            component: String::new(),
            progress: Progress::Done,
            shown_as: identity(&entry),
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
