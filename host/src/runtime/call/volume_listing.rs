//! `volume-listing`: which volumes there are.

use super::convert::{Asked, volume_info};
use super::{CallSetup, Guest};
use crate::bindings::exports::drivebay::driver as exports;
use crate::error::DriverError;
use crate::volume::{PageToken, VolumePage};

impl Guest {
    /// `volume-listing.list-volumes`; 0 entries means as many as the guest likes.
    pub fn list_volumes(
        &self,
        setup: CallSetup,
        max_entries: u32,
        from: Option<&PageToken>,
    ) -> Result<VolumePage, DriverError> {
        let said = self.call(setup, "list-volumes", |store, instance| {
            let listing = exports::volume_listing::GuestIndices::new(&self.ready)?
                .load(&mut *store, instance)?;
            let token = from.map(|token| token.0.as_str());
            listing.call_list_volumes(&mut *store, max_entries, token)
        })?;
        let answered = self.answered("volume-listing.list-volumes");
        answered.page("volumes", said.volumes.len(), max_entries)?;
        let volumes = said.volumes.into_iter();
        Ok(VolumePage {
            volumes: volumes
                .map(|volume| volume_info(answered, volume, Asked::Listed))
                .collect::<Result<_, _>>()?,
            next: answered.token(said.next_token, from)?,
        })
    }
}
