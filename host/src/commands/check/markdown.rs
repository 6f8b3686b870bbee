//! `drivebay check --markdown`: what each driver offers, by its component's own words.

use std::process::ExitCode;

use drivebay::config::{DriverConfig, Paths};
use drivebay::csi;
use drivebay::driver::{Capabilities, Driver, Export, Scope};
use drivebay::store::{Manifest, Need, Parameter};

use super::component::examine;

/// Where a parameter stands, in the order of a volume's life.
const SCOPES: [Scope; 5] = [
    Scope::Creation,
    Scope::Volume,
    Scope::Snapshot,
    Scope::GroupSnapshot,
    Scope::Modification,
];

pub(super) fn print(paths: &Paths, drivers: &[DriverConfig]) -> anyhow::Result<ExitCode> {
    for config in drivers {
        let manifest = examine(paths, config)?;
        let driver = Driver::new(config.clone(), paths.clone());
        print_driver(config, &manifest, driver.session().prepared_capabilities()?);
    }
    Ok(ExitCode::SUCCESS)
}

fn print_driver(config: &DriverConfig, manifest: &Manifest, capabilities: Capabilities) {
    let description = &manifest.description;
    say!("### {}\n", config.name);
    say!(
        "{} {} {}.\n",
        description.name,
        description.version,
        description.summary
    );
    say!("| | |\n|---|---|");
    if let Some(name) = &config.csi_name {
        say!("| CSI name | `{name}` |");
    }
    if let Some(name) = &config.flexvolume {
        say!("| FlexVolume name | `{}/{}` |", name.vendor, name.driver);
    }
    say!(
        "| Controller | {} |",
        listed(&csi::controller_rpcs(capabilities))
    );
    say!(
        "| GroupController | {} |",
        listed(&csi::group_controller_rpcs(capabilities))
    );
    say!("| Node | {} |", listed(&csi::node_rpcs(capabilities)));
    say!("| access modes | {} |", access_modes(capabilities));
    say!("| volumes as | {} |\n", kinds(capabilities));
    print_parameters(&description.parameters);
}

fn listed(names: &[&str]) -> String {
    match names {
        [] => "none".to_owned(),
        names => names.join(", "),
    }
}

/// What the host sees to for every backend; what a backend refuses of it, it says in `validate-volume`.
fn access_modes(capabilities: Capabilities) -> &'static str {
    match capabilities.exports(Export::Attachment) {
        true => "those of one node; of several nodes where the backend shares the volume",
        false => "all",
    }
}

fn kinds(capabilities: Capabilities) -> &'static str {
    match capabilities.local_filesystem() {
        true => "directories and raw devices",
        false => "directories",
    }
}

fn print_parameters(parameters: &[Parameter]) {
    say!("| parameter | in | default | meaning |\n|---|---|---|---|");
    for scope in SCOPES {
        for parameter in parameters.iter().filter(|known| known.scope == scope) {
            let is_created =
                |known: &Parameter| known.scope == Scope::Creation && known.name == parameter.name;
            // What a class says, a volume's context repeats.
            if scope == Scope::Volume && parameters.iter().any(is_created) {
                continue;
            }
            print_parameter(parameter);
        }
    }
    say!("");
}

fn print_parameter(parameter: &Parameter) {
    let object = parameter.scope.object();
    let default = match (&parameter.default, parameter.need) {
        (_, Need::Required) => "required".to_owned(),
        (Some(default), Need::Optional) => default.to_string(),
        (None, Need::Optional) => String::new(),
    };
    let meaning = parameter.meaning.replace('|', "\\|");
    say!(
        "| `{}` | {object} | {default} | {meaning} |",
        parameter.name
    );
}
