//! The host's types as the contract's, and back.
//!
//! On the way back each field is checked.

use super::validate::{Answered, Named};
use crate::bindings::drivebay::driver::types as wit;
use crate::error::DriverError;
use crate::volume::{
    Access, AccessMode, AccessType, CapacityRange, CreateVolume, GroupSnapshotId, Parameters,
    Readiness, Snapshot, SnapshotId, VolumeCapability, VolumeId, VolumeInfo, VolumeSource,
};
use crate::worker::MountOptions;

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

pub(super) fn wit_access(access: Access) -> wit::Access {
    match access {
        Access::ReadOnly => wit::Access::ReadOnly,
        Access::ReadWrite => wit::Access::ReadWrite,
    }
}

/// How a volume is used by who may use it so. A guest is told of mount options what the words that every
/// filesystem knows leave of them; read-only is an access, whoever says so.
pub(super) fn wit_use(access: Access, kind: &AccessType) -> (Access, wit::AccessType) {
    let AccessType::Filesystem {
        fs_type,
        mount_options,
    } = kind
    else {
        return (access, wit::AccessType::Block);
    };
    let options = MountOptions::written(access, mount_options);
    let kind = wit::AccessType::Filesystem(wit::FilesystemAccess {
        fs_type: fs_type.clone(),
        mount_options: options.texts(),
    });
    (options.access(), kind)
}

/// By CSI's names.
fn wit_access_mode(mode: AccessMode) -> wit::AccessMode {
    match mode {
        AccessMode::SingleNodeWriter => "SINGLE_NODE_WRITER",
        AccessMode::SingleNodeReaderOnly => "SINGLE_NODE_READER_ONLY",
        AccessMode::MultiNodeReaderOnly => "MULTI_NODE_READER_ONLY",
        AccessMode::MultiNodeSingleWriter => "MULTI_NODE_SINGLE_WRITER",
        AccessMode::MultiNodeMultiWriter => "MULTI_NODE_MULTI_WRITER",
        AccessMode::SingleNodeSingleWriter => "SINGLE_NODE_SINGLE_WRITER",
        AccessMode::SingleNodeMultiWriter => "SINGLE_NODE_MULTI_WRITER",
    }
    .to_owned()
}

pub(super) fn wit_capabilities(capabilities: &[VolumeCapability]) -> Vec<wit::VolumeCapability> {
    let word = |capability: &VolumeCapability| wit::VolumeCapability {
        mode: wit_access_mode(capability.mode),
        kind: wit_use(Access::ReadWrite, &capability.kind).1,
    };
    capabilities.iter().map(word).collect()
}

pub(super) fn wit_capacity(capacity: CapacityRange) -> wit::CapacityRange {
    wit::CapacityRange {
        required_bytes: capacity.required_bytes,
        limit_bytes: capacity.limit_bytes,
    }
}

/// Another volume as the source is an argument of its own, to those that can clone.
pub(super) fn wit_create_request(request: &CreateVolume) -> wit::CreateRequest {
    let source_snapshot_id = match &request.source {
        Some(VolumeSource::Snapshot(id)) => Some(id.0.clone()),
        Some(VolumeSource::Volume(_)) | None => None,
    };
    wit::CreateRequest {
        name: request.name.clone(),
        capacity: wit_capacity(request.capacity),
        parameters: request.parameters.pairs().to_vec(),
        capabilities: wit_capabilities(&request.capabilities),
        source_snapshot_id,
        accessibility_requirements: request.places.iter().map(|place| place.0.clone()).collect(),
    }
}

/// What a volume that a guest tells of has to agree with.
#[derive(Debug, Clone, Copy)]
pub(super) enum Asked<'a> {
    /// It was to be made so.
    Made(&'a CreateVolume),
    /// It was asked for by its id.
    Known(&'a VolumeId),
    /// It is one of a list.
    Listed,
}

/// # Errors
/// `internal` for what no volume can have, and for another volume than was asked for.
pub(super) fn volume_info(
    answered: Answered<'_>,
    said: wit::VolumeInfo,
    asked: Asked<'_>,
) -> Result<VolumeInfo, DriverError> {
    let (id, capacity, context) = ("id", "capacity-bytes", "context");
    let source = said.source.map(|source| volume_source(answered, source));
    let source = source.transpose()?;
    let (places, nodes) = (
        answered.places("accessible-topology", said.accessible_topology)?,
        answered.nodes("published-node-ids", said.published_node_ids)?,
    );
    let (id, capacity_bytes, context) = match asked {
        Asked::Made(request) => (
            answered.id(id, said.id, Named::Volume)?,
            made_capacity(answered, said.capacity_bytes, request)?,
            answered.new_context(context, said.context)?,
        ),
        Asked::Known(known) => (
            answered.same_id(id, said.id, &known.0)?,
            answered.bytes(capacity, said.capacity_bytes)?,
            answered.context(context, said.context)?,
        ),
        Asked::Listed => (
            answered.id(id, said.id, Named::Known)?,
            answered.bytes(capacity, said.capacity_bytes)?,
            answered.context(context, said.context)?,
        ),
    };
    // A disk that was taken over may have begun with a snapshot that nobody asks for any more.
    if let Asked::Made(request) = asked
        && request.source.is_some()
        && source != request.source
    {
        return Err(answered.wrong("source", "it is not what the volume was to begin with"));
    }
    Ok(VolumeInfo {
        id: VolumeId(id),
        capacity_bytes,
        context,
        source,
        places,
        nodes,
    })
}

/// 0 says that the backend has no notion of a size.
fn made_capacity(
    answered: Answered<'_>,
    said: u64,
    request: &CreateVolume,
) -> Result<u64, DriverError> {
    match said {
        0 => Ok(0),
        said => answered.size("capacity-bytes", said, request.capacity),
    }
}

fn volume_source(
    answered: Answered<'_>,
    said: wit::VolumeSource,
) -> Result<VolumeSource, DriverError> {
    let known = |id| answered.id("source", id, Named::Known);
    Ok(match said {
        wit::VolumeSource::Snapshot(id) => VolumeSource::Snapshot(SnapshotId(known(id)?)),
        wit::VolumeSource::Volume(id) => VolumeSource::Volume(VolumeId(known(id)?)),
    })
}

/// `id` is what the snapshot's id is: of one just cut, or of one that is known.
pub(super) fn snapshot_info(
    answered: Answered<'_>,
    said: wit::Snapshot,
    id: Named,
) -> Result<Snapshot, DriverError> {
    let known = |field, id| answered.id(field, id, Named::Known);
    let group = said.group_id.map(|id| known("group-id", id)).transpose()?;
    Ok(Snapshot {
        id: SnapshotId(answered.id("id", said.id, id)?),
        source: VolumeId(known("source-volume-id", said.source_volume_id)?),
        size_bytes: answered.bytes("size-bytes", said.size_bytes)?,
        created_at_seconds: answered.seconds("created-at-seconds", said.created_at_seconds)?,
        readiness: match said.ready_to_use {
            false => Readiness::Pending,
            true => Readiness::Ready,
        },
        group: group.map(GroupSnapshotId),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(access: Access, mount_options: &[&str]) -> (Access, String) {
        let kind = AccessType::Filesystem {
            fs_type: String::new(),
            mount_options: mount_options.iter().map(|o| (*o).to_owned()).collect(),
        };
        match wit_use(access, &kind) {
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
}
