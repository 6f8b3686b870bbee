//! `identity`: who a guest is and which words it understands.

use super::{CallSetup, Guest};
use crate::bindings::exports::drivebay::driver as exports;
use crate::capability::plain_text;
use crate::error::DriverError;
use crate::runtime::manifest::{Description, Need, Parameter, Scope};

impl Guest {
    /// `identity.describe`
    pub(in crate::runtime) fn describe(
        &self,
        setup: CallSetup,
    ) -> Result<Description, DriverError> {
        let said = self.call(setup, "describe", |store, instance| {
            let identity =
                exports::identity::GuestIndices::new(&self.ready)?.load(&mut *store, instance)?;
            identity.call_describe(&mut *store).map(Ok)
        })?;
        let parameters = said.parameters.into_iter().map(parameter).collect();
        Ok(Description {
            name: plain_text(&said.name),
            version: plain_text(&said.version),
            summary: plain_text(&said.summary),
            parameters,
        })
    }
}

fn parameter(said: exports::identity::Parameter) -> Parameter {
    use exports::identity::{ParameterScope, Requirement};
    let scope = match said.scope {
        ParameterScope::Volume => Scope::Volume,
        ParameterScope::Creation => Scope::Creation,
        ParameterScope::Snapshot => Scope::Snapshot,
        ParameterScope::GroupSnapshot => Scope::GroupSnapshot,
        ParameterScope::Modification => Scope::Modification,
    };
    let need = match said.need {
        Requirement::Required => Need::Required,
        Requirement::Optional => Need::Optional,
    };
    let default = said.default.as_deref().map(plain_text);
    Parameter {
        name: plain_text(&said.name),
        scope,
        need,
        default,
        meaning: plain_text(&said.meaning),
    }
}
