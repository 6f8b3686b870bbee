//! A driver's component, read and asked what it is.

use drivebay::config::{DriverConfig, Paths};
use drivebay::store::{self, ComponentBytes, Manifest};

pub(super) fn examine(paths: &Paths, driver: &DriverConfig) -> anyhow::Result<Manifest> {
    let file = store::locate(paths, &driver.component)?;
    if !driver.require.allows_digest(&file.sha256) {
        anyhow::bail!(
            "component {:?} has digest {}, which require.sha256 does not list",
            driver.component,
            file.sha256
        );
    }
    let component = ComponentBytes::read(&file.path)?;
    Ok(store::inspect(&component, driver.limits.compile)?)
}
