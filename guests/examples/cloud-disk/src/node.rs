//! On the node: wait for the disk, have it hold a filesystem, mount it.

use drivebay_guest::block_devices::{self, Identity};
use drivebay_guest::exports::accessibility;
use drivebay_guest::exports::node::{self, Health, NodeInfo, StageRequest};
use drivebay_guest::log::Level;
use drivebay_guest::mount_options::mount_option;
use drivebay_guest::mounts::{MountOption, Target};
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

    fn stage_volume(request: StageRequest, target: &Target) -> Result<(), Error> {
        let device = block_devices::await_device(&identity(&request.volume)?, PATIENCE_MS)?;
        match request.kind {
            AccessType::Block => device.bind(target),
            AccessType::Filesystem(wanted) => {
                // Where the claim names none, whatever is on the disk will do.
                device.ensure_filesystem(&wanted.fs_type, &[])?;
                let options: Vec<MountOption> = wanted
                    .mount_options
                    .iter()
                    .map(|o| mount_option(o))
                    .collect();
                // A disk made from a snapshot may be larger than the filesystem that came with it. All that
                // can fail comes before the mount: what is mounted is not staged again.
                if request.access == Access::ReadWrite {
                    device.grow_filesystem()?;
                }
                device.mount(target, &options)
            }
        }
    }

    fn get_health(volume: Volume) -> Result<Health, Error> {
        match block_devices::find_device(&identity(&volume)?) {
            Ok(_) => Ok(Health::Ok),
            Err(Error::NotFound(reason)) => {
                log::write(
                    Level::Warn,
                    &format!("disk {} is gone: {reason}", volume.id),
                );
                Ok(Health::Inaccessible(reason))
            }
            Err(error) => Err(error),
        }
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
