//! A cloud's disks as volumes: most interfaces of the contract in one small guest.
//!
//! The cloud is imaginary (see `api`); the shape is that of all of them. A controller makes disks and attaches
//! them by signed calls over https. The node waits for the disk with the right serial number, has it hold a
//! filesystem, and mounts it. No key, no address and no device path ever passes through here.

mod api;
mod cloud;
mod controller;
mod node;
mod snapshots;

use drivebay_guest::exports::identity::{self, Description};
use drivebay_guest::parameters::described;

/// What a disk is where its class does not say.
const DEFAULT_TYPE: &str = "standard";

/// The one key of this cloud's topology.
const ZONE: &str = "zone";

/// The publish context: how the node recognises the disk.
const SERIAL: &str = "serial";

drivebay_guest::parameters! {
    const OF_CLASSES: "storage-class" = {
        TYPE: Text = "type", default = DEFAULT_TYPE => "Type of the disk: standard or fast.";
    }
}

drivebay_guest::parameters! {
    const OF_ATTRIBUTES_CLASSES: "volume-attributes-class" = {
        TYPE => "Type to change the disk to: standard or fast.";
    }
}

/// The guest.
#[derive(Debug)]
pub struct CloudDisk;

drivebay_guest::export!(
    CloudDisk: identity, controller, volume_listing, attachment, snapshots, snapshot_listing, expansion, modification,
    node, accessibility
);

impl identity::Guest for CloudDisk {
    fn describe() -> Description {
        let parameters = described(&[OF_CLASSES, OF_ATTRIBUTES_CLASSES]);
        drivebay_guest::description!("disks of an imaginary cloud", parameters)
    }
}
