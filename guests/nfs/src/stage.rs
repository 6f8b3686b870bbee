//! On the node: the volume's directory is mounted, and made or given its mode first where that is asked for.

use drivebay_guest::exports::node::StageRequest;
use drivebay_guest::files::Directory;
use drivebay_guest::layout::VolumeId as _;
use drivebay_guest::log::Level;
use drivebay_guest::mounts::{self, Target};
use drivebay_guest::prelude::*;

use crate::parameter_names::{SERVER, SHARE, SUB_DIR};
use crate::share::{self, Share};
use crate::volume_id::VolumeId;

/// The mode comes first: a mount that succeeded is not staged again, so nothing may be left to do.
pub(crate) fn stage(share: &Share, target: &Target) -> Result<(), Error> {
    if share.mode.is_some() {
        prepare(share)?;
    }
    match mount(share, target) {
        Err(Error::NotFound(_)) if share.may_create() => {
            create(share)?;
            mount(share, target)
        }
        answer => answer,
    }
}

/// A volume that is asked about by its id alone, as CSI asks after what is mounted. Where its directory is, is in the
/// id, if this driver or Kubernetes' made it.
pub(crate) fn known_by_id(mut request: StageRequest) -> StageRequest {
    let volume = &mut request.volume;
    let id = VolumeId::parse(&volume.id).filter(|_| Params(&volume.context).get(SERVER).is_none());
    let known = id.and_then(|id| Some((id.sub_dir().ok()?, id.export)));
    if let Some((sub_dir, export)) = known {
        volume.context.extend([
            (SERVER.into(), export.server),
            (SHARE.into(), export.share.to_string()),
            (SUB_DIR.into(), sub_dir.as_str().into()),
        ]);
    }
    request
}

/// The directory that volumes are made in.
pub(crate) fn open_export(share: &Share) -> Result<Directory, Error> {
    open(share, &share.path)
}

/// Give the volume's directory its mode, and make it first where it is missing.
///
/// Only the directory itself. Alibaba's driver changes everything beneath it, for every pod, in a goroutine
/// that ends with the process: a long walk that is seldom finished. Below the root, `fsGroup` is the tool.
fn prepare(share: &Share) -> Result<(), Error> {
    match open(share, &share.path) {
        Ok(directory) => set_mode(share, &directory, ""),
        Err(Error::NotFound(_)) if share.may_create() => create(share),
        Err(error) => Err(error),
    }
}

/// Make the volume's directory beneath the nearest parent that exists: no more of the server is opened
/// than has to be, and a grant can be as narrow.
fn create(share: &Share) -> Result<(), Error> {
    for (parent, missing) in share.path.parents_within(&share.base) {
        match open(share, &parent) {
            Err(Error::NotFound(_)) => continue,
            Err(error) => return Err(error),
            Ok(directory) => {
                directory.mkdir(missing, share.mode.unwrap_or(share::DEFAULT_MODE))?;
                log::write(
                    Level::Info,
                    &format!("made {missing} in {parent} of {}", share.server),
                );
                return set_mode(share, &directory, missing);
            }
        }
    }
    Err(share.nothing_to_create_in())
}

/// Again after `make-directory` too: that leaves the mode of a directory alone which another node made first.
fn set_mode(share: &Share, directory: &Directory, path: &str) -> Result<(), Error> {
    let tree: &dyn Tree = directory;
    share
        .mode
        .map_or(Ok(()), |mode| tree.ensure_mode(path, mode))
}

fn mount(share: &Share, target: &Target) -> Result<(), Error> {
    share.versions.negotiate(|version| {
        target.mount_remote(&share.source(&share.path), &share.mount_options(version))
    })
}

fn open(share: &Share, path: &RemotePath) -> Result<Directory, Error> {
    share.versions.negotiate(|version| {
        mounts::open_remote(&share.source(path), &share.mount_options(version))
    })
}
