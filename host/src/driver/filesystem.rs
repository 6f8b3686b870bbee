//! What a volume is refused for before its guest is asked: a filesystem that the driver's file grants nobody to make.

use super::session::Session;
use crate::broker::refused_filesystem;
use crate::error::DriverError;
use crate::runtime::Guest;
use crate::store::Import;
use crate::volume::{CreateVolume, Parameters, VolumeCapability};

impl Session {
    /// `invalid-argument` for a volume that could never be mounted as it is wanted.
    pub(super) fn refuse_unmakeable(
        &self,
        guest: &Guest,
        request: &CreateVolume,
    ) -> Result<(), DriverError> {
        match self.refused(guest, &request.capabilities, &request.parameters) {
            None => Ok(()),
            Some(refusal) => Err(DriverError::invalid_argument(format!(
                "cannot make volume {:?}: {refusal}",
                request.name
            ))),
        }
    }

    /// `unsupported` for a use that needs a filesystem which may not be mounted.
    pub(super) fn refuse_unmountable(
        &self,
        guest: &Guest,
        capabilities: &[VolumeCapability],
        context: &Parameters,
    ) -> Result<(), DriverError> {
        match self.refused(guest, capabilities, context) {
            None => Ok(()),
            Some(refusal) => Err(DriverError::unsupported(refusal)),
        }
    }

    /// In words.
    fn refused(
        &self,
        guest: &Guest,
        capabilities: &[VolumeCapability],
        parameters: &Parameters,
    ) -> Option<String> {
        if !guest.manifest.imports(Import::BlockDevices) {
            return None;
        }
        let refusal = refused_filesystem(&self.config().grants, capabilities, parameters);
        refusal.map(|refusal| refusal.to_string())
    }
}
