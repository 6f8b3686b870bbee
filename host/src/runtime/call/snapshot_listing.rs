//! `snapshot-listing`: which snapshots there are.

use super::words::{Named, snapshot_info, token};
use super::{CallSetup, Guest};
use crate::bindings::exports::drivebay::driver as exports;
use crate::error::DriverError;
use crate::volume::{PageToken, SnapshotFilter, SnapshotPage};

impl Guest {
    /// `snapshot-listing.list-snapshots`; 0 entries means as many as the guest likes.
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
        let filter = exports::snapshot_listing::Filter {
            snapshot_id: filter.snapshot.as_ref().map(|id| id.0.clone()),
            source_volume_id: filter.source.as_ref().map(|id| id.0.clone()),
        };
        let said = self.call(setup, "list-snapshots", |store, instance| {
            let listing = exports::snapshot_listing::GuestIndices::new(&self.ready)?
                .load(&mut *store, instance)?;
            let from = from.map(|token| token.0.as_str());
            listing.call_list_snapshots(&mut *store, &filter, max_entries, from)
        })?;
        Ok(SnapshotPage {
            snapshots: said
                .snapshots
                .into_iter()
                .map(|snapshot| snapshot_info(snapshot, Named::Known))
                .collect::<Result<_, _>>()?,
            next: token(said.next_token),
        })
    }
}
