//! On the node: a disk that was attached shows, holds a filesystem, and is mounted. It is known by its serial number.
//!
//! All that can fail comes before the mount: what is mounted is not staged again.
//!
//! ```no_run
//! use drivebay_guest::attached_disk::{Defaults, await_device, stage};
//! use drivebay_guest::block_devices::Identity;
//! use drivebay_guest::exports::node::StageRequest;
//! use drivebay_guest::mounts::Target;
//! use drivebay_guest::parameters::Params;
//! use drivebay_guest::types::Error;
//!
//! fn stage_volume(request: &StageRequest, target: &Target) -> Result<(), Error> {
//!     let volume = &request.volume;
//!     let serial = Params(&volume.publish_context).get("serial").unwrap_or_default();
//!     let identity = Identity { serial: serial.into(), size_bytes: None };
//!     let device = await_device(identity, 60_000, &volume.id)?;
//!     stage(&device, request, Defaults::default(), target)
//! }
//! ```

use crate::bindings::block_devices::{self, Content, Device, Identity};
use crate::bindings::log::{self, Level};
use crate::bindings::mounts::{MountOption, Target};
use crate::bindings::types::{Access, AccessType, Error, FilesystemAccess};
use crate::exports::node::{Health, StageRequest};
use crate::mount_options::mount_option;

/// What a volume says of its filesystem, where the claim says nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct Defaults<'a> {
    /// Its type; where that is empty too, the host takes what is on the disk, or its own default.
    pub fs_type: &'a str,
    /// Options for making it, with spaces between them.
    pub format_options: &'a str,
}

/// A filesystem, and how to mount it.
#[derive(Debug, PartialEq, Eq)]
struct Filesystem<'a> {
    fs_type: &'a str,
    format_options: Vec<String>,
    mount_options: Vec<MountOption>,
}

impl<'a> Filesystem<'a> {
    fn of(asked: &'a FilesystemAccess, defaults: Defaults<'a>) -> Self {
        let fs_type = match asked.fs_type.as_str() {
            "" => defaults.fs_type,
            asked => asked,
        };
        let format_options = defaults.format_options.split_ascii_whitespace();
        let mount_options = asked.mount_options.iter();
        Self {
            fs_type,
            format_options: format_options.map(String::from).collect(),
            mount_options: mount_options.map(|option| mount_option(option)).collect(),
        }
    }
}

/// Put the disk at the target, as it is or by a filesystem on it. Nothing is written for who may only read.
pub fn stage(
    device: &Device,
    request: &StageRequest,
    defaults: Defaults<'_>,
    target: &Target,
) -> Result<(), Error> {
    match &request.kind {
        AccessType::Block => device.bind(target),
        AccessType::Filesystem(asked) => {
            let wanted = Filesystem::of(asked, defaults);
            match request.access {
                Access::ReadWrite => {
                    device.ensure_filesystem(wanted.fs_type, &wanted.format_options)?;
                    // Of a disk that grew, or was made larger than its snapshot.
                    device.grow_filesystem()?;
                }
                Access::ReadOnly => must_hold_filesystem(device, &request.volume.id)?,
            }
            device.mount(target, &wanted.mount_options)
        }
    }
}

/// Wait until the disk shows. The size is that of the attachment, and the disk may have grown since: never shrunk. One that
/// is smaller is another disk, or a device whose name the kernel used before. `volume` is for the log.
pub fn await_device(
    mut identity: Identity,
    patience_ms: u32,
    volume: &str,
) -> Result<Device, Error> {
    let answer = block_devices::await_device(&identity, patience_ms);
    if !matches!(answer, Err(Error::FailedPrecondition(_))) {
        return answer;
    }
    let attached = identity.size_bytes.take();
    let device = block_devices::await_device(&identity, patience_ms)?;
    let size = device.size_bytes()?;
    if !has_grown(size, attached) {
        return answer;
    }
    let line =
        format!("volume {volume} has {size} bytes by now: it has grown since it was attached");
    log::write(Level::Info, &line);
    Ok(device)
}

fn has_grown(size: u64, attached: Option<u64>) -> bool {
    attached.is_some_and(|attached| size > attached)
}

/// How the disk is doing, as far as this node sees: whether it shows, whatever its size.
pub fn health(identity: Identity) -> Result<Health, Error> {
    let any_size = Identity {
        size_bytes: None,
        ..identity
    };
    match block_devices::find_device(&any_size) {
        Ok(_) => Ok(Health::Ok),
        Err(Error::NotFound(reason)) => Ok(Health::Inaccessible(reason)),
        Err(error) => Err(error),
    }
}

fn must_hold_filesystem(device: &Device, volume: &str) -> Result<(), Error> {
    let found = match device.inspect()? {
        Content::Filesystem(_) => return Ok(()),
        Content::Blank => String::from("it is blank"),
        Content::Other(what) => format!("it holds {what}"),
    };
    Err(
        error!(FailedPrecondition: "volume {volume} cannot be mounted read-only: {found}; mount it read-write once, \
        by which it gets a filesystem"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_disk_may_have_grown_and_not_shrunk() {
        assert!(has_grown(2048, Some(1024)));
        assert!(!has_grown(512, Some(1024)) && !has_grown(1024, None));
    }

    fn asked(fs_type: &str, mount_options: &[&str]) -> FilesystemAccess {
        FilesystemAccess {
            fs_type: fs_type.into(),
            mount_options: mount_options.iter().map(|o| String::from(*o)).collect(),
        }
    }

    #[test]
    fn the_claim_names_the_filesystem_then_the_volume_then_nobody() {
        let fs_type = |asked_for, fs_type| {
            let defaults = Defaults {
                fs_type,
                ..Defaults::default()
            };
            let asked = asked(asked_for, &[]);
            Filesystem::of(&asked, defaults).fs_type.to_owned()
        };
        assert_eq!(fs_type("ext3", "xfs"), "ext3");
        assert_eq!(fs_type("", "xfs"), "xfs");
        assert_eq!(fs_type("", ""), "");
    }

    /// As kubelet writes it.
    const LABEL: &str = "context=\"system_u:object_r:t:s0:c1,c2\"";

    #[test]
    fn a_mount_option_has_a_name_and_perhaps_a_value() {
        let asked = asked("xfs", &["noatime", "commit=30", LABEL]);
        assert_eq!(
            Filesystem::of(&asked, Defaults::default()).mount_options,
            [
                ("noatime".into(), None),
                ("commit".into(), Some("30".into())),
                (
                    "context".into(),
                    Some("\"system_u:object_r:t:s0:c1,c2\"".into())
                ),
            ]
        );
    }

    #[test]
    fn options_for_making_the_filesystem_are_taken_apart() {
        let defaults = Defaults {
            format_options: " -O  ^64bit ",
            ..Defaults::default()
        };
        let asked = asked("", &[]);
        let wanted = Filesystem::of(&asked, defaults);
        assert_eq!(wanted.format_options, ["-O", "^64bit"]);
    }
}
