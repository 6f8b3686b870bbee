//! `create_snapshot`, `delete_snapshot`, `get_snapshot`, `list_snapshots`.
//!
//! As with volumes: made under the lock of the name, removed under that of the id. The volume itself is not
//! locked: a snapshot is cut while the volume is in use, and a backend that cannot do that says so.

use std::sync::Arc;

use super::lock::LockScope;
use super::operation::Operation;
use super::provision::check_name;
use super::session::Session;
use crate::error::DriverError;
use crate::runtime::Guest;
use crate::store::{Export, Scope};
use crate::volume::{
    CreateSnapshot, PageToken, Snapshot, SnapshotFilter, SnapshotId, SnapshotPage,
};

impl Session {
    /// Cuts a snapshot, or finds the one that an earlier try cut.
    ///
    /// # Errors
    /// `invalid-argument`: the name or a parameter.
    pub fn create_snapshot(&self, request: &CreateSnapshot) -> Result<Snapshot, DriverError> {
        check_name(&request.name)?;
        let operation = self.begin_on(LockScope::NewSnapshot(&request.name))?;
        let guest = self.snapshots(&operation, "create snapshots")?;
        let parameters = self.parameters_of(&guest, Scope::Snapshot, &request.parameters)?;
        let request = CreateSnapshot {
            parameters,
            ..request.clone()
        };
        guest.create_snapshot(operation.setup(), &request)
    }

    /// Removes a snapshot; one that does not exist is success. Safe to repeat.
    pub fn delete_snapshot(&self, id: &SnapshotId) -> Result<(), DriverError> {
        let operation = self.begin_on(LockScope::Snapshot(id))?;
        let guest = self.snapshots(&operation, "delete snapshots")?;
        guest.delete_snapshot(operation.setup(), id)
    }

    /// One snapshot, as the backend has it now.
    ///
    /// # Errors
    /// `not-found`.
    pub fn get_snapshot(&self, id: &SnapshotId) -> Result<Snapshot, DriverError> {
        let operation = self.begin_on(LockScope::ReadOnly)?;
        let guest = self.snapshots(&operation, "look up snapshots")?;
        guest.get_snapshot(operation.setup(), id)
    }

    /// A page of snapshots; 0 entries means as many as the backend gives at once.
    ///
    /// # Errors
    /// `in-progress` for a token that is not valid; `unsupported` where the backend cannot list.
    pub fn list_snapshots(
        &self,
        filter: &SnapshotFilter,
        max_entries: u32,
        from: Option<&PageToken>,
    ) -> Result<SnapshotPage, DriverError> {
        let operation = self.begin_on(LockScope::ReadOnly)?;
        let guest = self.guest_with(&operation, Export::SnapshotListing, "list snapshots")?;
        guest.list_snapshots(operation.setup(), filter, max_entries, from)
    }

    fn snapshots(&self, operation: &Operation, doing: &str) -> Result<Arc<Guest>, DriverError> {
        self.guest_with(operation, Export::Snapshots, doing)
    }
}
