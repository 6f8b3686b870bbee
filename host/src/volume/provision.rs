//! Volumes that come and go: what is asked of a backend, and what it answers.

use super::id::{NodeId, PageToken, SnapshotId, VolumeId};
use super::{AccessType, Parameters};

/// Who may use a volume at once; the names are CSI's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(
    missing_docs,
    reason = "the variants are the specification's own words"
)]
pub enum AccessMode {
    SingleNodeWriter,
    SingleNodeReaderOnly,
    MultiNodeReaderOnly,
    MultiNodeSingleWriter,
    MultiNodeMultiWriter,
    SingleNodeSingleWriter,
    SingleNodeMultiWriter,
}

/// One way a volume is going to be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VolumeCapability {
    /// By whom.
    pub mode: AccessMode,
    /// As what.
    pub kind: AccessType,
}

/// At least, and at most; bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CapacityRange {
    /// No smaller than this.
    pub required_bytes: Option<u64>,
    /// No larger than this.
    pub limit_bytes: Option<u64>,
}

/// A place, as the backend names places: `("topology.example.com/zone", "a")`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Topology(pub Vec<(String, String)>);

/// Content to start from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum VolumeSource {
    /// What a volume held at one moment.
    Snapshot(SnapshotId),
    /// Another volume.
    Volume(VolumeId),
}

/// A volume, as the backend has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VolumeInfo {
    /// The backend's name of it.
    pub id: VolumeId,
    /// 0 where the backend has no notion of a size.
    pub capacity_bytes: u64,
    /// What a node needs to mount it.
    pub context: Parameters,
    /// What it was made from.
    pub source: Option<VolumeSource>,
    /// From where it can be reached; empty means everywhere.
    pub places: Vec<Topology>,
    /// The nodes it is attached to, where the backend knows.
    pub nodes: Vec<NodeId>,
}

/// Some of the volumes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VolumePage {
    /// In the backend's order.
    pub volumes: Vec<VolumeInfo>,
    /// Absent on the last page.
    pub next: Option<PageToken>,
}

/// A volume that should exist.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CreateVolume {
    /// The caller's name for it, the same in every retry.
    pub name: String,
    /// How large.
    pub capacity: CapacityRange,
    /// As a StorageClass has them.
    pub parameters: Parameters,
    /// How it is going to be used.
    pub capabilities: Vec<VolumeCapability>,
    /// What it starts with; nothing otherwise.
    pub source: Option<VolumeSource>,
    /// Places to choose from, the preferred first; empty means anywhere.
    pub places: Vec<Topology>,
}
