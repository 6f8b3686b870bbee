//! The volume that a call-out is about.

use super::attach_mode::AttachMode;
use super::options::Options;
use crate::driver::{Session, VolumeReference};
use crate::error::DriverError;
use crate::volume::{TargetPath, VolumeId, VolumeKey};

/// The volume, under the key that tells it from all others.
///
/// Inline volumes of two pods can have one name; what is unique about a mount without attachment is where
/// it is. Attached by kubelet it is the name, which is all that `detach` gets: its staging serves all pods.
/// Attached on mount it is the name and what the options say: the last of the pods that share it detaches.
pub(super) fn volume(
    attach: AttachMode,
    options: &Options,
    directory: Option<String>,
) -> Result<VolumeReference, DriverError> {
    let context = options.context();
    let key = match (attach, directory) {
        (AttachMode::Never, Some(directory)) => VolumeKey(directory),
        (AttachMode::Never, None) | (AttachMode::ByKubelet, _) => volume_name(options)?,
        (AttachMode::OnMount, _) => Session::key_by_content(&volume_name(options)?.0, &context),
    };
    Ok(VolumeReference {
        key,
        id: VolumeId(options.volume_name().unwrap_or_default().to_owned()),
        context,
    })
}

pub(super) fn directory_of(target: &TargetPath) -> String {
    target.as_path().to_string_lossy().into_owned()
}

fn volume_name(options: &Options) -> Result<VolumeKey, DriverError> {
    let name = options.volume_name().filter(|name| !name.is_empty());
    name.map(|name| VolumeKey(name.to_owned())).ok_or_else(|| {
        DriverError::invalid_argument("the options lack kubernetes.io/pvOrVolumeName")
    })
}
