//! Which version of its component answers a call of a driver: looked up once a call.

use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use super::components::{ComponentError, ComponentFile, by_name, linked, locate, retained};
use super::version_record::{ActiveVersion, Content, RecordError, VersionRecord};
use super::watcher_lock::WatcherLock;
use crate::config::{self, DriverConfig, Paths};
use crate::sys::{FileCache, HeldLink};
use crate::volume::DriverName;

/// A component, and the driver's file that counts with it.
#[derive(Debug, Clone)]
pub struct Version {
    /// As the operator configured it.
    pub config: Arc<DriverConfig>,
    /// What serves, or why nothing does. One error for all who ask in the same call.
    pub component: Result<Arc<ComponentFile>, Arc<VersionError>>,
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
    /// Where the component is found that was put into the store by hand.
    by_name: PathBuf,
    /// Where it stands what was decided.
    record_file: PathBuf,
    records: FileCache<Arc<VersionRecord>>,
    /// The file that was found last.
    found: Mutex<Option<(Pointer, Arc<ComponentFile>)>>,
    /// The driver's file of the record, parsed.
    activated: Mutex<Option<Arc<DriverConfig>>>,
}

/// What leads to a component's file: to the same one for as long as it stays the same.
#[derive(Debug)]
enum Pointer {
    /// What was activated.
    Record(Arc<VersionRecord>),
    /// What the component's name is.
    Link(HeldLink),
}

impl ActiveVersions {
    /// With the driver's file as it is now.
    pub fn new(paths: Paths, configured: Arc<DriverConfig>) -> Self {
        Self {
            configured_digest: Content::driver_file(&configured),
            by_name: by_name(&paths, &configured.component),
            record_file: VersionRecord::file(&paths, &configured.name),
            paths,
            configured,
            records: FileCache::default(),
            found: Mutex::default(),
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
                Some(active) => self.activated(&record, active),
                None => self.installed(),
            },
        };
        Version {
            config,
            component: component.map_err(Arc::new),
        }
    }

    fn record(&self) -> Result<Option<Arc<VersionRecord>>, RecordError> {
        let file = || self.record_file.clone();
        let parsed = |bytes: Vec<u8>| {
            VersionRecord::parse(&self.record_file, &bytes)
                .map(Arc::new)
                .map_err(Unread::Record)
        };
        let name = self.configured.name.0.as_bytes();
        let record = self.records.read(name, file, parsed);
        record.map_err(|error| match error {
            Unread::Record(error) => error,
            Unread::Io(source) => RecordError::Unreadable {
                file: file(),
                source,
            },
        })
    }

    /// Nothing was activated yet: what an image brings, or what lies in the store under the component's name.
    fn installed(&self) -> (Arc<DriverConfig>, Result<Arc<ComponentFile>, VersionError>) {
        let config = Arc::clone(&self.configured);
        let file = self.in_store().and_then(|file| {
            check_required(&config, &file.sha256, None)?;
            Ok(file)
        });
        (config, file)
    }

    fn in_store(&self) -> Result<Arc<ComponentFile>, VersionError> {
        if let Some(file) = self.known(|by| matches!(by, Pointer::Link(link) if link.is_there())) {
            return Ok(file);
        }
        if let Ok(link) = HeldLink::open(&self.by_name)
            && let Some(file) = linked(&self.by_name, link.target())
        {
            return Ok(self.keep(Pointer::Link(link), file));
        }
        Ok(Arc::new(locate(&self.paths, &self.configured.component)?))
    }

    fn activated(
        &self,
        record: &Arc<VersionRecord>,
        active: &ActiveVersion,
    ) -> (Arc<DriverConfig>, Result<Arc<ComponentFile>, VersionError>) {
        let config = self.config_of(active);
        if config.component != active.component {
            return self.installed();
        }
        let required = check_required(&config, &active.sha256, active.verified_by.as_deref());
        (config, required.map(|()| self.kept(record, &active.sha256)))
    }

    fn kept(&self, record: &Arc<VersionRecord>, sha256: &str) -> Arc<ComponentFile> {
        let is_by_it = |by: &Pointer| matches!(by, Pointer::Record(it) if Arc::ptr_eq(it, record));
        self.known(is_by_it).unwrap_or_else(|| {
            let file = ComponentFile {
                path: retained(&self.paths, sha256),
                sha256: sha256.to_owned(),
            };
            self.keep(Pointer::Record(Arc::clone(record)), file)
        })
    }

    /// What was found last, if it was by that.
    fn known(&self, is_by_it: impl FnOnce(&Pointer) -> bool) -> Option<Arc<ComponentFile>> {
        let found = self.found.lock().unwrap_or_else(PoisonError::into_inner);
        let (by, file) = found.as_ref()?;
        is_by_it(by).then(|| Arc::clone(file))
    }

    fn keep(&self, by: Pointer, file: ComponentFile) -> Arc<ComponentFile> {
        let file = Arc::new(file);
        let mut found = self.found.lock().unwrap_or_else(PoisonError::into_inner);
        *found = Some((by, Arc::clone(&file)));
        file
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

pub(super) fn check_required(
    config: &DriverConfig,
    sha256: &str,
    verified_by: Option<&str>,
) -> Result<(), VersionError> {
    if is_allowed(config, sha256, verified_by) {
        return Ok(());
    }
    Err(VersionError::NotRequired {
        component: config.component.clone(),
        sha256: sha256.to_owned(),
        driver: config.name.clone(),
    })
}

/// By digest; or by the key that was found to have signed it when it was activated, if that is still asked for.
pub(super) fn is_allowed(config: &DriverConfig, sha256: &str, verified_by: Option<&str>) -> bool {
    let require = &config.require;
    require.allows_digest(sha256) || verified_by.is_some_and(|key| require.lists_key(key))
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;
    use std::path::Path;

    use super::*;

    const FILE: &str = "component = \"nfs\"\n[grants.mounts]\n";

    /// The directory goes with the first value.
    fn versions() -> (tempfile::TempDir, Paths, ActiveVersions) {
        let root = tempfile::tempdir().expect("a directory");
        let paths = Paths::beneath(root.path());
        fs::create_dir_all(paths.components().join("sha256")).expect("writable");
        let config = config::parse_driver(Path::new("/etc/drivebay/drivers.d/nfs.toml"), FILE);
        let versions = ActiveVersions::new(paths.clone(), Arc::new(config.expect("valid")));
        (root, paths, versions)
    }

    fn digest(of: char) -> String {
        of.to_string().repeat(64)
    }

    fn link(paths: &Paths, of: char) {
        let link = by_name(paths, "nfs");
        let _ = fs::remove_file(&link);
        symlink(format!("sha256/{}.wasm", digest(of)), link).expect("writable");
    }

    fn found(versions: &ActiveVersions) -> Arc<ComponentFile> {
        versions.resolve().component.expect("found")
    }

    #[test]
    fn a_component_in_the_store_is_found_by_its_link_and_anew_where_that_leads_elsewhere() {
        let (_root, paths, versions) = versions();
        for of in ['a', 'b', 'a'] {
            link(&paths, of);
            let first = found(&versions);
            assert_eq!(first.sha256, digest(of));
            assert_eq!(first.path, by_name(&paths, "nfs"));
            assert!(Arc::ptr_eq(&first, &found(&versions)), "it is known");
        }
        fs::remove_file(by_name(&paths, "nfs")).expect("there");
        let error = versions.resolve().component.expect_err("gone");
        assert!(error.is_missing());
        fs::write(by_name(&paths, "nfs"), "no link").expect("writable");
        assert_ne!(found(&versions).sha256, digest('a'));
    }

    #[test]
    fn what_was_activated_serves_until_something_else_is() {
        let (_root, paths, versions) = versions();
        link(&paths, 'a');
        for of in ['b', 'c', 'b'] {
            let active = ActiveVersion {
                content: Content::of(&digest(of), None, versions.configured()),
                ..ActiveVersion::example(&digest(of))
            };
            VersionRecord::change(&paths, &versions.configured().name, |record| {
                record.activate(active);
            })
            .expect("writable");
            for _ in 0..2 {
                assert_eq!(found(&versions).sha256, digest(of));
            }
        }
    }
}
