//! Our words as CSI's.

use super::proto;
use crate::driver::{Measured, Room};
use crate::volume::{
    GroupSnapshot, NodeId, Parameters, Readiness, Snapshot, Topology, VolumeInfo, VolumeSource,
};

/// In the publish context, from the controller's host to the node's; no guest sees it.
pub(super) const READ_ONLY: &str = "drivebay.dev/read-only";

/// In the publish context: the version of the component that attached the volume. Controller and node may have different
/// ones for a while.
pub(super) const ATTACHED_BY: &str = "drivebay.dev/attached-by";

/// CSI counts in signed numbers.
pub(super) fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

pub(super) fn map(parameters: &Parameters) -> std::collections::BTreeMap<String, String> {
    parameters.pairs().iter().cloned().collect()
}

/// What attaching returned. That it was for reading alone reaches the node with it, whatever backend it is.
pub(super) fn publish_context(
    context: &Parameters,
    is_read_only: bool,
    version: Option<&str>,
) -> std::collections::BTreeMap<String, String> {
    let mut map = map(context);
    if let Some(version) = version {
        map.insert(ATTACHED_BY.to_owned(), version.to_owned());
    }
    if is_read_only {
        map.insert(READ_ONLY.to_owned(), "true".to_owned());
    }
    map
}

pub(super) fn topology(place: Topology) -> proto::Topology {
    proto::Topology {
        segments: place.0.into_iter().collect(),
    }
}

pub(super) fn volume(info: VolumeInfo) -> proto::Volume {
    proto::Volume {
        capacity_bytes: signed(info.capacity_bytes),
        volume_id: info.id.0,
        volume_context: map(&info.context),
        content_source: info.source.map(source),
        accessible_topology: info.places.into_iter().map(topology).collect(),
    }
}

fn source(source: VolumeSource) -> proto::VolumeContentSource {
    use proto::volume_content_source::{SnapshotSource, Type, VolumeSource as Volume};
    let kind = match source {
        VolumeSource::Snapshot(id) => Type::Snapshot(SnapshotSource { snapshot_id: id.0 }),
        VolumeSource::Volume(id) => Type::Volume(Volume { volume_id: id.0 }),
    };
    proto::VolumeContentSource { r#type: Some(kind) }
}

pub(super) fn nodes(nodes: Vec<NodeId>) -> Vec<String> {
    nodes.into_iter().map(|node| node.0).collect()
}

pub(super) fn snapshot(snapshot: Snapshot) -> proto::Snapshot {
    proto::Snapshot {
        size_bytes: signed(snapshot.size_bytes),
        snapshot_id: snapshot.id.0,
        source_volume_id: snapshot.source.0,
        creation_time: Some(moment(snapshot.created_at_seconds)),
        ready_to_use: snapshot.readiness == Readiness::Ready,
        group_snapshot_id: snapshot.group.map(|group| group.0).unwrap_or_default(),
        // From everywhere: no backend here has it otherwise.
        accessible_topology: Vec::new(),
    }
}

pub(super) fn group_snapshot(group: GroupSnapshot) -> proto::VolumeGroupSnapshot {
    proto::VolumeGroupSnapshot {
        ready_to_use: group.readiness() == Readiness::Ready,
        group_snapshot_id: group.id.0,
        snapshots: group.snapshots.into_iter().map(snapshot).collect(),
        creation_time: Some(moment(group.created_at_seconds)),
    }
}

fn moment(seconds: u64) -> prost_types::Timestamp {
    prost_types::Timestamp {
        seconds: signed(seconds),
        nanos: 0,
    }
}

pub(super) fn usage(measured: Measured) -> Vec<proto::VolumeUsage> {
    use proto::volume_usage::Unit;
    let usage = |room: Room, unit: Unit| proto::VolumeUsage {
        available: signed(room.available),
        total: signed(room.total),
        used: signed(room.used),
        unit: unit.into(),
    };
    match measured {
        // Some filesystems do not count inodes; a total of none would look full.
        Measured::Filesystem { bytes, inodes } if inodes.total == 0 => {
            vec![usage(bytes, Unit::Bytes)]
        }
        Measured::Filesystem { bytes, inodes } => {
            vec![usage(bytes, Unit::Bytes), usage(inodes, Unit::Inodes)]
        }
        // How much of a device is taken, only its user knows.
        Measured::Device { bytes } => vec![proto::VolumeUsage {
            total: signed(bytes),
            unit: Unit::Bytes.into(),
            ..proto::VolumeUsage::default()
        }],
    }
}
