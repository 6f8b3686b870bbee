//! `expansion`: a volume grows.

use super::convert::{volume, wit_capacity};
use super::{CallSetup, Guest};
use crate::bindings::exports::drivebay::driver as exports;
use crate::error::DriverError;
use crate::volume::{CapacityRange, Parameters, VolumeId};

impl Guest {
    /// `expansion.expand-volume`: the size afterwards, in bytes.
    pub fn expand_volume(
        &self,
        setup: CallSetup,
        id: &VolumeId,
        context: &Parameters,
        capacity: CapacityRange,
    ) -> Result<u64, DriverError> {
        let volume = volume(id, context, &Parameters::default());
        let said = self.call(setup, "expand-volume", |store, instance| {
            let expansion =
                exports::expansion::GuestIndices::new(&self.ready)?.load(&mut *store, instance)?;
            expansion.call_expand_volume(&mut *store, &volume, wit_capacity(capacity))
        })?;
        self.answered("expansion.expand-volume")
            .size("size", said, capacity)
    }
}
