//! `drivebay compile FILE.wasm`

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use drivebay::config::{self, Paths};
use drivebay::store::{self, ComponentBytes};
use drivebay::worker::CompileLimits;

/// Compile a component for this machine.
#[derive(Debug, Args)]
pub(crate) struct Compile {
    /// The component
    file: PathBuf,
    #[command(flatten)]
    limits: LimitArguments,
    /// Let calls that need it know for a while that it was refused, so that not each has it compiled again
    #[arg(long)]
    note_refusal: bool,
}

impl Compile {
    pub(crate) fn run(self, paths: &Paths) -> anyhow::Result<ExitCode> {
        paths.close()?;
        let component = ComponentBytes::read(&self.file)?;
        let limits = self.limits.or(CompileLimits::default());
        let compile = match self.note_refusal {
            true => store::compile_for_calls,
            false => store::compile,
        };
        let manifest = compile(paths, &component, limits)?;
        let said = &manifest.description;
        say!(
            "compiled {} {} (sha256 {})",
            said.name,
            said.version,
            manifest.component_sha256
        );
        Ok(ExitCode::SUCCESS)
    }
}

/// What compiling may take, for this time.
#[derive(Debug, Args)]
pub(super) struct LimitArguments {
    /// How long compiling a component may take, such as 90s
    #[arg(long, value_name = "TIME", value_parser = config::duration)]
    compile_time: Option<Duration>,
    /// How much memory compiling a component may take, such as 1Gi
    #[arg(long, value_name = "SIZE", value_parser = config::bytes)]
    compile_memory: Option<usize>,
}

impl LimitArguments {
    /// That, or what was allowed before.
    pub(super) fn or(&self, before: CompileLimits) -> CompileLimits {
        CompileLimits {
            time: self.compile_time.unwrap_or(before.time),
            memory_bytes: self.compile_memory.unwrap_or(before.memory_bytes),
        }
    }
}
