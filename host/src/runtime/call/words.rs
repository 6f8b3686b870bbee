//! Our words in the contract's, and back.
//!
//! What a guest says goes into API objects and comes back: an id is taken as it is, or refused.

use crate::bindings::drivebay::driver::types as wit;
use crate::capability::plain_text;
use crate::error::DriverError;
use crate::sys::{MountAccess, MountOptions};
use crate::volume::{
    Access, AccessMode, AccessType, CapacityRange, CreateVolume, GroupSnapshotId, NodeId,
    PageToken, Parameters, Readiness, Snapshot, SnapshotId, Topology, VolumeCapability, VolumeId,
    VolumeInfo, VolumeSource,
};

pub(super) fn volume(
    id: &VolumeId,
    context: &Parameters,
    publish_context: &Parameters,
) -> wit::Volume {
    wit::Volume {
        id: id.0.clone(),
        context: context.pairs().to_vec(),
        publish_context: publish_context.pairs().to_vec(),
    }
}

pub(super) fn access_word(access: Access) -> wit::Access {
    match access {
        Access::ReadOnly => wit::Access::ReadOnly,
        Access::ReadWrite => wit::Access::ReadWrite,
    }
}

/// How a volume is used by who may use it so. A guest is told of mount options what the words that every
/// filesystem knows leave of them; read-only is an access, whoever says so.
pub(super) fn use_word(access: Access, kind: &AccessType) -> (Access, wit::AccessType) {
    let AccessType::Filesystem {
        fs_type,
        mount_options,
    } = kind
    else {
        return (access, wit::AccessType::Block);
    };
    let options = MountOptions::written(mount_access(access), mount_options);
    let access = match options.access() {
        MountAccess::ReadOnly => Access::ReadOnly,
        MountAccess::ReadWrite => Access::ReadWrite,
    };
    let kind = wit::AccessType::Filesystem(wit::FilesystemAccess {
        fs_type: fs_type.clone(),
        mount_options: options.texts(),
    });
    (access, kind)
}

pub(super) fn mount_access(access: Access) -> MountAccess {
    match access {
        Access::ReadOnly => MountAccess::ReadOnly,
        Access::ReadWrite => MountAccess::ReadWrite,
    }
}

pub(super) fn mode_word(mode: AccessMode) -> wit::AccessMode {
    match mode {
        AccessMode::SingleNodeWriter => wit::AccessMode::SingleNodeWriter,
        AccessMode::SingleNodeReaderOnly => wit::AccessMode::SingleNodeReaderOnly,
        AccessMode::MultiNodeReaderOnly => wit::AccessMode::MultiNodeReaderOnly,
        AccessMode::MultiNodeSingleWriter => wit::AccessMode::MultiNodeSingleWriter,
        AccessMode::MultiNodeMultiWriter => wit::AccessMode::MultiNodeMultiWriter,
        AccessMode::SingleNodeSingleWriter => wit::AccessMode::SingleNodeSingleWriter,
        AccessMode::SingleNodeMultiWriter => wit::AccessMode::SingleNodeMultiWriter,
    }
}

pub(super) fn capability_words(capabilities: &[VolumeCapability]) -> Vec<wit::VolumeCapability> {
    let word = |capability: &VolumeCapability| wit::VolumeCapability {
        mode: mode_word(capability.mode),
        kind: use_word(Access::ReadWrite, &capability.kind).1,
    };
    capabilities.iter().map(word).collect()
}

pub(super) fn capacity_word(capacity: CapacityRange) -> wit::CapacityRange {
    wit::CapacityRange {
        required_bytes: capacity.required_bytes,
        limit_bytes: capacity.limit_bytes,
    }
}

/// Another volume as the source is an argument of its own, to those that can clone.
pub(super) fn request_word(request: &CreateVolume) -> wit::CreateRequest {
    let source_snapshot_id = match &request.source {
        Some(VolumeSource::Snapshot(id)) => Some(id.0.clone()),
        Some(VolumeSource::Volume(_)) | None => None,
    };
    wit::CreateRequest {
        name: request.name.clone(),
        capacity: capacity_word(request.capacity),
        parameters: request.parameters.pairs().to_vec(),
        capabilities: capability_words(&request.capabilities),
        source_snapshot_id,
        places: request.places.iter().map(|place| place.0.clone()).collect(),
    }
}

/// `id` is what the volume's id is: of one just made, or of one that is known.
pub(super) fn volume_info(said: wit::VolumeInfo, id: Named) -> Result<VolumeInfo, DriverError> {
    let source = match said.source {
        None => None,
        Some(wit::VolumeSource::Snapshot(id)) => Some(VolumeSource::Snapshot(SnapshotId(
            checked_id(id, Named::Known)?,
        ))),
        Some(wit::VolumeSource::Volume(id)) => Some(VolumeSource::Volume(VolumeId(checked_id(
            id,
            Named::Known,
        )?))),
    };
    let node = |node| checked_id(node, Named::Node).map(NodeId);
    Ok(VolumeInfo {
        id: VolumeId(checked_id(said.id, id)?),
        capacity_bytes: said.capacity_bytes,
        context: Parameters::new(said.context),
        source,
        places: said.places.into_iter().map(Topology).collect(),
        nodes: said.nodes.into_iter().map(node).collect::<Result<_, _>>()?,
    })
}

/// `id` as for [`volume_info`].
pub(super) fn snapshot_info(said: wit::Snapshot, id: Named) -> Result<Snapshot, DriverError> {
    let group = said.group_id.map(|id| checked_id(id, Named::Known));
    Ok(Snapshot {
        id: SnapshotId(checked_id(said.id, id)?),
        source: VolumeId(checked_id(said.source_volume_id, Named::Known)?),
        size_bytes: said.size_bytes,
        created_at_seconds: said.created_at_seconds,
        readiness: match said.readiness {
            wit::Readiness::Pending => Readiness::Pending,
            wit::Readiness::Ready => Readiness::Ready,
        },
        group: group.transpose()?.map(GroupSnapshotId),
    })
}

/// A token is handed back as it is: it is the guest's own word, and no caller reads it.
pub(super) fn token(said: Option<String>) -> Option<PageToken> {
    said.filter(|token| !token.is_empty()).map(PageToken)
}

/// What an id names.
#[derive(Debug, Clone, Copy)]
pub(super) enum Named {
    Volume,
    Snapshot,
    GroupSnapshot,
    Node,
    /// A volume, a snapshot or a group that was there before: other drivers made some whose ids are longer, and Kubernetes
    /// takes them.
    Known,
}

impl Named {
    /// In bytes: CSI's bound on strings, its exception for nodes, and what no driver is known to exceed.
    fn longest(self) -> usize {
        match self {
            Self::Volume | Self::Snapshot | Self::GroupSnapshot => 128,
            Self::Node => 192,
            Self::Known => 1024,
        }
    }
}

/// An id comes back to us, and to the guest, for as long as the volume lives; one that cannot be written
/// down is refused before anybody does. Changing it to something that can be would name another volume.
pub(super) fn checked_id(said: String, of: Named) -> Result<String, DriverError> {
    let longest = of.longest();
    if (1..=longest).contains(&said.len()) && !said.chars().any(char::is_control) {
        return Ok(said);
    }
    Err(DriverError::internal(format!(
        "the guest answered with the {of:?} id {:?}, which is not 1 to {longest} bytes without control characters",
        plain_text(&said)
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(access: Access, mount_options: &[&str]) -> (Access, String) {
        let kind = AccessType::Filesystem {
            fs_type: String::new(),
            mount_options: mount_options.iter().map(|o| (*o).to_owned()).collect(),
        };
        match use_word(access, &kind) {
            (access, wit::AccessType::Filesystem(told)) => (access, told.mount_options.join(" ")),
            (_, wit::AccessType::Block) => panic!("not a block device"),
        }
    }

    #[test]
    fn a_guest_is_told_one_option_each_and_nothing_without_effect() {
        let list = ["rw,noatime", "_netdev", "commit=5, nodiratime", "defaults"];
        assert_eq!(
            told(Access::ReadWrite, &list),
            (Access::ReadWrite, "noatime nodiratime commit=5".to_owned())
        );
    }

    #[test]
    fn read_only_among_the_options_is_an_access_and_nothing_lifts_it() {
        for (access, list, told_access) in [
            (Access::ReadWrite, "ro", Access::ReadOnly),
            (Access::ReadWrite, "ro,rw", Access::ReadWrite),
            (Access::ReadOnly, "rw", Access::ReadOnly),
        ] {
            assert_eq!(
                told(access, &[list]),
                (told_access, String::new()),
                "{list}"
            );
        }
    }

    #[test]
    fn what_is_known_already_may_have_the_longer_id_that_another_driver_gave_it() {
        let long = "x".repeat(129);
        assert!(checked_id(long.clone(), Named::Volume).is_err());
        assert_eq!(checked_id(long.clone(), Named::Known).expect("good"), long);
        assert!(checked_id("x".repeat(1025), Named::Known).is_err());
    }

    #[test]
    fn an_id_is_taken_as_it_is_or_refused() {
        for good in ["d-1", "pool/a b", &"x".repeat(128)] {
            assert_eq!(
                checked_id(good.to_owned(), Named::Volume).expect("good"),
                good
            );
        }
        for bad in ["", "a\nb", &"x".repeat(129)] {
            let error = checked_id(bad.to_owned(), Named::Volume).expect_err("bad");
            assert!(
                error.to_string().contains("which is not 1 to 128 bytes"),
                "{bad:?}"
            );
        }
    }
}
