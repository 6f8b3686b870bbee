//! What a rule made, or perhaps made.

use drivebay::error::{Condition, DriverError};
use drivebay::volume::{
    CreateGroupSnapshot, CreateSnapshot, CreateVolume, GroupSnapshot, GroupSnapshotId, SnapshotId,
    VolumeId, VolumeKey,
};

use super::expectation::{broke_down, passes};

/// Since it was removed last.
#[derive(Debug, Default)]
pub(super) struct Made {
    pub(super) volumes: Vec<VolumeId>,
    pub(super) snapshots: Vec<SnapshotId>,
    /// With their snapshots, without which nobody deletes a group.
    pub(super) groups: Vec<(GroupSnapshotId, Vec<SnapshotId>)>,
    pub(super) attached: Vec<VolumeKey>,
    pub(super) mounted: Vec<String>,
    /// What was asked for, and perhaps made, though the answer does not say so.
    pub(super) perhaps: Vec<Asked>,
}

/// What something was asked for with.
#[derive(Debug, Clone)]
pub(super) enum Asked {
    Volume(CreateVolume),
    Snapshot(CreateSnapshot),
    Group(CreateGroupSnapshot),
}

impl Made {
    /// What a call that makes a volume came to.
    pub(super) fn note_volume<'a>(
        &mut self,
        request: &CreateVolume,
        answer: Result<&'a VolumeId, &'a DriverError>,
    ) {
        match answer {
            Ok(id) => add(&mut self.volumes, id.clone()),
            Err(error) if is_open(error) => self.perhaps.push(Asked::Volume(request.clone())),
            Err(_) => {}
        }
    }

    /// The same of a snapshot.
    pub(super) fn note_snapshot<'a>(
        &mut self,
        request: &CreateSnapshot,
        answer: Result<&'a SnapshotId, &'a DriverError>,
    ) {
        match answer {
            Ok(id) => add(&mut self.snapshots, id.clone()),
            Err(error) if is_open(error) => self.perhaps.push(Asked::Snapshot(request.clone())),
            Err(_) => {}
        }
    }

    /// The same of a group.
    pub(super) fn note_group(
        &mut self,
        request: &CreateGroupSnapshot,
        answer: Result<&GroupSnapshot, &DriverError>,
    ) {
        match answer {
            Ok(group) => {
                let snapshots = group.snapshots.iter();
                let snapshots = snapshots.map(|snapshot| snapshot.id.clone());
                add(&mut self.groups, (group.id.clone(), snapshots.collect()));
            }
            Err(error) if is_open(error) => self.perhaps.push(Asked::Group(request.clone())),
            Err(_) => {}
        }
    }
}

/// Whether something may have been made all the same.
pub(super) fn is_open(error: &DriverError) -> bool {
    passes(error) || broke_down(error) || error.condition() == Condition::Internal
}

fn add<T: PartialEq>(list: &mut Vec<T>, item: T) {
    if !list.contains(&item) {
        list.push(item);
    }
}
