//! `volume-listing`: which volumes there are.

use super::words::{Named, token, volume_info};
use super::{CallSetup, Guest};
use crate::bindings::exports::drivebay::driver as exports;
use crate::error::DriverError;
use crate::volume::{PageToken, VolumePage};

impl Guest {
    /// `volume-listing.list-volumes`; 0 entries means as many as the guest likes.
    ///
    /// # Errors
    /// The guest's own, or `internal` where it broke down.
    pub fn list_volumes(
        &self,
        setup: CallSetup,
        max_entries: u32,
        from: Option<&PageToken>,
    ) -> Result<VolumePage, DriverError> {
        let said = self.call(setup, "list-volumes", |store, instance| {
            let listing = exports::volume_listing::GuestIndices::new(&self.ready)?
                .load(&mut *store, instance)?;
            let from = from.map(|token| token.0.as_str());
            listing.call_list_volumes(&mut *store, max_entries, from)
        })?;
        Ok(VolumePage {
            volumes: said
                .volumes
                .into_iter()
                .map(|volume| volume_info(volume, Named::Known))
                .collect::<Result<_, _>>()?,
            next: token(said.next_token),
        })
    }
}
