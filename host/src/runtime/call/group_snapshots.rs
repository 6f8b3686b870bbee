//! `group-snapshots`: the content of several volumes at one moment.

use super::words::{Named, checked_id, snapshot_info};
use super::{CallSetup, Guest};
use crate::bindings::exports::drivebay::driver as exports;
use crate::error::DriverError;
use crate::volume::{CreateGroupSnapshot, GroupSnapshot, GroupSnapshotId, Snapshot, SnapshotId};

impl Guest {
    /// `group-snapshots.create-group-snapshot`
    ///
    /// # Errors
    /// The guest's own, or `internal` where it broke down.
    pub fn create_group_snapshot(
        &self,
        setup: CallSetup,
        request: &CreateGroupSnapshot,
    ) -> Result<GroupSnapshot, DriverError> {
        let arguments = exports::group_snapshots::CreateRequest {
            name: request.name.clone(),
            source_volume_ids: request.sources.iter().map(|id| id.0.clone()).collect(),
            parameters: request.parameters.pairs().to_vec(),
        };
        let said = self.call(setup, "create-group-snapshot", |store, instance| {
            let groups = exports::group_snapshots::GuestIndices::new(&self.ready)?
                .load(&mut *store, instance)?;
            groups.call_create_group_snapshot(&mut *store, &arguments)
        })?;
        group(said, Named::GroupSnapshot, Named::Snapshot)
    }

    /// `group-snapshots.delete-group-snapshot`
    ///
    /// # Errors
    /// The guest's own, or `internal` where it broke down.
    pub fn delete_group_snapshot(
        &self,
        setup: CallSetup,
        id: &GroupSnapshotId,
        snapshots: &[SnapshotId],
    ) -> Result<(), DriverError> {
        let snapshots = texts(snapshots);
        self.call(setup, "delete-group-snapshot", |store, instance| {
            let groups = exports::group_snapshots::GuestIndices::new(&self.ready)?
                .load(&mut *store, instance)?;
            groups.call_delete_group_snapshot(&mut *store, &id.0, &snapshots)
        })
    }

    /// `group-snapshots.get-group-snapshot`
    ///
    /// # Errors
    /// The guest's own, or `internal` where it broke down.
    pub fn get_group_snapshot(
        &self,
        setup: CallSetup,
        id: &GroupSnapshotId,
        snapshots: &[SnapshotId],
    ) -> Result<GroupSnapshot, DriverError> {
        let snapshots = texts(snapshots);
        let said = self.call(setup, "get-group-snapshot", |store, instance| {
            let groups = exports::group_snapshots::GuestIndices::new(&self.ready)?
                .load(&mut *store, instance)?;
            groups.call_get_group_snapshot(&mut *store, &id.0, &snapshots)
        })?;
        group(said, Named::Known, Named::Known)
    }
}

fn texts(ids: &[SnapshotId]) -> Vec<String> {
    ids.iter().map(|id| id.0.clone()).collect()
}

/// What the ids of the group and of its snapshots are: just made, or known.
fn group(
    said: exports::group_snapshots::GroupSnapshot,
    whole: Named,
    part: Named,
) -> Result<GroupSnapshot, DriverError> {
    let id = GroupSnapshotId(checked_id(said.id, whole)?);
    let member = |snapshot| {
        snapshot_info(snapshot, part).map(|snapshot| Snapshot {
            group: Some(id.clone()),
            ..snapshot
        })
    };
    Ok(GroupSnapshot {
        snapshots: said
            .snapshots
            .into_iter()
            .map(member)
            .collect::<Result<_, _>>()?,
        created_at_seconds: said.created_at_seconds,
        id,
    })
}
