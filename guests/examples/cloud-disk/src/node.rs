//! On the node: wait for the disk, have it hold a filesystem, mount it.

use drivebay_guest::attached_disk::{self, Defaults, await_device};
use drivebay_guest::block_devices::Identity;
use drivebay_guest::exports::accessibility;
use drivebay_guest::exports::node::{self, Health, NodeInfo, StageRequest};
use drivebay_guest::mounts::Target;
use drivebay_guest::prelude::*;

use crate::{CloudDisk, SERIAL, ZONE, cloud};

/// Longer than this cloud ever took to show an attached disk to the node.
const PATIENCE_MS: u32 = 30_000;

impl node::Guest for CloudDisk {
    fn get_info() -> Result<NodeInfo, Error> {
        let node = cloud::this_node()?;
        Ok(NodeInfo {
            id: node.id,
            max_volumes: node.max_disks,
        })
    }

    /// Where the claim names no filesystem, whatever is on the disk will do.
    fn stage_volume(request: StageRequest, target: &Target) -> Result<(), Error> {
        let volume = &request.volume;
        let device = await_device(identity(volume)?, PATIENCE_MS, &volume.id)?;
        attached_disk::stage(&device, &request, Defaults::default(), target)
    }

    fn get_health(volume: Volume) -> Result<Health, Error> {
        attached_disk::health(identity(&volume)?)
    }
}

impl accessibility::Guest for CloudDisk {
    fn get_topology() -> Result<Topology, Error> {
        Ok(vec![(ZONE.into(), cloud::this_node()?.zone)])
    }
}

/// A disk is known by the serial number that `attach-volume` returned.
fn identity(volume: &Volume) -> Result<Identity, Error> {
    match Params(&volume.publish_context).get(SERIAL) {
        Some(serial) => Ok(Identity {
            serial: serial.into(),
            size_bytes: None,
        }),
        None => Err(error!(FailedPrecondition: "volume {} is not attached", volume.id)),
    }
}
