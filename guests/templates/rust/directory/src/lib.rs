//! {{name}}: volumes are directories of a pool, which is a directory of the node that the operator granted.
//!
//! This file has what the host calls, one block for each interface of the contract in `wit/`; each call gets a fresh
//! instance, so that nothing is kept here. What becomes of a volume is in [`volumes`], with tests.

mod volumes;

use drivebay_guest::exports::controller;
use drivebay_guest::exports::identity::{self, Description};
use drivebay_guest::exports::node::{self, Health, NodeInfo, StageRequest};
use drivebay_guest::log::Level;
use drivebay_guest::mounts::{Target, open_directory};
use drivebay_guest::parameters::described;
use drivebay_guest::prelude::*;
use drivebay_guest::volume::{refuse_block, refuse_choices};

/// The name in the operator's file under which the pool is granted.
const POOL: &str = "pool";

drivebay_guest::parameters! {
    const OF_CLASSES: "storage-class" = {
        MODE: Word = "mode", default = "0755" => "Permission bits of a volume's directory, in octal.";
    }
}

/// What the host calls.
pub struct Backend;

// What it exports is what it can do; what it uses of the host is what it asks for. Panics are traps that say nothing, so
// what they say is logged.
drivebay_guest::export!(Backend: identity, controller, node);
drivebay_guest::log_panics!();

impl identity::Guest for Backend {
    fn describe() -> Description {
        Description {
            name: "{{name}}".into(),
            ..drivebay_guest::description!("directories of a pool", described(&[OF_CLASSES]))
        }
    }
}

impl controller::Guest for Backend {
    fn create_volume(request: CreateRequest) -> Result<VolumeInfo, Error> {
        refuse_block("a volume", &request.capabilities)?;
        let mode = volumes::mode(Params(&request.parameters).get(MODE))?;
        let id = volumes::create(&open_directory(POOL)?, &request.name, mode)?;
        log::write(Level::Info, &format!("volume {id} is there"));
        Ok(info(id))
    }

    fn delete_volume(id: String) -> Result<(), Error> {
        volumes::delete(&open_directory(POOL)?, &id)
    }

    fn validate_volume(volume: Volume, capabilities: Vec<VolumeCapability>) -> Result<(), Error> {
        volumes::require(&open_directory(POOL)?, &volume.id)?;
        refuse_block("a volume", &capabilities)
    }

    fn get_volume(id: String) -> Result<VolumeInfo, Error> {
        volumes::require(&open_directory(POOL)?, &id)?;
        Ok(info(id))
    }
}

impl node::Guest for Backend {
    /// The host's name for this node will do, and there is no limit of volumes.
    fn get_info() -> Result<NodeInfo, Error> {
        Ok(NodeInfo::default())
    }

    /// The host has made the target, and binds, remounts and unmounts; it also remembers what it mounted.
    fn stage_volume(request: StageRequest, target: &Target) -> Result<(), Error> {
        refuse_choices("a volume", &request.kind)?;
        let pool = open_directory(POOL)?;
        volumes::require(&pool, &request.volume.id)?;
        target.bind(&pool, &request.volume.id)
    }

    fn get_health(volume: Volume) -> Result<Health, Error> {
        match volumes::require(&open_directory(POOL)?, &volume.id) {
            Err(Error::NotFound(reason)) => Ok(Health::Inaccessible(reason)),
            found => found.map(|()| Health::Ok),
        }
    }
}

/// A directory has no size of its own: Kubernetes takes 0 for what the claim asked for.
fn info(id: String) -> VolumeInfo {
    VolumeInfo {
        id,
        ..VolumeInfo::default()
    }
}
