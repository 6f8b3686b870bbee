//! {{name}}: disks that are attached to the node already, known by their serial numbers. The host finds the disk, makes
//! a filesystem where it is blank, checks it where it is not, and mounts it.
//!
//! This file has what the host calls, one block for each interface of the contract in `wit/`; each call gets a fresh
//! instance, so that nothing is kept here.

use drivebay_guest::block_devices::{Identity, await_device, find_device};
use drivebay_guest::exports::identity::{self, Description};
use drivebay_guest::exports::node::{self, Health, NodeInfo, StageRequest};
use drivebay_guest::mounts::{MountOption, Target};
use drivebay_guest::parameters::described;
use drivebay_guest::prelude::*;

/// How long a disk that was just attached may take to appear.
const PATIENCE_MS: u32 = 30_000;

drivebay_guest::parameters! {
    const OF_VOLUMES: "volume" = {
        SERIAL: Word = "serial", default = "the volume's id" => "Serial number, as the disk reports it.";
    }
}

/// What the host calls.
pub struct Backend;

// What it exports is what it can do; what it uses of the host is what it asks for. Panics are traps that say nothing, so
// what they say is logged. Where a cloud attaches its disks, `attachment` and `controller` are exported too.
drivebay_guest::export!(Backend: identity, node);
drivebay_guest::log_panics!();

impl identity::Guest for Backend {
    fn describe() -> Description {
        Description {
            name: "{{name}}".into(),
            ..drivebay_guest::description!("disks of the node", described(&[OF_VOLUMES]))
        }
    }
}

impl node::Guest for Backend {
    /// The host's name for this node will do. The number of disks that can be attached is not known here.
    fn get_info() -> Result<NodeInfo, Error> {
        Ok(NodeInfo::default())
    }

    /// All that can fail comes before the mount: what is mounted is not staged again.
    fn stage_volume(request: StageRequest, target: &Target) -> Result<(), Error> {
        let device = await_device(&disk(&request.volume), PATIENCE_MS)?;
        let AccessType::Filesystem(wanted) = request.kind else {
            return device.bind(target);
        };
        device.ensure_filesystem(&wanted.fs_type, &[])?;
        if request.access == Access::ReadWrite {
            device.grow_filesystem()?;
        }
        let options = wanted.mount_options.iter().map(|word| option(word));
        device.mount(target, &options.collect::<Vec<_>>())
    }

    fn get_health(volume: Volume) -> Result<Health, Error> {
        match find_device(&disk(&volume)) {
            Err(Error::NotFound(reason)) => Ok(Health::Inaccessible(reason)),
            found => found.map(|_| Health::Ok),
        }
    }
}

/// Which disk it is.
fn disk(volume: &Volume) -> Identity {
    let serial = Params(&volume.context).get(SERIAL).unwrap_or(&volume.id);
    Identity {
        serial: serial.into(),
        size_bytes: None,
    }
}

/// `commit=60` has a value, `noatime` has none.
fn option(word: &str) -> MountOption {
    match word.split_once('=') {
        Some((name, value)) => (name.into(), Some(value.into())),
        None => (word.into(), None),
    }
}

#[cfg(test)]
mod tests {
    use drivebay_guest::fake::volume;

    use super::*;

    #[test]
    fn a_disk_goes_by_its_serial_number_and_else_by_the_volumes_id() {
        let serial = |context: &[(&str, &str)]| disk(&volume("disk-1", context)).serial;
        assert_eq!(serial(&[("serial", "WD-1")]), "WD-1");
        assert_eq!(serial(&[]), "disk-1");
    }

    #[test]
    fn an_option_may_have_a_value() {
        assert_eq!(option("commit=60"), ("commit".into(), Some("60".into())));
        assert_eq!(option("noatime"), ("noatime".into(), None));
    }
}
