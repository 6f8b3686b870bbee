//! `snapshots`: the content of a volume at one moment.

use super::convert::snapshot_info;
use super::validate::Named;
use super::{CallSetup, Guest};
use crate::bindings::exports::drivebay::driver as exports;
use crate::error::DriverError;
use crate::volume::{CreateSnapshot, Snapshot, SnapshotId};

impl Guest {
    /// `snapshots.create-snapshot`
    pub fn create_snapshot(
        &self,
        setup: CallSetup,
        request: &CreateSnapshot,
    ) -> Result<Snapshot, DriverError> {
        let arguments = exports::snapshots::CreateRequest {
            name: request.name.clone(),
            source_volume_id: request.source.0.clone(),
            parameters: request.parameters.pairs().to_vec(),
        };
        let said = self.call(setup, "create-snapshot", |store, instance| {
            let snapshots =
                exports::snapshots::GuestIndices::new(&self.ready)?.load(&mut *store, instance)?;
            snapshots.call_create_snapshot(&mut *store, &arguments)
        })?;
        let answered = self.answered("snapshots.create-snapshot");
        answered.same_id(
            "source-volume-id",
            said.source_volume_id.clone(),
            &request.source.0,
        )?;
        snapshot_info(answered, said, Named::Snapshot)
    }

    /// `snapshots.delete-snapshot`
    pub fn delete_snapshot(&self, setup: CallSetup, id: &SnapshotId) -> Result<(), DriverError> {
        self.call(setup, "delete-snapshot", |store, instance| {
            let snapshots =
                exports::snapshots::GuestIndices::new(&self.ready)?.load(&mut *store, instance)?;
            snapshots.call_delete_snapshot(&mut *store, &id.0)
        })
    }

    /// `snapshots.get-snapshot`
    pub fn get_snapshot(&self, setup: CallSetup, id: &SnapshotId) -> Result<Snapshot, DriverError> {
        let said = self.call(setup, "get-snapshot", |store, instance| {
            let snapshots =
                exports::snapshots::GuestIndices::new(&self.ready)?.load(&mut *store, instance)?;
            snapshots.call_get_snapshot(&mut *store, &id.0)
        })?;
        let answered = self.answered("snapshots.get-snapshot");
        answered.same_id("id", said.id.clone(), &id.0)?;
        snapshot_info(answered, said, Named::Known)
    }
}
