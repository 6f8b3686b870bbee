//! A snapshot: a disk's data at one moment, in a file of its own from that moment on.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::cloud::knobs::Fate;
use crate::cloud::tags::Tags;
use crate::words::{DiskId, Gib, SnapshotId};

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Snapshot {
    pub(crate) id: SnapshotId,
    pub(crate) sequence: u64,
    pub(crate) name: String,
    pub(crate) description: String,
    pub(crate) source: DiskId,
    pub(crate) size: Gib,
    pub(crate) progress: Progress,
    /// What becomes of it, decided when it was asked for.
    pub(crate) fate: Fate,
    /// The moment whose data it holds; none until then.
    pub(crate) cut: Option<Timestamp>,
    pub(crate) changed: Timestamp,
    pub(crate) encrypted: bool,
    pub(crate) kms_key: Option<String>,
    /// Days the snapshot is kept; for good if none.
    pub(crate) retention_days: Option<u32>,
    pub(crate) resource_group: String,
    pub(crate) tags: Tags,
}

/// How far it is, of which the upload is the most. The data are cut a while after the request was answered, too.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Progress {
    Progressing,
    Accomplished,
    /// Nothing was kept of the disk's data.
    Failed,
}

impl Snapshot {
    pub(crate) fn is_progressing(&self) -> bool {
        self.progress == Progress::Progressing
    }

    /// Whether disks can be made from it.
    pub(crate) fn is_usable(&self) -> bool {
        self.progress == Progress::Accomplished
    }

    pub(crate) fn status(&self) -> &'static str {
        match self.progress {
            Progress::Progressing => "progressing",
            Progress::Accomplished => "accomplished",
            Progress::Failed => "failed",
        }
    }
}
