//! `accessibility`: from where volumes can be reached.

use super::{CallSetup, Guest};
use crate::bindings::exports::drivebay::driver as exports;
use crate::error::DriverError;
use crate::volume::Topology;

impl Guest {
    /// `accessibility.get-place`
    ///
    /// # Errors
    /// The guest's own, or `internal` where it broke down.
    pub fn get_place(&self, setup: CallSetup) -> Result<Topology, DriverError> {
        let said = self.call(setup, "get-place", |store, instance| {
            let accessibility = exports::accessibility::GuestIndices::new(&self.ready)?
                .load(&mut *store, instance)?;
            accessibility.call_get_place(&mut *store)
        })?;
        self.answered("accessibility.get-place")
            .topology("place", said)
    }
}
