//! The guest of a call: of the version that the session is of, or of the one that made what is undone.

use std::sync::Arc;

use super::operation::Operation;
use super::parameters;
use super::request::VolumeReference;
use super::session::Session;
use crate::error::{Condition, DriverError, ErrorOrigin};
use crate::runtime::Guest;
use crate::store::{Export, Manifest, Scope};
use crate::volume::Parameters;

impl Session {
    /// The guest that serves this call.
    fn guest(&self, operation: &Operation) -> Result<Arc<Guest>, DriverError> {
        let runtime = &self.shared.runtime;
        let guest = runtime.guest(self.config(), self.component_file()?, operation.deadline)?;
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
        match runtime.guest_of(self.config(), sha256, operation.deadline) {
            // What this process only cannot do now is no reason to let another version undo it.
            Err(error)
                if error.condition() == Condition::FailedPrecondition
                    && error.origin() != ErrorOrigin::Process =>
            {
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
            self.config().name,
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
