//! A driver's component, read and asked what it is.

use std::sync::Arc;

use drivebay::config::{DriverConfig, Paths};
use drivebay::store::{self, ActiveVersions, ComponentBytes, Manifest};
use drivebay::sys;

pub(super) fn examine(paths: &Paths, driver: &DriverConfig) -> anyhow::Result<Manifest> {
    let versions = ActiveVersions::new(paths.clone(), Arc::new(driver.clone()));
    let file = versions.resolve().component?;
    let component = ComponentBytes::read(&file.path)?;
    Ok(store::inspect(&component, driver.limits.compile)?)
}

/// Why its code could not be had by whoever serves, if it could not.
pub(super) fn unready(paths: &Paths, manifest: &Manifest) -> Option<String> {
    if store::compiled_before(paths, &manifest.component_sha256).is_some() {
        return None;
    }
    let directory = paths.compiled();
    let error = sys::check_writable(&directory).err()?;
    Some(format!(
        "its code is not compiled yet, and cannot be kept in {}: {error}; let this process write there",
        directory.display()
    ))
}
