//! `drivebay check`: the gate before a node, or a change, goes live.

mod component;
mod directories;
mod markdown;
mod process;
mod secret;

use std::path::Path;
use std::process::ExitCode;

use clap::Args;
use drivebay::config::{self, DriverConfig, Paths};
use drivebay::csi::Mode;
use drivebay::driver::Work;
use drivebay::grant::{
    AddressGrant, BlockDevicesGrant, Capability, DevicePattern, GrantedOption, HttpsGrant,
    KeySource, SigningGrant, WordPattern,
};
use drivebay::store::{self, Import, Manifest};

use super::inspect::{exports, list};
use super::serve::Services;

/// Check configuration and components of every driver.
#[derive(Debug, Args)]
pub(crate) struct Check {
    /// Print what each driver offers to CSI's callers as Markdown, for documents
    #[arg(long)]
    markdown: bool,
    /// For a machine on which only these of CSI's services are served
    #[arg(long, value_enum, default_value_t = Services::All)]
    mode: Services,
}

impl Check {
    pub(crate) fn run(self, paths: &Paths) -> anyhow::Result<ExitCode> {
        let drivers = config::load_drivers(paths)?;
        if self.markdown {
            return markdown::print(paths, &drivers);
        }
        let state = paths.check_state().err().map(|error| error.to_string());
        let mut directories = directories::problems(paths, &drivers);
        directories.extend(state);
        for problem in &directories {
            say!("problem      {problem}");
        }
        let work = Mode::from(self.mode).work();
        let is_sound = |driver: &&DriverConfig| check(paths, driver, work);
        let sound = drivers.iter().filter(is_sound).count();
        say!("{sound} of {} drivers are sound", drivers.len());
        Ok(match directories.is_empty() && sound == drivers.len() {
            true => ExitCode::SUCCESS,
            false => ExitCode::FAILURE,
        })
    }
}

fn check(paths: &Paths, driver: &DriverConfig, work: Work) -> bool {
    say!("driver {}", driver.name);
    let mut problems = match component::examine(paths, driver) {
        Ok(manifest) => {
            print(driver, &manifest);
            process::note_missing_compiler(paths, driver);
            problems_of(paths, driver, &manifest)
        }
        Err(error) => vec![format!("{error:#}")],
    };
    problems.extend(process::problems(driver, work));
    for problem in &problems {
        say!("  problem    {problem}");
    }
    problems.is_empty()
}

fn problems_of(paths: &Paths, driver: &DriverConfig, manifest: &Manifest) -> Vec<String> {
    let granted = driver.capabilities();
    let ungranted = store::problems(&manifest.imports, &manifest.exports, &granted);
    let misspelt = config::misspelt_mount_options(paths, driver);
    let mut problems: Vec<String> = ungranted.iter().map(ToString::to_string).collect();
    problems.extend(misspelt.iter().map(ToString::to_string));
    problems.extend(component::unready(paths, manifest));
    problems
}

fn print(driver: &DriverConfig, manifest: &Manifest) {
    let granted = driver.capabilities();
    let imports = Import::ALL.into_iter();
    let imports = imports.filter(|import| manifest.imports(*import));
    say!(
        "  component  {} {} (sha256 {})",
        driver.component,
        manifest.description.version,
        manifest.component_sha256
    );
    if let Some(name) = &driver.flexvolume {
        say!("  flexvolume {}/{}", name.vendor, name.driver);
    }
    if let Some(name) = &driver.csi_name {
        say!("  csi        {name}");
    }
    say!("  exports    {}", exports(manifest));
    say!("  imports    {}", list(imports.map(Import::name)));
    say!(
        "  granted    {}",
        list(granted.into_iter().map(Capability::name))
    );
    let mounts = driver.grants.mounts.iter();
    for (name, path) in mounts.flat_map(|grant| &grant.directories) {
        say!("  directory  {}", directory(name, path));
    }
    if let Some(grant) = &driver.grants.block_devices {
        print_block_devices(grant);
    }
    for grant in driver.grants.https.values() {
        say!("  endpoint   {}", endpoint(grant));
    }
    for grant in driver.grants.signing.values() {
        say!("  key        {}", key(grant));
    }
    for grant in driver.grants.secrets.values() {
        say!("  secret     {}", secret::uses(grant));
    }
}

/// Disks are what an operator can lose most with.
fn print_block_devices(grant: &BlockDevicesGrant) {
    let devices = list(grant.devices.iter().map(DevicePattern::text));
    let filesystems = list(grant.filesystems.iter().map(String::as_str));
    let format_options = list(grant.format_options.iter().map(WordPattern::text));
    let mount_options: Vec<String> = grant
        .mount_options
        .iter()
        .map(GrantedOption::text)
        .collect();
    let mount_options = list(mount_options.iter().map(String::as_str));
    say!("  devices    {devices}");
    say!("  may make   {filesystems}");
    say!("  mkfs with  {format_options}");
    say!("  mount with {mount_options}");
}

/// `pool: /srv/pool`. What is missing may come with a mount, so that it is told and is no problem.
fn directory(name: &str, path: &Path) -> String {
    let here = match path.is_dir() {
        true => "",
        false => ", which is no directory here",
    };
    format!("{name}: {}{here}", path.display())
}

/// `ecs: POST https://ecs.example.com / (public addresses)`
fn endpoint(grant: &HttpsGrant) -> String {
    let paths: Vec<String> = grant.paths.iter().map(ToString::to_string).collect();
    format!(
        "{}: {} {} {} ({})",
        grant.name,
        list(grant.methods.iter().map(|method| method.name())),
        grant.origin,
        paths.join(" "),
        addresses(&grant.addresses)
    )
}

/// Where it comes from; what it is, nobody prints.
fn key(grant: &SigningGrant) -> String {
    let from = match &grant.source {
        KeySource::File(source) => source.secret.display().to_string(),
        KeySource::Environment(source) => format!("variable {}", source.secret),
        KeySource::Metadata(source) => {
            format!("{} ({})", source.origin, addresses(&source.addresses))
        }
        KeySource::Oidc(source) => format!(
            "{} for {} ({})",
            source.origin,
            source.token_file.display(),
            addresses(&source.addresses)
        ),
    };
    format!("{}: {} {from}", grant.name, grant.source.word())
}

fn addresses(grant: &AddressGrant) -> String {
    let others: String = grant
        .ranges
        .iter()
        .map(|range| format!(", {range}"))
        .collect();
    format!("public addresses{others}")
}
