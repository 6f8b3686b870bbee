//! `snapshot-listing`: which snapshots there are.

use super::convert::snapshot_info;
use super::validate::{Answered, Named};
use super::{CallSetup, Guest};
use crate::bindings::drivebay::driver::types as wit;
use crate::bindings::exports::drivebay::driver as exports;
use crate::error::DriverError;
use crate::volume::{PageToken, Snapshot, SnapshotFilter, SnapshotPage};

impl Guest {
    /// `snapshot-listing.list-snapshots`; 0 entries means as many as the guest likes.
    pub fn list_snapshots(
        &self,
        setup: CallSetup,
        filter: &SnapshotFilter,
        max_entries: u32,
        from: Option<&PageToken>,
    ) -> Result<SnapshotPage, DriverError> {
        let wanted = exports::snapshot_listing::Filter {
            snapshot_id: filter.snapshot.as_ref().map(|id| id.0.clone()),
            source_volume_id: filter.source.as_ref().map(|id| id.0.clone()),
        };
        let said = self.call(setup, "list-snapshots", |store, instance| {
            let listing = exports::snapshot_listing::GuestIndices::new(&self.ready)?
                .load(&mut *store, instance)?;
            let token = from.map(|token| token.0.as_str());
            listing.call_list_snapshots(&mut *store, &wanted, max_entries, token)
        })?;
        let answered = self.answered("snapshot-listing.list-snapshots");
        answered.page("snapshots", said.snapshots.len(), max_entries)?;
        let snapshots = said.snapshots.into_iter();
        Ok(SnapshotPage {
            snapshots: snapshots
                .map(|snapshot| listed(answered, snapshot, filter))
                .collect::<Result<_, _>>()?,
            next: answered.token(said.next_token, from)?,
        })
    }
}

/// A list that was to be of one snapshot, or of one volume's, has no other.
fn listed(
    answered: Answered<'_>,
    said: wit::Snapshot,
    asked: &SnapshotFilter,
) -> Result<Snapshot, DriverError> {
    let snapshot = snapshot_info(answered, said, Named::Known)?;
    if let Some(id) = &asked.snapshot {
        answered.same_id("id", snapshot.id.0.clone(), &id.0)?;
    }
    if let Some(id) = &asked.source {
        answered.same_id("source-volume-id", snapshot.source.0.clone(), &id.0)?;
    }
    Ok(snapshot)
}
