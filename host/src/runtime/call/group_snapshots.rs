//! `group-snapshots`: the content of several volumes at one moment.

use super::convert::snapshot_info;
use super::validate::{Answered, Named};
use super::{CallSetup, Guest};
use crate::bindings::exports::drivebay::driver as exports;
use crate::error::DriverError;
use crate::volume::{
    CreateGroupSnapshot, GroupSnapshot, GroupSnapshotId, Snapshot, SnapshotId, VolumeId,
};

impl Guest {
    /// `group-snapshots.create-group-snapshot`
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
        let answered = self.answered("group-snapshots.create-group-snapshot");
        let made = group(answered, said, Named::GroupSnapshot, Named::Snapshot)?;
        check_whole(answered, &made, &request.sources)?;
        Ok(made)
    }

    /// `group-snapshots.delete-group-snapshot`
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
        let answered = self.answered("group-snapshots.get-group-snapshot");
        answered.same_id("id", said.id.clone(), &id.0)?;
        group(answered, said, Named::Known, Named::Known)
    }
}

fn texts(ids: &[SnapshotId]) -> Vec<String> {
    ids.iter().map(|id| id.0.clone()).collect()
}

/// What the ids of the group and of its snapshots are: just made, or known.
fn group(
    answered: Answered<'_>,
    said: exports::group_snapshots::GroupSnapshot,
    whole: Named,
    part: Named,
) -> Result<GroupSnapshot, DriverError> {
    let id = GroupSnapshotId(answered.id("id", said.id, whole)?);
    let mut snapshots = Vec::with_capacity(said.snapshots.len());
    for snapshot in said.snapshots {
        let snapshot = snapshot_info(answered, snapshot, part)?;
        if snapshots
            .iter()
            .any(|other: &Snapshot| other.id == snapshot.id)
        {
            let reason = format!("{:?} is there twice", snapshot.id.0);
            return Err(answered.wrong("snapshots", reason));
        }
        snapshots.push(Snapshot {
            group: Some(id.clone()),
            ..snapshot
        });
    }
    Ok(GroupSnapshot {
        snapshots,
        created_at_seconds: answered.seconds("created-at-seconds", said.created_at_seconds)?,
        id,
    })
}

/// Callers take the group for all they asked for; one that lacks a volume would be found out at its restoration.
fn check_whole(
    answered: Answered<'_>,
    made: &GroupSnapshot,
    sources: &[VolumeId],
) -> Result<(), DriverError> {
    let is_cut = |source: &&VolumeId| made.snapshots.iter().any(|part| part.source == **source);
    match sources.iter().find(|source| !is_cut(source)) {
        None if made.snapshots.len() == sources.len() => Ok(()),
        None => {
            let (has, wanted) = (made.snapshots.len(), sources.len());
            Err(answered.wrong("snapshots", format!("there are {has} of {wanted} volumes")))
        }
        Some(lacking) => {
            let reason = format!("none is of volume {:?}", lacking.0);
            Err(answered.wrong("snapshots", reason))
        }
    }
}
