//! `expand_volume` at the backend, and what follows on the node.

use super::{Driver, VolumeReference};
use crate::error::DriverError;
use crate::runtime::Export;

impl Driver {
    /// Grows a volume to at least that many bytes and returns its size then. Safe to repeat.
    ///
    /// # Errors
    /// `unsupported` where the component does not grow volumes; the guest's own.
    pub fn expand_volume(
        &self,
        volume: &VolumeReference,
        required_bytes: u64,
    ) -> Result<u64, DriverError> {
        let operation = self.begin(&volume.key)?;
        let guest = self
            .runtime
            .current_guest(&self.config, operation.deadline)?;
        if !guest.manifest.exports(Export::Expansion) {
            let message = format!(
                "driver {} cannot grow volumes: its component does not export expansion",
                self.config.name
            );
            return Err(DriverError::unsupported(message));
        }
        let context = self.checked(&guest.manifest, volume)?;
        guest.expand_volume(operation.setup(), &volume.id, &context, required_bytes)
    }

    /// Lets what is on the node fill the grown volume. A volume that is a directory of a larger file
    /// system has nothing of its own to grow.
    ///
    /// # Errors
    /// `unsupported` where the component does not grow volumes, or keeps file systems on block devices,
    /// which this host cannot grow yet.
    pub fn expand_on_node(&self) -> Result<(), DriverError> {
        let capabilities = self.prepared_capabilities()?;
        if !capabilities.expand || capabilities.local_filesystem {
            let message = format!(
                "driver {} has no file system that could be grown on this node",
                self.config.name
            );
            return Err(DriverError::unsupported(message));
        }
        Ok(())
    }
}
