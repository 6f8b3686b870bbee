//! Snapshots of several disks, cut at one moment.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::cloud::knobs::Fate;
use crate::cloud::tags::Tags;
use crate::words::{InstanceId, SnapshotGroupId, SnapshotId};

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct SnapshotGroup {
    pub(crate) id: SnapshotGroupId,
    pub(crate) sequence: u64,
    pub(crate) name: String,
    pub(crate) description: String,
    /// Where all its disks were attached, if that was one instance.
    pub(crate) instance: Option<InstanceId>,
    /// Those that were cut; each can be deleted alone later.
    pub(crate) members: Vec<SnapshotId>,
    pub(crate) stage: Stage,
    /// What becomes of it, decided when it was asked for.
    pub(crate) fate: Fate,
    pub(crate) created: Timestamp,
    pub(crate) resource_group: String,
    pub(crate) tags: Tags,
}

/// How far a group is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Stage {
    Progressing,
    Accomplished,
    Failed,
}

impl Stage {
    pub(crate) const ALL: [Self; 3] = [Self::Progressing, Self::Accomplished, Self::Failed];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Progressing => "progressing",
            Self::Accomplished => "accomplished",
            Self::Failed => "failed",
        }
    }
}
