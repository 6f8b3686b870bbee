//! The component that serves a driver, and what it can do.

use std::sync::{Arc, PoisonError};
use std::time::Instant;

use super::capabilities::{CachedCapabilities, Capabilities};
use super::operation::Operation;
use super::request::VolumeReference;
use super::response::Component;
use super::{Driver, parameters};
use crate::error::{DriverError, GuestText};
use crate::runtime::Guest;
use crate::store::{Export, Manifest, Scope};
use crate::volume::Parameters;

impl Driver {
    /// What its component can do. Neither compiles nor goes anywhere: kubelet holds a lock over all
    /// plugins while it waits.
    ///
    /// # Errors
    /// Where there is no component, or it is not compiled yet.
    pub fn capabilities(&self) -> Result<Capabilities, DriverError> {
        self.runtime
            .manifest(&self.config)
            .map(|manifest| self.capabilities_of(manifest))
    }

    /// Callers ask in each call, and names are long to read.
    fn capabilities_of(&self, manifest: Arc<Manifest>) -> Capabilities {
        let mut cached = self
            .capabilities
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = cached.as_ref()
            && Arc::ptr_eq(&known.manifest, &manifest)
        {
            return known.capabilities;
        }
        let capabilities = Capabilities::of(&manifest);
        *cached = Some(CachedCapabilities {
            manifest,
            capabilities,
        });
        capabilities
    }

    /// The same for any other operation: a component that is not compiled yet is compiled now.
    ///
    /// # Errors
    /// Where there is no component, or it cannot be compiled.
    pub fn prepared_capabilities(&self) -> Result<Capabilities, DriverError> {
        let deadline = self.deadline(Instant::now());
        self.runtime
            .prepared_manifest(&self.config, deadline)
            .map(|manifest| self.capabilities_of(manifest))
    }

    /// Which component serves now.
    pub fn component(&self) -> Result<Component, DriverError> {
        let manifest = self.runtime.manifest(&self.config)?;
        Ok(Component {
            name: manifest.description.name.clone(),
            version: manifest.description.version.clone(),
            sha256: manifest.component_sha256.clone(),
        })
    }

    /// The version of the component that an operation of this process met last.
    pub fn last_version(&self) -> Option<GuestText> {
        let manifest = self.runtime.last_manifest()?;
        Some(manifest.description.version.clone())
    }

    /// The current guest, for what only some components can do.
    pub(super) fn guest_with(
        &self,
        operation: &Operation,
        export: Export,
        doing: &str,
    ) -> Result<Arc<Guest>, DriverError> {
        let guest = self
            .runtime
            .current_guest(&self.config, operation.deadline)?;
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

    /// Whether the driver's component describes that parameter.
    pub fn knows(&self, scope: Scope, key: &str) -> Result<bool, DriverError> {
        let manifest = self.runtime.manifest(&self.config)?;
        Ok(manifest.description.spelling(scope, key).is_some())
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
