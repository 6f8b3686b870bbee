//! `cloning`: volumes that start with another volume's content.

use super::convert::{Asked, volume_info, wit_create_request};
use super::{CallSetup, Guest};
use crate::bindings::exports::drivebay::driver as exports;
use crate::error::DriverError;
use crate::volume::{CreateVolume, VolumeId, VolumeInfo};

impl Guest {
    /// `cloning.clone-volume`
    pub fn clone_volume(
        &self,
        setup: CallSetup,
        request: &CreateVolume,
        source: &VolumeId,
    ) -> Result<VolumeInfo, DriverError> {
        let arguments = wit_create_request(request);
        let said = self.call(setup, "clone-volume", |store, instance| {
            let cloning =
                exports::cloning::GuestIndices::new(&self.ready)?.load(&mut *store, instance)?;
            cloning.call_clone_volume(&mut *store, &arguments, &source.0)
        })?;
        volume_info(
            self.answered("cloning.clone-volume"),
            said,
            Asked::Made(request),
        )
    }
}
