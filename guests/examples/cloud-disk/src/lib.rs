//! A cloud's disks as volumes: most interfaces of the contract in one small guest.
//!
//! The cloud is imaginary (see `api`); the shape is that of all of them. A controller makes disks and attaches
//! them by signed calls over https. The node waits for the disk with the right serial number, has it hold a
//! filesystem, and mounts it. No key, no address and no device path ever passes through here.

mod api;
mod bindings;
mod cloud;
mod controller;
mod node;
mod snapshots;

pub use bindings::CloudDisk;
use bindings::exports::drivebay::driver::identity::{self, Description, Parameter};

/// The disk's type, in StorageClasses and in VolumeAttributesClasses.
const TYPE: &str = "type";
const DEFAULT_TYPE: &str = "standard";

/// The one key of this cloud's topology.
const ZONE: &str = "zone";

/// The publish context: how the node recognises the disk.
const SERIAL: &str = "serial";

impl identity::Guest for CloudDisk {
    fn describe() -> Description {
        let parameter = |scope: &str, default: Option<&str>, meaning: &str| Parameter {
            name: TYPE.into(),
            scope: scope.into(),
            required: false,
            default: default.map(String::from),
            description: meaning.into(),
        };
        Description {
            name: env!("CARGO_PKG_NAME").into(),
            version: env!("CARGO_PKG_VERSION").into(),
            summary: "disks of an imaginary cloud".into(),
            parameters: vec![
                parameter(
                    "storage-class",
                    Some(DEFAULT_TYPE),
                    "Type of the disk: standard or fast.",
                ),
                parameter(
                    "volume-attributes-class",
                    None,
                    "Type to change the disk to: standard or fast.",
                ),
            ],
        }
    }
}

/// The value of a parameter or of a topology's key.
fn get<'a>(pairs: &'a [(String, String)], name: &str) -> Option<&'a str> {
    let (_, value) = pairs.iter().find(|(key, _)| key == name)?;
    Some(value.as_str())
}
