//! What is known on this node of the versions of each driver, whether anybody serves it or not.

use drivebay::config::{self, ConfigError, DriverConfig, Paths};
use drivebay::driver::{Driver, or_activated};
use drivebay::error::GuestText;
use drivebay::store::{self, ActiveVersion, VersionProgress, VersionRecord};
use drivebay::volume::DriverName;

/// Of one driver.
pub(super) struct DriverVersions {
    pub(super) name: DriverName,
    /// The component's name; none where the driver's file does not say it.
    pub(super) component: Option<String>,
    pub(super) is_ready: bool,
    /// Why it cannot serve, or by another file than the one that is there.
    pub(super) reason: Option<GuestText>,
    pub(super) active: Option<ServingVersion>,
    /// What was decided; empty where that cannot be read.
    pub(super) record: VersionRecord,
    pub(super) progress: VersionProgress,
}

/// One that was activated, or the component that lies in the store before anything is.
pub(super) struct ServingVersion {
    pub(super) sha256: String,
    /// Its own word for itself, where it is compiled.
    pub(super) version: Option<GuestText>,
    /// Where it was activated.
    pub(super) since: Option<u64>,
    pub(super) source: String,
}

/// Of all drivers, in the order of their names.
///
/// # Errors
/// It cannot be told which drivers there are.
pub(super) fn of_all(paths: &Paths) -> Result<Vec<DriverVersions>, ConfigError> {
    let drivers = config::load_each_driver(paths)?;
    let of = |(name, config)| match config {
        Ok(config) => of_driver(paths, config),
        Err(error) => of_wrong_file(paths, name, error),
    };
    Ok(drivers.into_iter().map(of).collect())
}

/// It is ready where CSI's Probe would say so.
fn of_driver(paths: &Paths, config: DriverConfig) -> DriverVersions {
    let name = config.name.clone();
    let session = Driver::new(config, paths.clone()).session();
    let component = &session.config().component;
    let ready = session.capabilities();
    let reason = ready.err();
    let reason = reason.map(|error| GuestText::sentence(&error.chain()));
    let (record, active) = match VersionRecord::read(paths, &name) {
        // The reason has it: nothing serves then.
        Err(_) => (VersionRecord::default(), None),
        Ok(record) => {
            let record = record.unwrap_or_default();
            let activated = record.active.as_ref();
            let activated = activated.filter(|active| active.component == *component);
            let active = activated
                .map(ServingVersion::from)
                .or_else(|| installed(paths, component, session.version().cloned()));
            (record, active)
        }
    };
    DriverVersions {
        progress: VersionProgress::read(paths, &name),
        component: Some(component.clone()),
        is_ready: reason.is_none(),
        name,
        reason,
        active,
        record,
    }
}

fn installed(paths: &Paths, component: &str, version: Option<GuestText>) -> Option<ServingVersion> {
    let file = store::locate(paths, component).ok()?;
    Some(ServingVersion {
        sha256: file.sha256,
        version,
        since: None,
        source: file.path.display().to_string(),
    })
}

/// What was decided is told all the same. While the node is watched, the driver goes on by the file that was activated
/// last.
fn of_wrong_file(paths: &Paths, name: DriverName, error: ConfigError) -> DriverVersions {
    let reason = format!("{:#}", anyhow::Error::new(error));
    let reason = Some(GuestText::sentence(&reason));
    let again = config::find_driver(paths, &name);
    if let Ok(Some(config)) = or_activated(again, paths, |driver| driver.name == name) {
        let versions = of_driver(paths, config);
        return DriverVersions {
            reason: versions.reason.or(reason),
            ..versions
        };
    }
    let record = VersionRecord::read(paths, &name);
    let record = record.ok().flatten().unwrap_or_default();
    DriverVersions {
        component: None,
        is_ready: false,
        reason,
        active: record.active.as_ref().map(ServingVersion::from),
        progress: VersionProgress::read(paths, &name),
        record,
        name,
    }
}

impl From<&ActiveVersion> for ServingVersion {
    fn from(version: &ActiveVersion) -> Self {
        Self {
            sha256: version.sha256.clone(),
            version: Some(version.version.clone()),
            since: Some(version.since),
            source: version.source.clone(),
        }
    }
}
