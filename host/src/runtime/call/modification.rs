//! `modification`: properties that can change while a volume lives.

use super::{CallSetup, Guest};
use crate::bindings::exports::drivebay::driver as exports;
use crate::error::DriverError;
use crate::volume::{Parameters, VolumeId};

impl Guest {
    /// `modification.modify-volume`
    pub fn modify_volume(
        &self,
        setup: CallSetup,
        id: &VolumeId,
        parameters: &Parameters,
    ) -> Result<(), DriverError> {
        let pairs = parameters.pairs().to_vec();
        self.call(setup, "modify-volume", |store, instance| {
            let modification = exports::modification::GuestIndices::new(&self.ready)?
                .load(&mut *store, instance)?;
            modification.call_modify_volume(&mut *store, &id.0, &pairs)
        })
    }
}
