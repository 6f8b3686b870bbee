//! Which version of its component answers a call of a driver: looked up once a call.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use super::components::{ComponentError, ComponentFile, locate, retained};
use super::version_record::{ActiveVersion, Content, RecordError, VersionRecord};
use super::watcher_lock::WatcherLock;
use crate::config::{self, DriverConfig, Paths};
use crate::sys::FileCache;
use crate::volume::DriverName;

/// A component, and the driver's file that counts with it.
#[derive(Debug, Clone)]
pub struct Version {
    /// As the operator configured it.
    pub config: Arc<DriverConfig>,
    /// What serves, or why nothing does. One error for all who ask in the same call.
    pub component: Result<ComponentFile, Arc<VersionError>>,
}

/// Why a driver has no version that may serve.
#[derive(Debug, thiserror::Error)]
pub enum VersionError {
    /// The component is not there.
    #[error(transparent)]
    Component(#[from] ComponentError),
    /// What was decided cannot be read.
    #[error(transparent)]
    Record(#[from] RecordError),
    /// The driver's file does not allow it.
    #[error(
        "component {component:?} has digest {sha256}, which require.sha256 of driver {driver} does not list"
    )]
    NotRequired {
        /// The component's name.
        component: String,
        /// Its digest.
        sha256: String,
        /// Whose file.
        driver: DriverName,
    },
}

impl VersionError {
    /// Whether there simply is no component yet.
    pub fn is_missing(&self) -> bool {
        matches!(self, Self::Component(ComponentError::Missing { .. }))
    }
}

/// For one driver, in this process.
#[derive(Debug)]
pub struct ActiveVersions {
    paths: Paths,
    /// As the file in drivers.d was when the process read it.
    configured: Arc<DriverConfig>,
    /// That file and its keys, as [`Content::driver_file`] has them.
    configured_digest: String,
    records: FileCache<Arc<VersionRecord>>,
    /// The driver's file of the record, parsed.
    activated: Mutex<Option<Arc<DriverConfig>>>,
}

impl ActiveVersions {
    /// With the driver's file as it is now.
    pub fn new(paths: Paths, configured: Arc<DriverConfig>) -> Self {
        Self {
            paths,
            configured_digest: Content::driver_file(&configured),
            configured,
            records: FileCache::default(),
            activated: Mutex::default(),
        }
    }

    /// As the file in drivers.d was when the process read it.
    pub fn configured(&self) -> &Arc<DriverConfig> {
        &self.configured
    }

    /// For one call: neither compiles nor waits.
    pub fn resolve(&self) -> Version {
        let (config, component) = match self.record() {
            Err(error) => (Arc::clone(&self.configured), Err(error.into())),
            Ok(None) => self.installed(),
            Ok(Some(record)) => match &record.active {
                Some(active) => self.activated(active),
                None => self.installed(),
            },
        };
        Version {
            config,
            component: component.map_err(Arc::new),
        }
    }

    fn record(&self) -> Result<Option<Arc<VersionRecord>>, RecordError> {
        let file = VersionRecord::file(&self.paths, &self.configured.name);
        let parsed = |bytes: Vec<u8>| {
            VersionRecord::parse(&file, &bytes)
                .map(Arc::new)
                .map_err(Unread::Record)
        };
        self.records
            .read(&file, parsed)
            .map_err(|error| match error {
                Unread::Record(error) => error,
                Unread::Io(source) => RecordError::Unreadable {
                    file: file.clone(),
                    source,
                },
            })
    }

    /// Nothing was activated yet: what an image brings, or what lies in the store under the component's name.
    fn installed(&self) -> (Arc<DriverConfig>, Result<ComponentFile, VersionError>) {
        let config = Arc::clone(&self.configured);
        let file = locate(&self.paths, &config.component)
            .map_err(VersionError::from)
            .and_then(|file| required(&config, file, None));
        (config, file)
    }

    fn activated(
        &self,
        active: &ActiveVersion,
    ) -> (Arc<DriverConfig>, Result<ComponentFile, VersionError>) {
        let file = ComponentFile {
            path: retained(&self.paths, &active.sha256),
            sha256: active.sha256.clone(),
        };
        let config = self.config_of(active);
        if config.component != active.component {
            return self.installed();
        }
        let file = required(&config, file, active.verified_by.as_deref());
        (config, file)
    }

    /// While somebody watches, a changed file counts from its activation on, which may bring another component with
    /// it. Where nobody does, it counts as it is.
    fn config_of(&self, active: &ActiveVersion) -> Arc<DriverConfig> {
        let activated = &active.content.driver_file;
        if *activated == self.configured_digest || !WatcherLock::is_watched(&self.paths) {
            return Arc::clone(&self.configured);
        }
        let mut known = self
            .activated
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(config) = known
            .as_ref()
            .filter(|it| Content::driver_file(it) == *activated)
        {
            return Arc::clone(config);
        }
        let file = self.paths.driver_file(&self.configured.name);
        match config::parse_driver(&file, &active.driver_file) {
            Ok(config) => Arc::clone(known.insert(Arc::new(config))),
            Err(error) => {
                // A host of another version wrote it.
                tracing::warn!(%error, "the driver's file of the active version cannot be read; using the one in drivers.d");
                Arc::clone(&self.configured)
            }
        }
    }
}

/// Only there to carry two errors through one reader.
enum Unread {
    Io(io::Error),
    Record(RecordError),
}

impl From<io::Error> for Unread {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

pub(super) fn required(
    config: &DriverConfig,
    file: ComponentFile,
    verified_by: Option<&str>,
) -> Result<ComponentFile, VersionError> {
    if is_allowed(config, &file.sha256, verified_by) {
        return Ok(file);
    }
    Err(VersionError::NotRequired {
        component: config.component.clone(),
        sha256: file.sha256,
        driver: config.name.clone(),
    })
}

/// By digest; or by the key that was found to have signed it when it was activated, if that is still asked for.
pub(super) fn is_allowed(config: &DriverConfig, sha256: &str, verified_by: Option<&str>) -> bool {
    let require = &config.require;
    require.allows_digest(sha256) || verified_by.is_some_and(|key| require.lists_key(key))
}
