//! `drivebay inspect FILE.wasm`

mod driver_file;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use drivebay::config::Paths;
use drivebay::error::GuestText;
use drivebay::store::{self, ComponentBytes, Export, Import, Manifest, Need};
use drivebay::worker::CompileLimits;

use super::compile::LimitArguments;

pub(super) use driver_file::{component_name, driver_file as first_driver_file};

/// Print what a component wants, before anyone grants it.
#[derive(Debug, Args)]
pub(crate) struct Inspect {
    /// The component
    file: PathBuf,
    #[command(flatten)]
    limits: LimitArguments,
}

impl Inspect {
    pub(crate) fn run(self, paths: &Paths) -> anyhow::Result<ExitCode> {
        let component = ComponentBytes::read(&self.file)?;
        let limits = self.limits.or(CompileLimits::default());
        let manifest = match keeps_code(paths) {
            true => store::compile(paths, &component, limits)?,
            false => store::inspect(&component, limits)?,
        };
        let said = &manifest.description;
        say!("{} {}: {}", said.name, said.version, said.summary);
        say!("sha256   {}", manifest.component_sha256);
        say!("exports  {}", exports(&manifest));
        say!(
            "imports  {}",
            list(
                Import::ALL
                    .into_iter()
                    .filter(|import| manifest.imports(*import))
                    .map(Import::name)
            )
        );
        say!("wasi     {}", wasi(&manifest));
        say!("parameters:");
        for parameter in &said.parameters {
            let need = match parameter.need {
                Need::Required => "required",
                Need::Optional => "optional",
            };
            let default = parameter
                .default
                .as_ref()
                .map(|value| format!(", default {value:?}"))
                .unwrap_or_default();
            say!(
                "  {} ({}, {need}{default}): {}",
                parameter.name,
                parameter.scope.object(),
                parameter.meaning
            );
        }
        say!("a driver's file that grants what it imports, with values to replace:");
        say!("");
        say!("{}", first_driver_file(&self.file, &manifest).trim_end());
        Ok(ExitCode::SUCCESS)
    }
}

/// Whether this is a node of Drivebay's and its administrator asks: then `install` of the same component has nothing left
/// to compile. What is never installed goes with the next install, as all that is unused.
fn keeps_code(paths: &Paths) -> bool {
    paths.state.exists() && paths.close().is_ok()
}

/// A component can import a hundred thousand names, of a hundred thousand letters each.
fn wasi(manifest: &Manifest) -> String {
    const SHOWN: usize = 40;
    let names = manifest.imports.iter();
    let names: Vec<&String> = names.filter(|name| name.starts_with("wasi:")).collect();
    let shown: Vec<GuestText> = names
        .iter()
        .take(SHOWN)
        .map(|name| GuestText::name(name))
        .collect();
    let shown = list(shown.iter().map(GuestText::as_str));
    match names.len().saturating_sub(SHOWN) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}

pub(super) fn exports(manifest: &Manifest) -> String {
    list(
        Export::ALL
            .into_iter()
            .filter(|export| manifest.exports(*export))
            .map(Export::name),
    )
}

pub(super) fn list<'a>(names: impl Iterator<Item = &'a str>) -> String {
    let names: Vec<&str> = names.collect();
    if names.is_empty() {
        "none".to_owned()
    } else {
        names.join(" ")
    }
}
