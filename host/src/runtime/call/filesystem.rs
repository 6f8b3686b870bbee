//! The filesystem that a volume is to have, looked at before there is a volume.
//!
//! Disks are formatted on the node, when the first pod waits for them. A filesystem that nobody may make there is
//! refused where its volume is made. What programs a node has is not known here; the driver's file is.

use super::Guest;
use crate::error::DriverError;
use crate::grant::{Capability, Refusal};
use crate::volume::{AccessType, CreateVolume, Parameters, VolumeCapability};

/// Where a class names the filesystem; FlexVolume has the same word.
const FS_TYPE: &str = "fsType";

impl Guest {
    /// `invalid-argument` for a volume that could never be mounted as it is wanted.
    pub(super) fn refuse_unmakeable(&self, request: &CreateVolume) -> Result<(), DriverError> {
        match self.refused_filesystem(&request.capabilities, &request.parameters) {
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
        capabilities: &[VolumeCapability],
        context: &Parameters,
    ) -> Result<(), DriverError> {
        match self.refused_filesystem(capabilities, context) {
            None => Ok(()),
            Some(refusal) => Err(DriverError::unsupported(refusal.to_string())),
        }
    }

    /// The claim's word counts before the class's.
    fn refused_filesystem(
        &self,
        capabilities: &[VolumeCapability],
        parameters: &Parameters,
    ) -> Option<Refusal> {
        let grant = self.grants.block_devices.as_ref()?;
        if !self.manifest.imports(Capability::BlockDevices) {
            return None;
        }
        let of_class = parameters.get(FS_TYPE).unwrap_or_default().trim();
        let asked = capabilities
            .iter()
            .filter_map(|capability| match &capability.kind {
                AccessType::Block => None,
                AccessType::Filesystem { fs_type, .. } if fs_type.is_empty() => Some(of_class),
                AccessType::Filesystem { fs_type, .. } => Some(fs_type.as_str()),
            });
        asked
            .into_iter()
            .find_map(|asked| grant.filesystems_for(asked).err())
    }
}
