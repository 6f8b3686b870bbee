//! `drivebay run DRIVER OPERATION …`, `drivebay run --component FILE OPERATION …`: one operation by hand.
//!
//! The same operations that both front-ends call, with the same lock and the same journal. A volume is known
//! here by its id alone. One JSON object on success; else the condition and its reason, and exit code 1.

mod arguments;
mod attachment;
mod caller;
mod component;
mod controller;
mod dry_run;
mod group_snapshots;
mod json;
mod node;
mod outputs;
mod secrets;
mod snapshots;
mod state_directory;
mod tree;

use std::process::ExitCode;

use clap::{Args, Subcommand};
use drivebay::config::{self, Paths};
use drivebay::driver::{self, Driver, Session};
use drivebay::error::DriverError;
use drivebay::log_file::LogFile;
use drivebay::log_stream;
use drivebay::volume::DriverName;
use serde_json::{Value, json};

use super::json_output::printed;
use component::{Component, Opened};
use dry_run::tell_missing;

pub(super) use arguments::pair;
pub(super) use caller::Caller;
pub(super) use component::{as_asked, by_file, put_into};
pub(super) use dry_run::ModelArguments;
pub(super) use secrets::read as read_secrets;
pub(super) use state_directory::StateDirectory;

/// Carry out one operation of a configured driver, or of a component that is installed nowhere.
#[derive(Debug, Args)]
pub(crate) struct Run {
    /// The driver: the name of its file in drivers.d, without .toml
    #[arg(required_unless_present = "component", conflicts_with = "component")]
    driver: Option<String>,
    #[command(flatten)]
    component: Component,
    /// A secret that the call brings, as Kubernetes does from a Secret: its name there, and the file that holds it
    #[arg(long = "secret", value_name = "NAME=FILE", value_parser = pair, global = true)]
    secrets: Vec<(String, String)>,
    #[command(subcommand)]
    operation: Operation,
}

/// Named as in the contract, grouped by its interfaces.
#[derive(Debug, Subcommand)]
enum Operation {
    #[command(flatten)]
    Controller(controller::Operation),
    #[command(flatten)]
    Attachment(attachment::Operation),
    #[command(flatten)]
    Snapshots(snapshots::Operation),
    #[command(flatten)]
    GroupSnapshots(group_snapshots::Operation),
    #[command(flatten)]
    Node(node::Operation),
}

impl Run {
    pub(crate) fn run(self, paths: &Paths) -> anyhow::Result<ExitCode> {
        let Some(driver) = self.driver else {
            return self.run_component();
        };
        LogFile::install(&paths.log, "run.log");
        paths.close()?;
        let brought = secrets::read(self.secrets)?;
        let session = open(paths, driver)?.with_secrets(&brought);
        let answer = self.operation.run(&session).map_err(told)?;
        say!("{}", printed(&answer));
        Ok(ExitCode::SUCCESS)
    }

    fn run_component(self) -> anyhow::Result<ExitCode> {
        log_stream::warn_on_stderr();
        let names: Vec<String> = self.secrets.iter().map(|(name, _)| name.clone()).collect();
        let brought = secrets::read(self.secrets)?;
        let state = self.component.state_directory()?;
        let Opened { session, outputs } = self.component.open(&state, &names)?;
        let session = session.with_secrets(&brought);
        let answer = self.operation.run(&session);
        let end = match &answer {
            Ok(answer) => json!({ "result": answer }),
            Err(error) => json!({
                "error": { "condition": error.condition().name(), "message": error.chain() }
            }),
        };
        let is_told = outputs.end(&end)?;
        let mut differences = Vec::new();
        if let Some(rehearsal) = session.rehearsal() {
            rehearsal.keep()?;
            tell_missing(&rehearsal.missing_lines());
            differences = rehearsal.differences(&end.to_string());
        }
        match (answer, &differences[..]) {
            (_, [difference, ..]) => anyhow::bail!("another run than the tape's: {difference}"),
            (Err(_), []) if is_told => Ok(ExitCode::FAILURE),
            (Err(error), []) => Err(told(error)),
            (Ok(answer), []) => {
                if !is_told {
                    say!("{}", printed(&answer));
                }
                Ok(ExitCode::SUCCESS)
            }
        }
    }
}

impl Operation {
    fn run(self, session: &Session) -> Result<Value, DriverError> {
        match self {
            Self::Controller(operation) => operation.run(session),
            Self::Attachment(operation) => operation.run(session),
            Self::Snapshots(operation) => operation.run(session),
            Self::GroupSnapshots(operation) => operation.run(session),
            Self::Node(operation) => operation.run(session),
        }
    }
}

/// The condition and its reason.
#[expect(clippy::needless_pass_by_value, reason = "for map_err")]
pub(super) fn told(error: DriverError) -> anyhow::Error {
    anyhow::anyhow!("{}: {}", error.condition().name(), error.chain())
}

/// The driver of that name, for one operation.
pub(super) fn open(paths: &Paths, name: String) -> anyhow::Result<Session> {
    let name = DriverName(name);
    let found = config::find_driver(paths, &name);
    let Some(config) = driver::or_activated(found, paths, |driver| driver.name == name)? else {
        anyhow::bail!(
            "no driver {name}: there is no {}; for a component that is not installed: drivebay run --component FILE …",
            paths.driver_file(&name).display()
        );
    };
    Ok(Driver::new(config, paths.clone()).session())
}
