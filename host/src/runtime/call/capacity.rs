//! `capacity`: what room there is.

use super::{CallSetup, Guest};
use crate::bindings::exports::drivebay::driver as exports;
use crate::error::DriverError;
use crate::volume::{Parameters, Topology};

impl Guest {
    /// `capacity.available-capacity`: bytes.
    ///
    /// # Errors
    /// The guest's own, or `internal` where it broke down or answered no number of bytes.
    pub fn available_capacity(
        &self,
        setup: CallSetup,
        parameters: &Parameters,
        place: Option<&Topology>,
    ) -> Result<u64, DriverError> {
        let pairs = parameters.pairs().to_vec();
        let place = place.map(|place| &place.0);
        let bytes = self.call(setup, "available-capacity", |store, instance| {
            let capacity =
                exports::capacity::GuestIndices::new(&self.ready)?.load(&mut *store, instance)?;
            capacity.call_available_capacity(&mut *store, &pairs, place)
        })?;
        self.answered("capacity.available-capacity")
            .bytes("capacity", bytes)
    }
}
