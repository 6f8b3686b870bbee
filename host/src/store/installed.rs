//! Components that were put into the store by hand, by `drivebay install` or with an image: what serves a driver for which
//! nothing was activated yet.

use std::path::Path;

use super::compile::manifest_of;
use super::components::{ComponentBytes, ComponentError, keep, locate, retained};
use super::file_rules;
use super::imports::{in_words, problems};
use super::manifest::Manifest;
use super::version_change::log_change;
use super::version_progress::VersionProgress;
use super::version_record::{ActiveVersion, Content, RecordError, VersionRecord};
use crate::config::{DriverConfig, Paths};
use crate::sys;

/// The component in the store that serves a driver as long as nothing is activated, as a version to go back to. None where
/// there is none, or it cannot be compiled.
pub(super) fn installed_version(paths: &Paths, driver: &DriverConfig) -> Option<ActiveVersion> {
    let file = locate(paths, &driver.component).ok()?;
    if !retained(paths, &file.sha256).exists() {
        keep(paths, &ComponentBytes::read(&file.path).ok()?).ok()?;
    }
    let manifest = manifest_of(paths, &file.sha256, driver.limits.compile)?;
    Some(version(driver, &manifest, &file.path))
}

fn version(driver: &DriverConfig, manifest: &Manifest, source: &Path) -> ActiveVersion {
    let sha256 = &manifest.component_sha256;
    ActiveVersion {
        component: driver.component.clone(),
        sha256: sha256.clone(),
        version: manifest.description.version.clone(),
        since: sys::now_seconds(),
        source: source.display().to_string(),
        driver_file: driver.text.clone(),
        content: Content::of(sha256, None, driver),
        verified_by: None,
    }
}

/// Why a component was not installed.
#[derive(Debug, thiserror::Error)]
pub enum InstallError {
    /// It cannot be put into the store.
    #[error(transparent)]
    Component(#[from] ComponentError),
    /// Which version serves cannot be read or written.
    #[error(transparent)]
    Record(#[from] RecordError),
    /// The operator said so.
    #[error("driver {driver} may not be served by it: {reason}")]
    NotAllowed {
        /// Whose file.
        driver: String,
        /// What it says.
        reason: String,
    },
    /// A driver that is served now would not be any more.
    #[error("it cannot serve driver {driver}, which another version serves now: {reasons}")]
    NotGranted {
        /// Whose grants.
        driver: String,
        /// What is missing.
        reasons: String,
    },
}

/// Puts a component that was compiled into the store, and lets it serve the drivers of its name at once. Where nothing was
/// decided yet the store alone says what serves; but that it was signed is known only where it is noted.
///
/// # Errors
/// [`InstallError`]; what serves goes on then.
pub fn install_for(
    paths: &Paths,
    name: &str,
    component: &ComponentBytes,
    manifest: &Manifest,
    signature: Option<&[u8]>,
    drivers: &[&DriverConfig],
) -> Result<(), InstallError> {
    let mut served = Vec::new();
    for driver in drivers {
        let verified_by = allowed(driver, component, signature)?;
        let record = VersionRecord::read(paths, &driver.name)?.unwrap_or_default();
        let before = record.active.or_else(|| installed_version(paths, driver));
        let is_same = |it: &ActiveVersion| {
            let is_news = verified_by.is_some() && it.verified_by != verified_by;
            it.sha256 == manifest.component_sha256 && !is_news
        };
        let is_told_by_the_store = before.is_none() && verified_by.is_none();
        if is_told_by_the_store || before.as_ref().is_some_and(is_same) {
            continue;
        }
        if before.is_some() {
            refuse_ungranted(driver, manifest)?;
        }
        served.push((driver, before, verified_by));
    }
    super::components::install(paths, name, component)?;
    for (driver, before, verified_by) in served {
        let now = ActiveVersion {
            verified_by,
            ..version(driver, manifest, &component.path)
        };
        let_serve(paths, driver, &now, before)?;
    }
    Ok(())
}

/// It serves: what the sources offer does not take its place with the next look.
fn let_serve(
    paths: &Paths,
    driver: &DriverConfig,
    now: &ActiveVersion,
    before: Option<ActiveVersion>,
) -> Result<(), RecordError> {
    let offered = VersionProgress::read(paths, &driver.name).offered;
    let before = VersionRecord::change(paths, &driver.name, |record| {
        record.active = record.active.take().or(before);
        let before = record.active.clone();
        match &mut record.active {
            // It was verified by another key, or not at all.
            Some(serving) if serving.sha256 == now.sha256 => {
                serving.verified_by.clone_from(&now.verified_by);
            }
            Some(_) | None => {
                let _ = record.activate_by_name(now.clone(), offered.as_ref());
            }
        }
        before
    })?;
    if before.as_ref().is_none_or(|it| it.sha256 != now.sha256) {
        log_change(&driver.name, now, before.as_ref());
    }
    Ok(())
}

/// The key that signed it, where one is asked for.
fn allowed(
    driver: &DriverConfig,
    component: &ComponentBytes,
    signature: Option<&[u8]>,
) -> Result<Option<String>, InstallError> {
    let not_allowed = |reason: String| InstallError::NotAllowed {
        driver: driver.name.to_string(),
        reason,
    };
    file_rules::follow(driver, &component.sha256)
        .map_err(|error| not_allowed(error.to_string()))?;
    file_rules::require(driver, component, signature)
        .map_err(|error| not_allowed(error.to_string()))
}

fn refuse_ungranted(driver: &DriverConfig, manifest: &Manifest) -> Result<(), InstallError> {
    let problems = problems(&manifest.imports, &manifest.exports, &driver.capabilities());
    match problems.is_empty() {
        true => Ok(()),
        false => Err(InstallError::NotGranted {
            driver: driver.name.to_string(),
            reasons: in_words(&problems),
        }),
    }
}
