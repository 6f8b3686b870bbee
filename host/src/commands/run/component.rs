//! `--component FILE`: a driver for one operation, made of a component's file and a file of grants. Nothing is installed.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, bail};
use clap::Args;
use drivebay::config::{self, DriverConfig, Paths, Requirement};
use drivebay::driver::{ByHand, Driver, DryRunGrants, Session};
use drivebay::store::{self, ComponentBytes, Manifest};
use drivebay::volume::DriverName;
use drivebay::worker::CompileLimits;

use super::dry_run::DryRunArguments;
use super::outputs::{Detail, OutputArguments, Outputs};
use super::state_directory::{Leaves, StateDirectory};
use crate::commands::inspect::{component_name, first_driver_file};

/// Which component, and with what.
#[derive(Debug, Args)]
pub(super) struct Component {
    /// Run an operation of the component in this file, without installing it
    #[arg(long, value_name = "FILE")]
    component: Option<PathBuf>,
    /// A driver's file that grants the component what it may use; `drivebay inspect` prints one to begin with
    #[arg(long = "grants", value_name = "FILE", requires = "component")]
    driver_file: Option<PathBuf>,
    /// Keep in this directory what the next operation has to know; else it is gone after this one
    #[arg(long, value_name = "DIR", requires = "component")]
    state: Option<PathBuf>,
    #[command(flatten)]
    dry_run: DryRunArguments,
    #[command(flatten)]
    outputs: OutputArguments,
}

/// A driver of a component, for one operation.
pub(super) struct Opened {
    pub(super) session: Session,
    pub(super) outputs: Outputs,
}

impl Component {
    /// Where what has to be kept is kept.
    pub(super) fn state_directory(&self) -> anyhow::Result<StateDirectory> {
        let leaves = match self.dry_run.is_wanted() || self.outputs.replay.is_some() {
            true => Leaves::Nothing,
            false => Leaves::Mounts,
        };
        StateDirectory::open(self.state.as_deref(), leaves)
    }

    /// One call of a driver of that component, which may bring secrets of these names.
    pub(super) fn open(self, state: &StateDirectory, secrets: &[String]) -> anyhow::Result<Opened> {
        let Some(file) = &self.component else {
            bail!("neither a driver nor a component is named");
        };
        let paths = state.paths();
        paths.close()?;
        self.dry_run.check()?;
        let detail = match self.dry_run.is_wanted() {
            true => Detail::Exchanges,
            false => Detail::Log,
        };
        let outputs = self.outputs.open(detail)?;
        let by_hand = ByHand::new(Arc::new(outputs.clone()));
        let (config, by_hand) = match (&self.outputs.replay, self.dry_run.is_wanted()) {
            (Some(tape), _) => {
                let text = read(tape)?;
                let config = as_asked(file, &paths, secrets)?;
                let run = self
                    .dry_run
                    .settings(state.root().to_owned(), DryRunGrants::AsAsked)?;
                (config, by_hand.dry(run)?.replaying(&text)?)
            }
            (None, true) => {
                let (config, grants) = match &self.driver_file {
                    Some(grants) => (by_file(file, grants)?, DryRunGrants::ByFile),
                    None => {
                        aside!(
                            "dry run without --grants: whatever the component asks for is granted"
                        );
                        (as_asked(file, &paths, secrets)?, DryRunGrants::AsAsked)
                    }
                };
                let run = self.dry_run.settings(state.root().to_owned(), grants)?;
                (config, by_hand.dry(run)?)
            }
            (None, false) => match &self.driver_file {
                Some(grants) => (by_file(file, grants)?, by_hand),
                None => bail!(
                    "a component that is run needs --grants FILE, which says what it may use here; `drivebay inspect {}` prints one to begin with, and --dry-run needs none",
                    file.display()
                ),
            },
        };
        put_into(&paths, file, &config)?;
        let session = Driver::by_hand(config, paths, by_hand).session();
        Ok(Opened { session, outputs })
    }
}

fn read(file: &Path) -> anyhow::Result<String> {
    std::fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))
}

/// What the file says. The driver goes by the component's name; who may serve it is no question, as it was named.
pub(in crate::commands) fn by_file(
    component: &Path,
    grants: &Path,
) -> anyhow::Result<DriverConfig> {
    let text = read(grants)?;
    let config = config::parse_driver(grants, &text)?;
    Ok(DriverConfig {
        name: DriverName(component_name(component).to_owned()),
        require: Requirement::default(),
        ..config
    })
}

/// What `inspect` prints grants each capability that the component imports; which of it, each question says.
pub(in crate::commands) fn as_asked(
    file: &Path,
    paths: &Paths,
    secrets: &[String],
) -> anyhow::Result<DriverConfig> {
    let manifest = compiled(paths, file, CompileLimits::default())?;
    let mut text = first_driver_file(file, &manifest);
    for name in secrets.iter().filter(|name| *name != "password") {
        text += &format!("\n[grants.secrets.{name:?}]\nsigning = [\"hmac-sha256\"]\n");
    }
    let name = format!("{}.toml", component_name(file));
    Ok(config::parse_driver(Path::new(&name), &text)?)
}

fn compiled(paths: &Paths, file: &Path, limits: CompileLimits) -> anyhow::Result<Manifest> {
    let component = ComponentBytes::read(file)?;
    Ok(store::compile(paths, &component, limits)?)
}

/// Compiled, where that was not done before.
pub(in crate::commands) fn put_into(
    paths: &Paths,
    file: &Path,
    config: &DriverConfig,
) -> anyhow::Result<Manifest> {
    let component = ComponentBytes::read(file)?;
    let manifest = store::compile(paths, &component, config.limits.compile)?;
    store::install(paths, &config.component, &component)?;
    Ok(manifest)
}
