//! The content of volumes at one moment.

use super::Parameters;
use super::id::{GroupSnapshotId, PageToken, SnapshotId, VolumeId};

/// Whether a snapshot can be used as a source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Readiness {
    /// Cut, but not usable yet.
    Pending,
    /// Usable.
    Ready,
}

/// A snapshot, as the backend has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snapshot {
    /// The backend's name of it.
    pub id: SnapshotId,
    /// What it is a snapshot of.
    pub source: VolumeId,
    /// 0 where unknown.
    pub size_bytes: u64,
    /// Seconds since 1970 UTC at which the content was cut.
    pub created_at_seconds: u64,
    /// Whether it can be used as a source.
    pub readiness: Readiness,
    /// The group that it was cut with, and goes with.
    pub group: Option<GroupSnapshotId>,
}

/// Snapshots that were cut together, as the backend has them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupSnapshot {
    /// The backend's name of it.
    pub id: GroupSnapshotId,
    /// One of each volume, in the backend's order.
    pub snapshots: Vec<Snapshot>,
    /// Seconds since 1970 UTC at which the content was cut.
    pub created_at_seconds: u64,
}

impl GroupSnapshot {
    /// Whether each of its snapshots can be used as a source.
    pub fn readiness(&self) -> Readiness {
        let is_ready = |snapshot: &Snapshot| snapshot.readiness == Readiness::Ready;
        match self.snapshots.iter().all(is_ready) {
            true => Readiness::Ready,
            false => Readiness::Pending,
        }
    }
}

/// Some of the snapshots.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SnapshotPage {
    /// In the backend's order.
    pub snapshots: Vec<Snapshot>,
    /// Absent on the last page.
    pub next: Option<PageToken>,
}

/// Which snapshots to list; all where everything is absent.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SnapshotFilter {
    /// That one alone.
    pub snapshot: Option<SnapshotId>,
    /// Those of that volume.
    pub source: Option<VolumeId>,
}

/// A snapshot that should exist.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CreateSnapshot {
    /// The caller's name for it, the same in every retry.
    pub name: String,
    /// Of which volume.
    pub source: VolumeId,
    /// As a VolumeSnapshotClass has them.
    pub parameters: Parameters,
}

/// Snapshots of several volumes that should exist, all cut at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CreateGroupSnapshot {
    /// The caller's name for the group, the same in every retry.
    pub name: String,
    /// Of which volumes, in any order.
    pub sources: Vec<VolumeId>,
    /// As a VolumeGroupSnapshotClass has them.
    pub parameters: Parameters,
}
