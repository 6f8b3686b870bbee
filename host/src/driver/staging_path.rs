//! The paths at which a volume is staged, in the directory that the caller gave for it.

use std::path::{Path, PathBuf};

use super::mount_table::is_mounted;
use super::request::StageVolume;
use crate::error::DriverError;
use crate::volume::{AccessType, StagingPath, VolumeId};

/// Where a volume of that kind can be mounted, given the directory in which it is staged. Ours comes first.
///
/// # Errors
/// `already-exists` for a raw device where something is mounted at the directory: it hides what else is there, and
/// where its server is dead, looking beneath it would hang.
pub(super) fn staged_at(
    staging: &StagingPath,
    id: &VolumeId,
    kind: &AccessType,
) -> Result<Vec<PathBuf>, DriverError> {
    let directory = staging.as_path();
    match kind {
        AccessType::Filesystem { .. } => Ok(vec![directory.to_owned()]),
        AccessType::Block if is_mounted(directory)? => Err(DriverError::already_exists(format!(
            "volume {:?} cannot be staged as a raw device in {}: something is mounted at the directory itself; unmount it first",
            id.0,
            directory.display()
        ))),
        AccessType::Block => Ok(staged_devices(directory, Some(id))),
    }
}

/// Where to stage it: where another driver staged it, it is taken over.
pub(super) fn staging_of(request: &StageVolume) -> Result<PathBuf, DriverError> {
    let mut paths = staged_at(&request.staging, &request.volume.id, &request.kind)?;
    for path in paths.iter().skip(1) {
        if is_mounted(path)? && !is_mounted(&paths[0])? {
            return Ok(path.clone());
        }
    }
    Ok(paths.swap_remove(0))
}

/// The files at which a raw device is staged: ours, and that of Alibaba's driver, which has the volume's id for a
/// name.
pub(super) fn staged_devices(staging: &Path, id: Option<&VolumeId>) -> Vec<PathBuf> {
    let is_name = |id: &&str| !matches!(*id, "" | "." | ".." | "device") && !id.contains('/');
    let id = id.map(|id| id.0.as_str()).filter(is_name);
    let theirs = id.map(|id| staging.join(id));
    [staged_device(staging)].into_iter().chain(theirs).collect()
}

/// Where we stage a raw device.
pub(super) fn staged_device(staging: &Path) -> PathBuf {
    staging.join("device")
}

#[cfg(test)]
mod tests {
    use std::slice;

    use super::*;

    #[test]
    fn a_raw_device_is_looked_for_under_names_that_stay_in_the_staging_directory() {
        let staging = Path::new("/mounts/x");
        let devices = |id: &str| staged_devices(staging, Some(&VolumeId(id.into())));
        let ours = staging.join("device");
        assert_eq!(devices("d-1"), [ours.clone(), staging.join("d-1")]);
        for id in ["", ".", "..", "../y", "a/b", "device"] {
            assert_eq!(devices(id), slice::from_ref(&ours), "{id:?}");
        }
        assert_eq!(staged_devices(staging, None), [ours]);
    }
}
