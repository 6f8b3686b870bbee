//! `--component FILE`: a driver for one operation, made of a component's file and a file of grants. Nothing is installed.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, bail};
use clap::Args;
use drivebay::config::{self, DriverConfig, Paths, Requirement};
use drivebay::driver::{ByHand, Driver, Listener, Session};
use drivebay::store::{self, ComponentBytes};
use drivebay::volume::DriverName;

use super::state_directory::StateDirectory;
use crate::commands::inspect::component_name;

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
}

impl Component {
    /// Where to keep it.
    pub(super) fn state(&self) -> Option<&Path> {
        self.state.as_deref()
    }

    /// One call of a driver of that component.
    pub(super) fn session(self, state: &StateDirectory) -> anyhow::Result<Session> {
        let Some(file) = self.component else {
            bail!("neither a driver nor a component is named");
        };
        let Some(grants) = self.driver_file else {
            bail!(
                "a component that is run needs --grants FILE, which says what it may use here; `drivebay inspect {}` prints one to begin with",
                file.display()
            );
        };
        let paths = state.paths();
        paths.close()?;
        let config = by_file(&file, &grants)?;
        put_into(&paths, &file, &config)?;
        let by_hand = ByHand::new(Arc::new(OnStderr));
        Ok(Driver::by_hand(config, paths, by_hand).session())
    }
}

/// What the file says. The driver goes by the component's name; who may serve it is no question, as it was named.
fn by_file(component: &Path, grants: &Path) -> anyhow::Result<DriverConfig> {
    let text = std::fs::read_to_string(grants)
        .with_context(|| format!("cannot read {}", grants.display()))?;
    let config = config::parse_driver(grants, &text)?;
    Ok(DriverConfig {
        name: DriverName(component_name(component).to_owned()),
        require: Requirement::default(),
        ..config
    })
}

/// Compiled, where that was not done for an operation before.
fn put_into(paths: &Paths, file: &Path, config: &DriverConfig) -> anyhow::Result<()> {
    let component = ComponentBytes::read(file)?;
    store::compile(paths, &component, config.limits.compile)?;
    store::install(paths, &config.component, &component)?;
    Ok(())
}

/// The guest's log, a line each.
#[derive(Debug)]
struct OnStderr;

impl Listener for OnStderr {
    fn log(&self, level: &'static str, message: &str) {
        aside!("guest {level}: {message}");
    }
}
