//! NFS shares as volumes: the guest says which directory of which server, and how to mount it.
//!
//! The share exists already; nothing is provisioned here. The one thing ever changed on a server is the
//! volume's own directory: it is made, or gets its mode, where the volume asks for that.

mod bindings;
mod mount_options;
mod options;
mod parameters;
mod remote_path;
mod version;

use bindings::drivebay::driver::files::Directory;
use bindings::drivebay::driver::log::{self, Level};
use bindings::drivebay::driver::mounts::{self, Target};
use bindings::drivebay::driver::types::{Error, Volume};
use bindings::exports::drivebay::driver::identity::{self, Description};
use bindings::exports::drivebay::driver::node::{self, Health, NodeInfo, StageRequest};
use options::Share;
use remote_path::RemotePath;

/// The guest.
#[derive(Debug)]
pub struct Nfs;

impl identity::Guest for Nfs {
    fn describe() -> Description {
        Description {
            name: env!("CARGO_PKG_NAME").into(),
            version: env!("CARGO_PKG_VERSION").into(),
            summary: "mounts directories of NFS servers".into(),
            parameters: parameters::described(),
        }
    }
}

impl node::Guest for Nfs {
    /// A server knows no nodes and can be reached from all of them.
    fn get_info() -> Result<NodeInfo, Error> {
        Ok(NodeInfo {
            id: String::new(),
            max_volumes: 0,
        })
    }

    /// The mode comes first: a mount that succeeded is not staged again, so nothing may be left to do.
    fn stage_volume(request: StageRequest, target: &Target) -> Result<(), Error> {
        let share = Share::requested(&request)?;
        if share.mode.is_some() {
            prepare(&share)?;
        }
        match mount(&share, target) {
            Err(Error::NotFound(_)) if share.may_create() => {
                create(&share)?;
                mount(&share, target)
            }
            answer => answer,
        }
    }

    /// Whether the server answers is seen by the host, which asks the mount itself.
    fn get_health(_volume: Volume) -> Result<Health, Error> {
        Ok(Health::Ok)
    }
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
                directory.make_directory(missing, share.mode.unwrap_or(options::DEFAULT_MODE))?;
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
    share
        .mode
        .map_or(Ok(()), |mode| directory.set_mode(path, mode))
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
