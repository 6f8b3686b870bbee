//! `create_group_snapshot`, `delete_group_snapshot`, `get_group_snapshot`.
//!
//! Locked as single snapshots are: made under the lock of the name, removed under that of the id.

use std::sync::Arc;

use super::lock::LockScope;
use super::operation::Operation;
use super::provision::check_name;
use super::session::Session;
use crate::error::DriverError;
use crate::runtime::Guest;
use crate::store::{Export, Scope};
use crate::volume::{CreateGroupSnapshot, GroupSnapshot, GroupSnapshotId, SnapshotId, VolumeId};

impl Session {
    /// Cuts a snapshot of each volume, all at one moment, or finds those that an earlier try cut.
    ///
    /// # Errors
    /// `invalid-argument`: the name, the volumes or a parameter.
    pub fn create_group_snapshot(
        &self,
        request: &CreateGroupSnapshot,
    ) -> Result<GroupSnapshot, DriverError> {
        check_name(&request.name)?;
        let sources = in_order(&request.sources)?;
        let operation = self.begin_on(LockScope::NewGroupSnapshot(&request.name))?;
        let guest = self.group_snapshots(&operation, "create group snapshots")?;
        let parameters = self.parameters_of(&guest, Scope::GroupSnapshot, &request.parameters)?;
        let request = CreateGroupSnapshot {
            name: request.name.clone(),
            sources,
            parameters,
        };
        guest.create_group_snapshot(operation.setup(), &request)
    }

    /// Removes a group with all its snapshots; one that does not exist is success. Safe to repeat.
    ///
    /// # Errors
    /// `invalid-argument`: those are not its snapshots.
    pub fn delete_group_snapshot(
        &self,
        id: &GroupSnapshotId,
        snapshots: &[SnapshotId],
    ) -> Result<(), DriverError> {
        let operation = self.begin_on(LockScope::GroupSnapshot(id))?;
        let guest = self.group_snapshots(&operation, "delete group snapshots")?;
        guest.delete_group_snapshot(operation.setup(), id, snapshots)
    }

    /// One group, as the backend has it now.
    ///
    /// # Errors
    /// `not-found`; `invalid-argument`: those are not its snapshots.
    pub fn get_group_snapshot(
        &self,
        id: &GroupSnapshotId,
        snapshots: &[SnapshotId],
    ) -> Result<GroupSnapshot, DriverError> {
        let operation = self.begin_on(LockScope::ReadOnly)?;
        let guest = self.group_snapshots(&operation, "look up group snapshots")?;
        guest.get_group_snapshot(operation.setup(), id, snapshots)
    }

    fn group_snapshots(
        &self,
        operation: &Operation,
        doing: &str,
    ) -> Result<Arc<Guest>, DriverError> {
        self.guest_with(operation, Export::GroupSnapshots, doing)
    }
}

/// The same volumes always read the same to a guest, which makes its tokens of them.
fn in_order(given: &[VolumeId]) -> Result<Vec<VolumeId>, DriverError> {
    let mut sources = given.to_vec();
    sources.sort_by(|one, other| one.0.cmp(&other.0));
    if sources.is_empty() {
        return Err(DriverError::invalid_argument(
            "a group snapshot needs at least one volume, and none is named",
        ));
    }
    if let Some(pair) = sources.windows(2).find(|pair| pair[0] == pair[1]) {
        return Err(DriverError::invalid_argument(format!(
            "volume {:?} is named twice among those to be snapshotted together",
            pair[0].0
        )));
    }
    Ok(sources)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn volumes(ids: &[&str]) -> Vec<VolumeId> {
        ids.iter().map(|id| VolumeId((*id).to_owned())).collect()
    }

    #[test]
    fn volumes_are_handed_on_in_one_order_whatever_the_caller_chose() {
        let ordered = in_order(&volumes(&["b", "a"])).expect("two volumes");
        assert_eq!(ordered, volumes(&["a", "b"]));
    }

    #[test]
    fn no_volume_and_one_that_is_named_twice_are_refused() {
        assert!(in_order(&[]).is_err());
        let error = in_order(&volumes(&["b", "a", "b"])).expect_err("twice");
        assert!(
            error.to_string().contains("\"b\" is named twice"),
            "{error}"
        );
    }
}
