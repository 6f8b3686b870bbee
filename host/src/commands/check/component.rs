//! A driver's component, read and asked what it is.

use std::sync::Arc;

use drivebay::config::{DriverConfig, Paths};
use drivebay::store::{self, ActiveVersions, ComponentBytes, Manifest};

pub(super) fn examine(paths: &Paths, driver: &DriverConfig) -> anyhow::Result<Manifest> {
    let versions = ActiveVersions::new(paths.clone(), Arc::new(driver.clone()));
    let file = versions.resolve().component?;
    let component = ComponentBytes::read(&file.path)?;
    Ok(store::inspect(&component, driver.limits.compile)?)
}
