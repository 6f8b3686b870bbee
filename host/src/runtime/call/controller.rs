//! `controller`: volumes come and go.

use super::convert::{Asked, volume, volume_info, wit_capabilities, wit_create_request};
use super::{CallSetup, Guest};
use crate::bindings::exports::drivebay::driver as exports;
use crate::error::DriverError;
use crate::volume::{CreateVolume, Parameters, VolumeCapability, VolumeId, VolumeInfo};

impl Guest {
    /// `controller.create-volume`: empty, or with the content of a snapshot.
    pub fn create_volume(
        &self,
        setup: CallSetup,
        request: &CreateVolume,
    ) -> Result<VolumeInfo, DriverError> {
        let arguments = wit_create_request(request);
        let said = self.call(setup, "create-volume", |store, instance| {
            let controller =
                exports::controller::GuestIndices::new(&self.ready)?.load(&mut *store, instance)?;
            controller.call_create_volume(&mut *store, &arguments)
        })?;
        volume_info(
            self.answered("controller.create-volume"),
            said,
            Asked::Made(request),
        )
    }

    /// `controller.delete-volume`
    pub fn delete_volume(&self, setup: CallSetup, id: &VolumeId) -> Result<(), DriverError> {
        self.call(setup, "delete-volume", |store, instance| {
            let controller =
                exports::controller::GuestIndices::new(&self.ready)?.load(&mut *store, instance)?;
            controller.call_delete_volume(&mut *store, &id.0)
        })
    }

    /// `controller.validate-volume`
    pub fn validate_volume(
        &self,
        setup: CallSetup,
        id: &VolumeId,
        context: &Parameters,
        capabilities: &[VolumeCapability],
    ) -> Result<(), DriverError> {
        let volume = volume(id, context, &Parameters::default());
        let capabilities = wit_capabilities(capabilities);
        self.call(setup, "validate-volume", |store, instance| {
            let controller =
                exports::controller::GuestIndices::new(&self.ready)?.load(&mut *store, instance)?;
            controller.call_validate_volume(&mut *store, &volume, &capabilities)
        })
    }

    /// `controller.get-volume`
    pub fn get_volume(&self, setup: CallSetup, id: &VolumeId) -> Result<VolumeInfo, DriverError> {
        let said = self.call(setup, "get-volume", |store, instance| {
            let controller =
                exports::controller::GuestIndices::new(&self.ready)?.load(&mut *store, instance)?;
            controller.call_get_volume(&mut *store, &id.0)
        })?;
        volume_info(
            self.answered("controller.get-volume"),
            said,
            Asked::Known(id),
        )
    }
}
