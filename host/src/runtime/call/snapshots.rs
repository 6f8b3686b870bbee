//! `snapshots`: the content of a volume at one moment.

use super::words::{Named, checked_id, token};
use super::{CallSetup, Guest};
use crate::bindings::exports::drivebay::driver as exports;
use crate::error::DriverError;
use crate::volume::{
    CreateSnapshot, PageToken, Readiness, Snapshot, SnapshotFilter, SnapshotId, SnapshotPage,
    VolumeId,
};

impl Guest {
    /// `snapshots.create-snapshot`
    ///
    /// # Errors
    /// The guest's own, or `internal` where it broke down.
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
        snapshot(said)
    }

    /// `snapshots.delete-snapshot`
    ///
    /// # Errors
    /// The guest's own, or `internal` where it broke down.
    pub fn delete_snapshot(&self, setup: CallSetup, id: &SnapshotId) -> Result<(), DriverError> {
        self.call(setup, "delete-snapshot", |store, instance| {
            let snapshots =
                exports::snapshots::GuestIndices::new(&self.ready)?.load(&mut *store, instance)?;
            snapshots.call_delete_snapshot(&mut *store, &id.0)
        })
    }

    /// `snapshots.get-snapshot`
    ///
    /// # Errors
    /// The guest's own, or `internal` where it broke down.
    pub fn get_snapshot(&self, setup: CallSetup, id: &SnapshotId) -> Result<Snapshot, DriverError> {
        let said = self.call(setup, "get-snapshot", |store, instance| {
            let snapshots =
                exports::snapshots::GuestIndices::new(&self.ready)?.load(&mut *store, instance)?;
            snapshots.call_get_snapshot(&mut *store, &id.0)
        })?;
        snapshot(said)
    }

    /// `snapshots.list-snapshots`; 0 entries means as many as the guest likes.
    ///
    /// # Errors
    /// The guest's own, or `internal` where it broke down.
    pub fn list_snapshots(
        &self,
        setup: CallSetup,
        filter: &SnapshotFilter,
        max_entries: u32,
        from: Option<&PageToken>,
    ) -> Result<SnapshotPage, DriverError> {
        let filter = exports::snapshots::Filter {
            snapshot_id: filter.snapshot.as_ref().map(|id| id.0.clone()),
            source_volume_id: filter.source.as_ref().map(|id| id.0.clone()),
        };
        let said = self.call(setup, "list-snapshots", |store, instance| {
            let snapshots =
                exports::snapshots::GuestIndices::new(&self.ready)?.load(&mut *store, instance)?;
            let from = from.map(|token| token.0.as_str());
            snapshots.call_list_snapshots(&mut *store, &filter, max_entries, from)
        })?;
        Ok(SnapshotPage {
            snapshots: said
                .snapshots
                .into_iter()
                .map(snapshot)
                .collect::<Result<_, _>>()?,
            next: token(said.next_token),
        })
    }
}

fn snapshot(said: exports::snapshots::Snapshot) -> Result<Snapshot, DriverError> {
    Ok(Snapshot {
        id: SnapshotId(checked_id(said.id, Named::Snapshot)?),
        source: VolumeId(checked_id(said.source_volume_id, Named::Volume)?),
        size_bytes: said.size_bytes,
        created_at_seconds: said.created_at_seconds,
        readiness: match said.readiness {
            exports::snapshots::Readiness::Pending => Readiness::Pending,
            exports::snapshots::Readiness::Ready => Readiness::Ready,
        },
    })
}
