//! On the node: which device a volume is, and how it is to be mounted.

use drivebay_guest::block_devices::{self, Content, Device, Identity};
use drivebay_guest::exports::node::{Health, StageRequest};
use drivebay_guest::log::Level;
use drivebay_guest::mount_options::mount_option;
use drivebay_guest::mounts::{MountOption, Target};
use drivebay_guest::prelude::*;

use crate::attach::{SERIAL, SIZE};
use crate::id::DiskId;
use crate::parameter_names;

/// An attached disk shows within a few seconds; a busy machine may take longer, and kubelet waits two minutes.
const PATIENCE_MS: u32 = 60_000;

/// Put the volume at the target.
#[inline(never)]
pub(crate) fn stage_volume(request: &StageRequest, target: &Target) -> Result<(), Error> {
    check_words(&request.volume)?;
    let device = await_device(identity(&request.volume)?, &request.volume.id)?;
    match &request.kind {
        AccessType::Block => device.bind(target),
        AccessType::Filesystem(asked) => {
            let wanted = Filesystem::from_request(&request.volume, asked);
            match request.access {
                Access::ReadWrite => {
                    device.ensure_filesystem(&wanted.fs_type, &wanted.format_options)?;
                    // Of a disk that grew, or was made larger than its snapshot. Before the mount: what is
                    // mounted is not staged again.
                    device.grow_filesystem()?;
                }
                Access::ReadOnly => must_hold_filesystem(&device, &request.volume.id)?,
            }
            device.mount(target, &wanted.mount_options)
        }
    }
}

/// How the volume is doing, as far as this node sees.
#[inline(never)]
pub(crate) fn get_health(volume: &Volume) -> Result<Health, Error> {
    let any_size = Identity {
        size_bytes: None,
        ..identity(volume)?
    };
    match block_devices::find_device(&any_size) {
        Ok(_) => Ok(Health::Ok),
        Err(Error::NotFound(reason)) => Ok(Health::Inaccessible(reason)),
        Err(error) => Err(error),
    }
}

/// The size is that of the attachment, and the disk may have grown since: never shrunk. One that is smaller is
/// another disk, or a device whose name the kernel used before.
fn await_device(mut identity: Identity, volume: &str) -> Result<Device, Error> {
    let answer = block_devices::await_device(&identity, PATIENCE_MS);
    if !matches!(answer, Err(Error::FailedPrecondition(_))) {
        return answer;
    }
    let attached = identity.size_bytes.take();
    let device = block_devices::await_device(&identity, PATIENCE_MS)?;
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

/// Nothing is written for who may only read.
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

/// By the publish context of `attach-volume`. A volume that somebody else attached is known by its disk's id.
fn identity(volume: &Volume) -> Result<Identity, Error> {
    let context = Params(&volume.publish_context);
    let serial = match context.get(SERIAL) {
        Some(serial) => serial,
        None => DiskId::of(volume)?.serial(),
    };
    Ok(Identity {
        serial: serial.into(),
        size_bytes: context.get(SIZE)?.filter(|bytes| *bytes > 0),
    })
}

/// A filesystem and how to mount it.
#[derive(Debug, PartialEq, Eq)]
struct Filesystem {
    fs_type: String,
    format_options: Vec<String>,
    mount_options: Vec<MountOption>,
}

impl Filesystem {
    fn from_request(volume: &Volume, asked: &FilesystemAccess) -> Self {
        let params = Params(&volume.context);
        let fs_type = Some(asked.fs_type.as_str()).filter(|asked| !asked.is_empty());
        // Where nobody named one, the host takes what is there, or its default.
        let fs_type = fs_type
            .or(params.get(parameter_names::FS_TYPE))
            .unwrap_or_default();
        let options = params
            .get(parameter_names::MKFS_OPTIONS)
            .unwrap_or_default();
        let written = asked.mount_options.iter();
        Self {
            fs_type: fs_type.into(),
            format_options: options.split_ascii_whitespace().map(String::from).collect(),
            mount_options: written.map(|option| mount_option(option)).collect(),
        }
    }
}

/// Words of an older volume that would change what its pod finds.
fn check_words(volume: &Volume) -> Result<(), Error> {
    let blocks = |(key, value): &&(String, String)| {
        !value.is_empty() && parameter_names::blocks_volumes(key)
    };
    let Some((key, _)) = volume.context.iter().find(blocks) else {
        return Ok(());
    };
    let reason = parameter_names::refusal(key).unwrap_or("it cannot be honoured");
    Err(
        error!(InvalidArgument: "volume {} has {key}: {reason}, and what that cache holds is missing on the disk",
        volume.id),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        pairs
            .iter()
            .map(|(k, v)| ((*k).into(), (*v).into()))
            .collect()
    }

    fn volume(context: &[(&str, &str)], publish_context: &[(&str, &str)]) -> Volume {
        Volume {
            id: "d-abc".into(),
            context: pairs(context),
            publish_context: pairs(publish_context),
        }
    }

    fn asked(fs_type: &str, mount_options: &[&str]) -> FilesystemAccess {
        FilesystemAccess {
            fs_type: fs_type.into(),
            mount_options: mount_options.iter().map(|o| String::from(*o)).collect(),
        }
    }

    #[test]
    fn a_device_is_known_by_what_attaching_said() {
        let attached = identity(&volume(
            &[],
            &[(SERIAL.name(), "xyz"), (SIZE.name(), "1024")],
        ))
        .expect("known");
        assert_eq!(
            (attached.serial.as_str(), attached.size_bytes),
            ("xyz", Some(1024))
        );
        let unattached = identity(&volume(&[], &[])).expect("known");
        assert_eq!(
            (unattached.serial.as_str(), unattached.size_bytes),
            ("abc", None)
        );
        assert!(identity(&volume(&[], &[(SIZE.name(), "much")])).is_err());
    }

    #[test]
    fn a_disk_may_have_grown_and_not_shrunk() {
        assert!(has_grown(2048, Some(1024)));
        assert!(!has_grown(512, Some(1024)) && !has_grown(1024, None));
    }

    #[test]
    fn the_claim_names_the_filesystem_then_the_volume_then_nobody() {
        let fs_type = |context: &[(&str, &str)], fs| {
            Filesystem::from_request(&volume(context, &[]), &asked(fs, &[])).fs_type
        };
        assert_eq!(fs_type(&[("fstype", "xfs")], "ext3"), "ext3");
        assert_eq!(fs_type(&[("fstype", "xfs")], ""), "xfs");
        assert_eq!(fs_type(&[], ""), "");
    }

    /// As kubelet writes it.
    const LABEL: &str = "context=\"system_u:object_r:t:s0:c1,c2\"";

    #[test]
    fn a_mount_option_has_a_name_and_perhaps_a_value() {
        let options = Filesystem::from_request(
            &volume(&[], &[]),
            &asked("xfs", &["noatime", "commit=30", LABEL]),
        );
        assert_eq!(
            options.mount_options,
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
        let volume = volume(&[("mkfsOptions", " -O  ^64bit ")], &[]);
        assert_eq!(
            Filesystem::from_request(&volume, &asked("", &[])).format_options,
            ["-O", "^64bit"]
        );
    }

    #[test]
    fn an_old_volumes_cache_keeps_it_from_being_mounted_and_its_limits_do_not() {
        assert!(check_words(&volume(&[("dataCacheMode", "writeback")], &[])).is_err());
        check_words(&volume(&[("readIOPS", "100"), ("type", "cloud_ssd")], &[])).expect("mounted");
    }
}
