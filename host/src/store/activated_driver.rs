//! The driver's file that counts while a node is watched and the one in drivers.d cannot be used.

use std::fs;

use super::version_record::VersionRecord;
use super::watcher_lock::WatcherLock;
use crate::config::{self, ConfigError, DriverConfig, Paths};
use crate::volume::DriverName;

/// What was found in drivers.d; where it is wrong and somebody watches, what was activated last. One that is half written
/// or has a typo must not end a driver that serves: whoever watches has noted what is wrong with it.
///
/// # Errors
/// The file's own, where nothing was activated that is wanted.
pub fn or_activated(
    found: Result<Option<DriverConfig>, ConfigError>,
    paths: &Paths,
    is_wanted: impl Fn(&DriverConfig) -> bool,
) -> Result<Option<DriverConfig>, ConfigError> {
    let error = match found {
        Err(error) if WatcherLock::is_watched(paths) => error,
        found => return found,
    };
    let Some(driver) = activated(paths).into_iter().find(is_wanted) else {
        return Err(error);
    };
    tracing::warn!(driver.name = driver.name.0, %error, "the driver's file cannot be used; the one that was activated last counts");
    Ok(Some(driver))
}

/// Every driver of this node, as it was activated last.
fn activated(paths: &Paths) -> Vec<DriverConfig> {
    let entries = fs::read_dir(paths.versions()).into_iter().flatten();
    let names = entries.flatten().filter_map(|entry| {
        let name = entry.file_name();
        Some(DriverName(name.to_str()?.strip_suffix(".json")?.to_owned()))
    });
    let config = |name: DriverName| {
        let active = VersionRecord::read(paths, &name).ok()??.active?;
        let file = paths.driver_file(&name);
        config::parse_driver(&file, &active.driver_file).ok()
    };
    names.filter_map(config).collect()
}
