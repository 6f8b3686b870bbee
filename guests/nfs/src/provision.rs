//! Volumes are made, found, grown and removed: the SDK's work on a share, told as this driver's volumes are.

use drivebay_guest::prelude::*;

use crate::record::Store;
use crate::volume_id::VolumeId;
use crate::volume_spec::{self, VolumeSpec};

/// Make a volume, or find the one an earlier try made.
pub(crate) fn create(tree: &dyn Tree, spec: &VolumeSpec) -> Result<VolumeInfo, Error> {
    let record = Store::of(tree).create_volume(&spec.volume)?;
    Ok(volume_spec::info(&spec.volume.id, &record))
}

/// One volume, as it is now.
pub(crate) fn get(tree: &dyn Tree, written: &str) -> Result<VolumeInfo, Error> {
    let (id, record) = Store::of(tree).get_volume(written)?;
    Ok(volume_spec::info(&id, &record))
}

/// Raise the promise of a size.
pub(crate) fn expand(
    tree: &dyn Tree,
    written: &str,
    capacity: &CapacityRange,
) -> Result<u64, Error> {
    Store::of(tree).expand_volume(written, capacity)
}

/// Remove a volume, as its class said.
pub(crate) fn delete(tree: &dyn Tree, id: &VolumeId) -> Result<(), Error> {
    Store::of(tree).delete_volume(id)
}

#[cfg(test)]
mod nested_tests;
#[cfg(test)]
pub(crate) mod tests;
