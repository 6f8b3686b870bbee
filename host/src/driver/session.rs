//! One call of a driver: by one version of its component, from the first look to the answer.

use std::sync::{Arc, Mutex, Once, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use super::answering::Answering;
use super::capabilities::{CachedCapabilities, Capabilities};
use super::mount_cache::MountCache;
use super::response::Component;
use crate::broker::DriverState;
use crate::config::{DriverConfig, Paths};
use crate::error::{DriverError, GuestText};
use crate::journal::{DetachedVolumes, Journal};
use crate::runtime::{GuestTime, Runtime};
use crate::store::{
    ActiveVersions, ComponentError, ComponentFile, Manifest, RecordError, Scope, Version,
    VersionError,
};
use crate::sys::Looks;
use crate::volume::Secrets;
use crate::worker::client::{MeasuringWorkers, NetworkWorkers, WorkerCounters};

/// How long an operation waits for another one on the same volume before it answers `in-progress`.
/// kubelet's own retries begin at half a second; two pods of one volume started together fit in easily.
const LOCK_WAIT: Duration = Duration::from_secs(10);

/// What the calls of one driver share.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) answering: Answering,
    pub(super) paths: Paths,
    pub(super) versions: ActiveVersions,
    pub(super) runtime: Runtime,
    pub(super) journal: Journal,
    pub(super) detached: DetachedVolumes,
    pub(super) network: NetworkWorkers,
    pub(super) measuring: MeasuringWorkers,
    pub(super) worker_counters: WorkerCounters,
    pub(super) guest_time: GuestTime,
    pub(super) capabilities: Mutex<Option<CachedCapabilities>>,
    pub(super) mount_cache: MountCache,
    /// Of volumes that calls are repeated for.
    pub(super) looks: Looks,
    pub(super) closed: OnceLock<()>,
    /// What this process may not do.
    pub(super) unable: OnceLock<String>,
    /// That the driver's file limits what has no limit.
    pub(super) told_useless_limits: Once,
}

/// How long a caller waits.
#[derive(Debug, Clone, Copy)]
pub struct CallTimeouts {
    /// For the answer; the driver's own deadline counts where it comes sooner.
    pub answer: Option<Instant>,
    /// For another operation on the same volume, before the answer is `in-progress`.
    pub lock: Duration,
}

impl Default for CallTimeouts {
    /// Of callers that do not say.
    fn default() -> Self {
        Self {
            answer: None,
            lock: LOCK_WAIT,
        }
    }
}

/// One call. Which version serves it is looked up where that first matters, and a swap from then on changes nothing for it.
#[derive(Debug)]
pub struct Session {
    pub(super) shared: Arc<Shared>,
    pub(super) state: DriverState,
    pub(super) timeouts: CallTimeouts,
    /// What the caller brought for this call, as far as the driver may use it.
    pub(super) secrets: Secrets,
    /// Once it was looked up.
    version: OnceLock<Version>,
    /// Of that version, once it was read.
    pub(super) manifest: OnceLock<Arc<Manifest>>,
}

impl Session {
    pub(super) fn new(shared: Arc<Shared>, state: DriverState, timeouts: CallTimeouts) -> Self {
        Self {
            shared,
            state,
            timeouts,
            secrets: Secrets::default(),
            version: OnceLock::new(),
            manifest: OnceLock::new(),
        }
    }

    /// The same call with what the caller brought for it. What the driver was not granted is not kept.
    #[must_use]
    pub fn with_secrets(self, secrets: &Secrets) -> Self {
        if secrets.is_empty() {
            return self;
        }
        let granted = &self.config().grants.secrets;
        Self {
            secrets: secrets.keeping(|name| granted.contains_key(name)),
            ..self
        }
    }

    /// The driver's configuration, as it counts for this call.
    pub fn config(&self) -> &Arc<DriverConfig> {
        &self.decided().config
    }

    /// What serves this call.
    fn decided(&self) -> &Version {
        self.version.get_or_init(|| self.shared.versions.resolve())
    }

    /// When this call has to be over, if it begins now.
    pub fn deadline(&self, now: Instant) -> Instant {
        let own = now + self.config().limits.deadline;
        self.timeouts.answer.map_or(own, |answer| answer.min(own))
    }

    /// What the component can do. Neither compiles nor goes anywhere: kubelet holds a lock over all
    /// plugins while it waits.
    ///
    /// # Errors
    /// Where there is no component, or it is not compiled yet.
    pub fn capabilities(&self) -> Result<Capabilities, DriverError> {
        self.manifest()
            .map(|manifest| self.capabilities_of(manifest))
    }

    /// The same for any other operation: a component that is not compiled yet is compiled now.
    ///
    /// # Errors
    /// Where there is no component, or it cannot be compiled.
    pub fn prepared_capabilities(&self) -> Result<Capabilities, DriverError> {
        if let Some(manifest) = self.manifest.get() {
            return Ok(self.capabilities_of(manifest));
        }
        let (file, deadline) = (self.component_file()?, self.deadline(Instant::now()));
        let runtime = &self.shared.runtime;
        let manifest = runtime.prepared_manifest(self.config(), file, deadline)?;
        Ok(self.capabilities_of(self.manifest.get_or_init(|| manifest)))
    }

    /// Callers ask in each call, and names are long to read.
    fn capabilities_of(&self, manifest: &Arc<Manifest>) -> Capabilities {
        let cached = &self.shared.capabilities;
        let mut cached = cached.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = cached.as_ref()
            && Arc::ptr_eq(&known.manifest, manifest)
        {
            return known.capabilities;
        }
        let capabilities = Capabilities::of(manifest);
        *cached = Some(CachedCapabilities {
            manifest: Arc::clone(manifest),
            capabilities,
        });
        capabilities
    }

    /// Which component serves this call.
    ///
    /// # Errors
    /// As for [`Self::capabilities`].
    pub fn component(&self) -> Result<Component, DriverError> {
        self.manifest().map(|manifest| manifest.as_ref().into())
    }

    /// The component's own word for its version, where that is known without compiling.
    pub fn version(&self) -> Option<&GuestText> {
        let manifest = self.manifest().ok()?;
        Some(&manifest.description.version)
    }

    /// Whether the component describes that parameter.
    ///
    /// # Errors
    /// As for [`Self::capabilities`].
    pub fn knows(&self, scope: Scope, key: &str) -> Result<bool, DriverError> {
        Ok(self.manifest()?.description.spelling(scope, key).is_some())
    }

    fn manifest(&self) -> Result<&Arc<Manifest>, DriverError> {
        if let Some(manifest) = self.manifest.get() {
            return Ok(manifest);
        }
        let runtime = &self.shared.runtime;
        let manifest = runtime.manifest(self.config(), self.component_file()?)?;
        Ok(self.manifest.get_or_init(|| manifest))
    }

    pub(super) fn component_file(&self) -> Result<&ComponentFile, DriverError> {
        let file = self.decided().component.as_ref();
        file.map(Arc::as_ref).map_err(no_component)
    }
}

/// One error for all who ask in the same call.
fn no_component(error: &Arc<VersionError>) -> DriverError {
    match error.as_ref() {
        VersionError::Component(ComponentError::Missing { .. }) => {
            DriverError::not_found(error.to_string())
        }
        VersionError::NotRequired { .. } => DriverError::denied(error.to_string()),
        VersionError::Record(RecordError::Later { .. } | RecordError::Corrupt { .. }) => {
            DriverError::failed_precondition("cannot tell which version of the component serves")
                .caused_by(Arc::clone(error))
        }
        VersionError::Component(_) | VersionError::Record(_) => {
            DriverError::unavailable("cannot load the driver").caused_by(Arc::clone(error))
        }
    }
}
