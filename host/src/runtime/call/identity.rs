//! `identity`: who a guest is and which words it understands.

use std::collections::BTreeSet;

use wasmtime::Store;
use wasmtime::component::Instance;

use super::validate::Answered;
use super::{CallSetup, Guest};
use crate::bindings::exports::drivebay::driver as exports;
use crate::broker::value_of;
use crate::config::is_plain_name;
use crate::error::{DriverError, GuestText};
use crate::runtime::state::State;
use crate::store::{Description, Export, Need, Parameter, Scope};

/// Longest name, version and parameter's name in bytes: CSI's bound on strings.
const LONGEST_NAME: usize = 128;

/// More than any driver has, several times.
const MAX_PARAMETERS: usize = 1024;

/// As the contract names them.
const SCOPES: [(&str, Scope); 5] = [
    ("volume", Scope::Volume),
    ("storage-class", Scope::Creation),
    ("volume-snapshot-class", Scope::Snapshot),
    ("volume-group-snapshot-class", Scope::GroupSnapshot),
    ("volume-attributes-class", Scope::Modification),
];

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
            name: plain_name(answered, said.name)?,
            version: version(answered, said.version)?,
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
            VolumeHealth volume_health
            VolumeHealthListing volume_health_listing
            Capacity capacity
            Cloning cloning
            Attachment attachment
            Snapshots snapshots
            SnapshotListing snapshot_listing
            GroupSnapshots group_snapshots
            Expansion expansion
            Modification modification
            Node node
            AttachLimit attach_limit
            Accessibility accessibility
        }
    }
}

fn name(answered: Answered<'_>, field: &str, said: String) -> Result<GuestText, DriverError> {
    answered.count(&format!("{field}, in bytes"), said.len(), LONGEST_NAME)?;
    let plain = answered.word(field, said)?;
    Ok(GuestText::name(&plain))
}

/// It stands in metrics, logs and commands; and the operator names the component's file and the driver's file after it.
fn plain_name(answered: Answered<'_>, said: String) -> Result<GuestText, DriverError> {
    let said = name(answered, "name", said)?;
    match is_plain_name(&said) {
        true => Ok(said),
        false => Err(answered.wrong(
            "name",
            format!(
                "{said:?} has something else than ASCII letters, digits, \"-\", \"_\" and \".\", or begins with \".\""
            ),
        )),
    }
}

fn version(answered: Answered<'_>, said: String) -> Result<GuestText, DriverError> {
    let said = name(answered, "version", said)?;
    match semver::Version::parse(&said) {
        Ok(_) => Ok(said),
        Err(error) => Err(answered.wrong(
            "version",
            format!("{said:?} is none of semantic versioning, such as \"1.2.3\": {error}"),
        )),
    }
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
    let scope = value_of("scope", &said.scope, &SCOPES)
        .map_err(|unknown| answered.wrong("parameter", unknown))?;
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Manifest;

    fn told(scope: &str) -> Result<Parameter, DriverError> {
        let manifest = Manifest {
            component_sha256: String::new(),
            code_sha256: String::new(),
            imports: Vec::new(),
            exports: Vec::new(),
            description: Description {
                name: GuestText::default(),
                version: GuestText::default(),
                summary: GuestText::default(),
                parameters: Vec::new(),
            },
        };
        let said = exports::identity::Parameter {
            name: "pool".to_owned(),
            scope: scope.to_owned(),
            required: true,
            default: None,
            description: String::new(),
        };
        parameter(Answered::by(&manifest, "identity.describe"), said)
    }

    #[test]
    fn a_scope_is_one_of_those_that_the_contract_lists() {
        for (name, scope) in SCOPES {
            assert_eq!(told(name).expect("known").scope, scope);
        }
        let text = told("pod").expect_err("unknown").to_string();
        let words = r#"with a wrong parameter: scope "pod" is not known to this host, which knows "volume", "storage-class", "volume-snapshot-class""#;
        assert!(text.contains(words), "{text}");
    }
}
