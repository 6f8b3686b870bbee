//! The command line: one file for each command.

#[macro_use]
mod output;

mod activate;
mod attach_limits;
mod bindings;
mod check;
mod compile;
mod conform;
mod health;
mod inspect;
mod install;
mod json_output;
mod new;
mod rollback;
mod run;
mod serve;
mod sources;
mod status;

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::bail;
use clap::{Args, Parser, Subcommand};
use drivebay::config::Paths;
use drivebay::{driver, store};

/// Runs Kubernetes storage backends as WebAssembly components that can touch nothing they were not handed.
#[derive(Debug, Parser)]
#[command(version)]
pub(crate) struct Cli {
    #[command(flatten)]
    roots: Roots,
    #[command(subcommand)]
    command: Command,
}

/// Where things lie; the shim reads the same environment variables.
#[derive(Debug, Args)]
struct Roots {
    /// The operator's files
    #[arg(
        long,
        global = true,
        env = "DRIVEBAY_CONFIG_DIR",
        default_value = "/etc/drivebay"
    )]
    config_dir: PathBuf,
    /// Components, compiled code, journal
    #[arg(
        long,
        global = true,
        env = "DRIVEBAY_STATE_DIR",
        default_value = "/var/lib/drivebay"
    )]
    state_dir: PathBuf,
    /// Locks
    #[arg(
        long,
        global = true,
        env = "DRIVEBAY_RUN_DIR",
        default_value = "/run/drivebay"
    )]
    run_dir: PathBuf,
    /// Logs of call-outs
    #[arg(
        long,
        global = true,
        env = "DRIVEBAY_LOG_DIR",
        default_value = "/var/log/drivebay"
    )]
    log_dir: PathBuf,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Put components into the store, compile them, and put the shim into kubelet's plugin directory
    Install(install::Install),
    /// Check configuration and components; print what each driver can do, asks for and was granted
    Check(check::Check),
    /// Print what a component wants, before anyone grants it
    Inspect(inspect::Inspect),
    /// Compile a component for this machine; the shim asks for this when code is missing
    Compile(compile::Compile),
    /// Carry out one operation of a driver by hand; prints one JSON object
    Run(Box<run::Run>),
    /// Check that a component keeps the contract's promises, on a model of a node
    Conform(Box<conform::Conform>),
    /// Print how many volumes each type of machine can have, as a driver's backend says, for the driver's file
    AttachLimits(attach_limits::AttachLimits),
    /// Serve drivers to CSI callers
    Serve(serve::Serve),
    /// Ask a running `serve` whether it answers, or whether every driver is ready and known to kubelet; exits 0 or 1
    Health(health::Health),
    /// Let another version of a driver's component serve at once
    Activate(activate::Activate),
    /// Let the version of a driver's component serve again that did before
    Rollback(rollback::Rollback),
    /// Make the skeleton of a backend: it builds, mounts something, and explains itself
    New(new::New),
    /// Write the contract in C or Go anew, after a change of a skeleton's world
    Bindings(bindings::Bindings),
    /// Show which versions serve each driver, and what each `drivebay serve` on this machine has done
    Status(status::Status),
}

/// As the worker that compiles.
pub(crate) fn serve_compiler(arguments: impl Iterator<Item = OsString>) -> ExitCode {
    match store::serve_compiler(arguments, driver::SELF_TEST) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

impl Cli {
    pub(crate) fn run(self) -> anyhow::Result<ExitCode> {
        let roots = self.roots;
        let paths = Paths {
            config: roots.config_dir,
            state: roots.state_dir,
            run: roots.run_dir,
            log: roots.log_dir,
        };
        let code = self.command.run(&paths)?;
        match output::lost() {
            Some(error) => bail!("not all was printed: {error}"),
            None => Ok(code),
        }
    }
}

impl Command {
    fn run(self, paths: &Paths) -> anyhow::Result<ExitCode> {
        match self {
            Self::Install(command) => command.run(paths),
            Self::Check(command) => command.run(paths),
            Self::Inspect(command) => command.run(paths),
            Self::Compile(command) => command.run(paths),
            Self::Run(command) => command.run(paths),
            Self::Conform(command) => command.run(),
            Self::AttachLimits(command) => command.run(paths),
            Self::Serve(command) => command.run(paths),
            Self::Health(command) => command.run(),
            Self::Activate(command) => command.run(paths),
            Self::Rollback(command) => command.run(paths),
            Self::New(command) => command.run(),
            Self::Bindings(command) => command.run(),
            Self::Status(command) => command.run(paths),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }
}
