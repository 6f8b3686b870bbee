//! What callers ask of a driver: a volume, and what is to be done with it.

#![expect(
    missing_docs,
    reason = "a field without a comment is what its name and type say"
)]

use std::path::PathBuf;

use crate::volume::{
    Access, AccessType, NodeId, Parameters, StagingPath, TargetPath, VolumeId, VolumeKey,
};

/// A volume, as the caller speaks of it.
#[derive(Debug, Clone)]
pub struct VolumeReference {
    /// Under which it is locked and journaled.
    pub key: VolumeKey,
    pub id: VolumeId,
    pub context: Parameters,
}

/// `publish_volume`: a volume for one pod.
#[derive(Debug)]
pub struct PublishVolume {
    pub volume: VolumeReference,
    pub target: TargetPath,
    pub access: Access,
    pub kind: AccessType,
    /// Whether other targets may hold it meanwhile.
    pub sharing: Sharing,
    /// Where it was staged, if the caller says so; it is then published from nowhere else.
    pub staging: Option<StagingPath>,
    /// What attaching returned; what the journal knows if empty.
    pub publish_context: Parameters,
    /// Whose access that staging has.
    pub staged_for: StagedFor,
}

/// How many targets a volume may appear at on one node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sharing {
    /// One.
    OneTarget,
    /// Any number.
    ManyTargets,
}

/// `stage_volume`: a volume for this node.
#[derive(Debug)]
pub struct StageVolume {
    pub volume: VolumeReference,
    pub staging: StagingPath,
    /// What attaching returned; what the journal knows if empty.
    pub publish_context: Parameters,
    pub access: Access,
    /// Whose access that is.
    pub staged_for: StagedFor,
    pub kind: AccessType,
}

/// `attach_volume`: a volume attached to a node.
#[derive(Debug)]
pub struct AttachVolume {
    pub volume: VolumeReference,
    pub node: NodeId,
    /// How it is going to be used there, for callers that cannot mean the same attachment otherwise.
    pub kind: Option<AccessType>,
    pub access: Access,
}

/// Whose access a staging has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StagedFor {
    /// Everyone's who publishes it.
    Everyone,
    /// The pod's that came first; others may have another.
    FirstPod,
}

/// What becomes of a target that was unmounted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TargetCleanup {
    /// It stays: kubelet removes what it made for FlexVolume.
    Keep,
    /// It goes: in CSI whoever publishes makes the target, and removes it.
    Remove,
}

/// `expand_on_node`: a volume whose backend has grown it.
#[derive(Debug)]
pub struct ExpandOnNode {
    pub key: VolumeKey,
    /// Where, staged or for a pod.
    pub at: VolumeLocation,
    /// What its filesystem has to fill at least.
    pub required_bytes: u64,
}

/// What the caller says of where a volume is mounted.
#[derive(Debug)]
pub enum VolumeLocation {
    /// Nothing.
    Unknown,
    /// There, if anywhere: FlexVolume's callers also ask where nothing is mounted.
    Perhaps(PathBuf),
    /// There.
    Certain(PathBuf),
}
