//! {{name}}: shares of a server that exist already, mounted for pods. NFS, as it stands; see [`share`].
//!
//! This file has what the host calls, one block for each interface of the contract in `wit/`; each call gets a fresh
//! instance, so that nothing is kept here.

mod share;

use drivebay_guest::exports::identity::{self, Description};
use drivebay_guest::exports::node::{self, Health, NodeInfo, StageRequest};
use drivebay_guest::mounts::{Target, open_remote};
use drivebay_guest::parameters::described;
use drivebay_guest::prelude::*;
use drivebay_guest::volume::filesystem;

/// What the host calls.
pub struct Backend;

// What it exports is what it can do; what it uses of the host is what it asks for. Panics are traps that say nothing, so
// what they say is logged.
drivebay_guest::export!(Backend: identity, node);
drivebay_guest::log_panics!();

impl identity::Guest for Backend {
    fn describe() -> Description {
        Description {
            name: "{{name}}".into(),
            ..drivebay_guest::description!("shares of a server", described(&[share::OF_VOLUMES]))
        }
    }
}

impl node::Guest for Backend {
    /// The host's name for this node will do, and there is no limit of volumes.
    fn get_info() -> Result<NodeInfo, Error> {
        Ok(NodeInfo::default())
    }

    /// The host has made the target, and binds, remounts and unmounts; it also remembers what it mounted.
    fn stage_volume(request: StageRequest, target: &Target) -> Result<(), Error> {
        let wanted = filesystem("a share", &request.kind)?;
        let source = share::source(&request.volume)?;
        let options = share::options(&request.volume, &wanted.mount_options)?;
        target.mount_remote(&source, &options.to_list())
    }

    /// A mount of its own that nobody else sees, gone with the call: whether the server answers.
    fn get_health(volume: Volume) -> Result<Health, Error> {
        let options = share::options(&volume, &[])?;
        match open_remote(&share::source(&volume)?, &options.to_list()) {
            Err(Error::Unavailable(reason) | Error::NotFound(reason)) => {
                Ok(Health::Inaccessible(reason))
            }
            opened => opened.map(|_| Health::Ok),
        }
    }
}
