//! `expand_volume` at the backend, and what follows on the node.

use std::path::{Path, PathBuf};

use super::parameters::known;
use super::place::still_holds;
use super::provision::check_range;
use super::{Driver, VolumeReference};
use crate::error::DriverError;
use crate::journal::{Placement, Progress, Role, VolumeRecord};
use crate::runtime::{Export, Scope};
use crate::sys::{DeviceRequest, Kernel, Request};
use crate::volume::{CapacityRange, VolumeKey};

/// `expand_on_node`: a volume whose backend has grown it.
#[derive(Debug)]
pub struct ExpandOnNode {
    /// Which.
    pub key: VolumeKey,
    /// Where, staged or for a pod.
    pub at: Whereabouts,
    /// What its filesystem has to fill at least.
    pub required_bytes: u64,
}

/// What the caller says of where a volume is mounted.
#[derive(Debug)]
pub enum Whereabouts {
    /// Nothing.
    Unsaid,
    /// There, if anywhere: FlexVolume's callers also ask where nothing is mounted.
    Perhaps(PathBuf),
    /// There.
    Certain(PathBuf),
}

/// What there was to do on the node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Growth {
    /// The filesystem fills the volume now.
    Filesystem,
    /// A raw device, or a directory of a larger file system: there is nothing to grow.
    Nothing,
    /// It is not mounted here. Whoever mounts it next grows its filesystem before.
    NotMounted,
}

impl Driver {
    /// Grows a volume into a range and returns its size then, in bytes. Safe to repeat.
    ///
    /// # Errors
    /// `unsupported` where the component does not grow volumes; the guest's own.
    pub fn expand_volume(
        &self,
        volume: &VolumeReference,
        capacity: CapacityRange,
    ) -> Result<u64, DriverError> {
        check_range(capacity)?;
        let operation = self.begin(&volume.key)?;
        let guest = self.guest_with(&operation, Export::Expansion, "grow volumes")?;
        // CSI grows a volume by its id alone.
        let context = known(&guest.manifest.description, Scope::Volume, &volume.context)?;
        guest.expand_volume(operation.setup(), &volume.id, &context, capacity)
    }

    /// Lets what is on the node fill the grown volume, while it is mounted. Safe to repeat.
    ///
    /// # Errors
    /// `unsupported` where the component does not grow volumes; `failed-precondition` where the directory
    /// holds another volume, `not-found` where the caller is certain that it holds this one.
    pub fn expand_on_node(&self, request: &ExpandOnNode) -> Result<Growth, DriverError> {
        let capabilities = self.prepared_capabilities()?;
        if !capabilities.exports(Export::Expansion) {
            let message = format!(
                "driver {} has no file system that could be grown on this node",
                self.config.name
            );
            return Err(DriverError::unsupported(message));
        }
        let found = match &request.at {
            Whereabouts::Certain(at) => Some(self.mounted_at(&request.key, at)?),
            Whereabouts::Unsaid | Whereabouts::Perhaps(_) => None,
        };
        if !capabilities.local_filesystem() {
            return Ok(Growth::Nothing);
        }
        let mut operation = self.begin(&request.key)?;
        if let Whereabouts::Perhaps(at) = &request.at {
            self.refuse_other_volume(at, &request.key)?;
        }
        let record = self.journal.load(&request.key)?;
        let mount_point = match (record.as_ref().and_then(mounted), found) {
            (Some(placement), _) if placement.use_as.is_block() => return Ok(Growth::Nothing),
            (Some(placement), _) => placement.path.clone(),
            // Another driver mounted it, and nobody asked us for it since.
            (None, Some(found)) if found.is_device() => return Ok(Growth::Nothing),
            (None, Some(found)) => found.path,
            (None, None) => return Ok(Growth::NotMounted),
        };
        let grow = DeviceRequest::GrowMounted {
            mount_point,
            at_least_bytes: Some(request.required_bytes),
        };
        operation
            .workers
            .call(Request::Device(grow), operation.deadline)?;
        Ok(Growth::Filesystem)
    }

    /// kubelet names the staging directory or the pod's, depending on its version; either has to be this
    /// volume's, if we mounted there.
    fn refuse_other_volume(&self, at: &Path, key: &VolumeKey) -> Result<(), DriverError> {
        match self.journal.volume_at(at) {
            Some(other) if other != *key => Err(DriverError::failed_precondition(format!(
                "cannot grow volume {:?} at {}: that is where volume {:?} is mounted",
                key.0,
                at.display(),
                other.0
            ))),
            _ => Ok(()),
        }
    }
}

/// One filesystem is behind all mounts of a volume; the staging is where it can surely be written.
fn mounted(record: &VolumeRecord) -> Option<&Placement> {
    let is_there =
        |placement: &&Placement| placement.progress == Progress::Done && still_holds(placement);
    let staged = record.staging().filter(is_there);
    let published = || {
        record
            .placements
            .iter()
            .filter(|placement| placement.role == Role::Target)
            .find(is_there)
    };
    staged.or_else(published)
}
