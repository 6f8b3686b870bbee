//! One call of a driver: by one version of its component, from the first look to the answer.

use std::sync::{Arc, OnceLock, PoisonError};
use std::time::Instant;

use super::capabilities::{CachedCapabilities, Capabilities};
use super::operation::Operation;
use super::request::VolumeReference;
use super::response::Component;
use super::{CallTimeouts, Shared, parameters};
use crate::config::DriverConfig;
use crate::error::{Condition, DriverError, GuestText};
use crate::runtime::{DriverState, Guest};
use crate::store::{
    ComponentError, ComponentFile, Export, Manifest, RecordError, Scope, Version, VersionError,
};
use crate::volume::Parameters;

/// One call. Which version serves it was looked up when it began, and a swap meanwhile changes nothing for it.
#[derive(Debug)]
pub struct Session {
    pub(super) shared: Arc<Shared>,
    pub(super) config: Arc<DriverConfig>,
    pub(super) state: DriverState,
    pub(super) timeouts: CallTimeouts,
    version: Version,
    /// Of that version, once it was read.
    manifest: OnceLock<Arc<Manifest>>,
}

impl Session {
    pub(super) fn new(shared: Arc<Shared>, state: DriverState, timeouts: CallTimeouts) -> Self {
        let version = shared.versions.resolve();
        Self {
            config: Arc::clone(&version.config),
            shared,
            state,
            timeouts,
            version,
            manifest: OnceLock::new(),
        }
    }

    /// The driver's configuration, as it counts for this call.
    pub fn config(&self) -> &DriverConfig {
        &self.config
    }

    /// When this call has to be over, if it begins now.
    pub fn deadline(&self, now: Instant) -> Instant {
        let own = now + self.config.limits.deadline;
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
        let manifest = runtime.prepared_manifest(&self.config, file, deadline)?;
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
        let manifest = self.manifest()?;
        Ok(Component {
            name: manifest.description.name.clone(),
            version: manifest.description.version.clone(),
            sha256: manifest.component_sha256.clone(),
        })
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
        let manifest = runtime.manifest(&self.config, self.component_file()?)?;
        Ok(self.manifest.get_or_init(|| manifest))
    }

    fn component_file(&self) -> Result<&ComponentFile, DriverError> {
        self.version.component.as_ref().map_err(no_component)
    }

    /// The guest that serves this call.
    fn guest(&self, operation: &Operation) -> Result<Arc<Guest>, DriverError> {
        let runtime = &self.shared.runtime;
        let guest = runtime.guest(&self.config, self.component_file()?, operation.deadline)?;
        let _ = self.manifest.set(Arc::clone(&guest.manifest));
        Ok(guest)
    }

    /// The version that made a volume, for undoing what it did; the one of this call where that is gone, or where this
    /// host refuses what an earlier one ran.
    pub(super) fn guest_that_made(
        &self,
        operation: &Operation,
        sha256: &str,
    ) -> Result<Arc<Guest>, DriverError> {
        let runtime = &self.shared.runtime;
        match runtime.guest_of(&self.config, sha256, operation.deadline) {
            Err(error) if error.condition() == Condition::FailedPrecondition => {
                tracing::warn!(
                    component.sha256 = sha256,
                    error = error.chain(),
                    "the version that made the volume cannot be used; using the current one"
                );
                self.guest(operation)
            }
            guest => guest,
        }
    }

    /// The guest that serves this call, for what only some components can do.
    pub(super) fn guest_with(
        &self,
        operation: &Operation,
        export: Export,
        doing: &str,
    ) -> Result<Arc<Guest>, DriverError> {
        let guest = self.guest(operation)?;
        self.require(&guest, export, doing)?;
        Ok(guest)
    }

    /// `unsupported` where the component cannot do that.
    pub(super) fn require(
        &self,
        guest: &Guest,
        export: Export,
        doing: &str,
    ) -> Result<(), DriverError> {
        if guest.manifest.exports(export) {
            return Ok(());
        }
        Err(DriverError::unsupported(format!(
            "driver {} cannot {doing}: its component does not export {}",
            self.config.name,
            export.name()
        )))
    }

    /// The parameters as the guest spells them; unknown and missing ones are named.
    pub(super) fn volume_parameters(
        &self,
        manifest: &Manifest,
        volume: &VolumeReference,
    ) -> Result<Parameters, DriverError> {
        parameters::validate(&manifest.description, Scope::Volume, &volume.context)
    }

    /// The same for parameters of another scope.
    pub(super) fn parameters_of(
        &self,
        guest: &Guest,
        scope: Scope,
        given: &Parameters,
    ) -> Result<Parameters, DriverError> {
        parameters::validate(&guest.manifest.description, scope, given)
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
