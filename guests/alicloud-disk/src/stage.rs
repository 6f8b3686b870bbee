//! On the node: which device a volume is, and which filesystem it is to hold.

use drivebay_guest::attached_disk::{self, Defaults, await_device};
use drivebay_guest::block_devices::Identity;
use drivebay_guest::exports::node::{Health, StageRequest};
use drivebay_guest::mounts::Target;
use drivebay_guest::parameters::Word;
use drivebay_guest::prelude::*;

use crate::attach::{SERIAL, SIZE};
use crate::id::DiskId;
use crate::parameter_names;

/// An attached disk shows within a few seconds; a busy machine may take longer, and kubelet waits two minutes.
const PATIENCE_MS: u32 = 60_000;

/// Put the volume at the target.
#[inline(never)]
pub(crate) fn stage_volume(request: &StageRequest, target: &Target) -> Result<(), Error> {
    let volume = &request.volume;
    check_words(volume)?;
    let device = await_device(identity(volume)?, PATIENCE_MS, &volume.id)?;
    attached_disk::stage(&device, request, defaults(volume), target)
}

/// How the volume is doing, as far as this node sees.
#[inline(never)]
pub(crate) fn get_health(volume: &Volume) -> Result<Health, Error> {
    attached_disk::health(identity(volume)?)
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

fn defaults(volume: &Volume) -> Defaults<'_> {
    let params = Params(&volume.context);
    let text = |parameter: Word| params.get(parameter).unwrap_or_default();
    Defaults {
        fs_type: text(parameter_names::FS_TYPE),
        format_options: text(parameter_names::MKFS_OPTIONS),
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
    fn the_volume_says_which_filesystem_and_how_to_make_it() {
        let volume = volume(&[("fstype", "xfs"), ("mkfsOptions", "-O ^64bit")], &[]);
        let said = defaults(&volume);
        assert_eq!((said.fs_type, said.format_options), ("xfs", "-O ^64bit"));
    }

    #[test]
    fn an_old_volumes_cache_keeps_it_from_being_mounted_and_its_limits_do_not() {
        assert!(check_words(&volume(&[("dataCacheMode", "writeback")], &[])).is_err());
        check_words(&volume(&[("readIOPS", "100"), ("type", "cloud_ssd")], &[])).expect("mounted");
    }
}
