//! `identity`: who a guest is and which words it understands.

use std::collections::BTreeSet;

use wasmtime::Store;
use wasmtime::component::Instance;

use super::checked::Answered;
use super::{CallSetup, Guest, State};
use crate::bindings::exports::drivebay::driver as exports;
use crate::error::{DriverError, GuestText};
use crate::runtime::imports::Export;
use crate::runtime::manifest::{Description, Need, Parameter, Scope};

/// Longest name, version and parameter's name in bytes: CSI's bound on strings.
const LONGEST_NAME: usize = 128;

/// More than any driver has, several times.
const MAX_PARAMETERS: usize = 1024;

impl Guest {
    /// `identity.describe`; and each function that the guest exports is found as a call will want it.
    pub(in crate::runtime) fn describe(
        &self,
        setup: CallSetup,
    ) -> Result<Description, DriverError> {
        let said = self.call(setup, "describe", |store, instance| {
            self.find_functions(store, instance)?;
            let identity =
                exports::identity::GuestIndices::new(&self.ready)?.load(&mut *store, instance)?;
            identity.call_describe(&mut *store).map(Ok)
        })?;
        let answered = self.answered("identity.describe");
        Ok(Description {
            name: name(answered, "name", said.name)?,
            version: name(answered, "version", said.version)?,
            summary: GuestText::sentence(&said.summary),
            parameters: parameters(answered, said.parameters)?,
        })
    }

    /// Types were compared already, and told by name; here the engine agrees.
    fn find_functions(
        &self,
        store: &mut Store<State>,
        instance: &Instance,
    ) -> wasmtime::Result<()> {
        macro_rules! find {
            ($($export:ident $interface:ident)*) => {
                self.manifest.exported().try_for_each(|export| match export {
                    $(Export::$export => exports::$interface::GuestIndices::new(&self.ready)?
                        .load(&mut *store, instance)
                        .map(drop),)*
                })
            };
        }
        find! {
            Identity identity
            Controller controller
            VolumeListing volume_listing
            Capacity capacity
            Cloning cloning
            Attachment attachment
            Snapshots snapshots
            SnapshotListing snapshot_listing
            GroupSnapshots group_snapshots
            Expansion expansion
            Modification modification
            Node node
            Accessibility accessibility
        }
    }
}

fn name(answered: Answered<'_>, field: &str, said: String) -> Result<GuestText, DriverError> {
    answered.count(&format!("{field}, in bytes"), said.len(), LONGEST_NAME)?;
    let plain = answered.word(field, said)?;
    Ok(GuestText::name(&plain))
}

/// In no scope one is there twice, whatever its case.
fn parameters(
    answered: Answered<'_>,
    said: Vec<exports::identity::Parameter>,
) -> Result<Vec<Parameter>, DriverError> {
    answered.count("parameters", said.len(), MAX_PARAMETERS)?;
    let mut seen = BTreeSet::new();
    let mut parameters = Vec::with_capacity(said.len());
    for parameter in said {
        let parameter = self::parameter(answered, parameter)?;
        let known = (parameter.scope as u8, parameter.name.to_ascii_lowercase());
        if !seen.insert(known) {
            let reason = format!("it describes the parameter {:?} twice", parameter.name);
            return Err(answered.wrong("parameters", reason));
        }
        parameters.push(parameter);
    }
    Ok(parameters)
}

/// A parameter's name is what users write and what the guest looks for: it cannot be changed, only refused.
fn parameter(
    answered: Answered<'_>,
    said: exports::identity::Parameter,
) -> Result<Parameter, DriverError> {
    use exports::identity::ParameterScope;
    let scope = match said.scope {
        ParameterScope::Volume => Scope::Volume,
        ParameterScope::Creation => Scope::Creation,
        ParameterScope::Snapshot => Scope::Snapshot,
        ParameterScope::GroupSnapshot => Scope::GroupSnapshot,
        ParameterScope::Modification => Scope::Modification,
    };
    let need = match said.required {
        true => Need::Required,
        false => Need::Optional,
    };
    Ok(Parameter {
        name: name(answered, "parameter", said.name)?,
        scope,
        need,
        default: said.default.as_deref().map(GuestText::sentence),
        meaning: GuestText::sentence(&said.description),
    })
}
