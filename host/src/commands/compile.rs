//! `drivebay compile FILE.wasm`

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use drivebay::config::Paths;
use drivebay::runtime;

/// Compile a component for this machine.
#[derive(Debug, Args)]
pub(crate) struct Compile {
    /// The component
    file: PathBuf,
}

impl Compile {
    pub(crate) fn run(self, paths: &Paths) -> anyhow::Result<ExitCode> {
        let manifest = runtime::compile(paths, &self.file)?;
        let said = &manifest.description;
        println!(
            "compiled {} {} (sha256 {})",
            said.name, said.version, manifest.component_sha256
        );
        Ok(ExitCode::SUCCESS)
    }
}
