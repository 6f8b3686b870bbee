//! `drivebay install`: components into the store, code compiled, shim into kubelet's plugin directory.
//!
//! In this order, after the node's drivers' files, so that the first `init` finds everything ready.
//!
//! ```text
//! node_config   the drivers' files, where the shim on the node sees them
//! program       a program in its place
//! shims         the shim in kubelet's plugin directory, of each driver that is ready
//! upkeep        --watch: files and shims follow what changes
//! ```

mod node_config;
mod program;
mod shims;
mod upkeep;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context, bail};
use clap::{ArgGroup, Args};
use drivebay::config::{self, DriverConfig, Paths};
use drivebay::log_stream::{self, LogLevel};
use drivebay::store::{self, ActiveVersions, ComponentBytes, VersionProgress, VersionRecord};
use drivebay::sys;
use drivebay::worker::CompileLimits;

use super::compile::LimitArguments;
use super::sources::{Following, Sources};
use node_config::NodeConfig;
use shims::Shims;
use upkeep::Upkeep;

/// Install components and the shim on this node.
#[derive(Debug, Args)]
#[command(group(ArgGroup::new("followed").args(["directories", "config_to"]).multiple(true)))]
pub(crate) struct Install {
    /// Component files to put into the store, each under the name of its file
    components: Vec<PathBuf>,
    #[command(flatten)]
    limits: LimitArguments,
    #[command(flatten)]
    updates: Sources,
    #[command(flatten)]
    node_config: NodeConfig,
    /// Stay, and take up what changes there and in drivers.d, until SIGTERM
    #[arg(long, requires = "followed")]
    watch: bool,
    /// kubelet's --volume-plugin-dir; without it the shim is not installed
    #[arg(long, env = "DRIVEBAY_PLUGIN_DIR")]
    plugin_dir: Option<PathBuf>,
    /// The shim to install; by default the one beside this program
    #[arg(long, env = "DRIVEBAY_SHIM")]
    shim: Option<PathBuf>,
}

impl Install {
    pub(crate) fn run(self, paths: &Paths) -> anyhow::Result<ExitCode> {
        paths.close()?;
        let drivers = self.drivers(paths)?;
        // Whoever stays tries again; what else there is to install is installed all the same.
        let copied = self.node_config.copy_once(paths);
        let storing = store::hold_store(paths)?;
        for file in &self.components {
            self.store(paths, file, &drivers)?;
        }
        drop(storing);
        let following = self.follow(paths, &drivers)?;
        for driver in &drivers {
            match self.compile(paths, driver) {
                // What is followed, or somebody by hand, may still bring one that serves.
                Err(error) if self.watch => say!("driver {}: {error:#}", driver.name),
                compiled => compiled?,
            }
        }
        program::replace(Path::new(program::THIS), &paths.compiler())?;
        let mut shims = self.shims(paths)?;
        if let Some(shims) = &mut shims {
            shims.put(paths)?;
        }
        if self.watch {
            let upkeep = Upkeep::new(paths, self.node_config.kept(paths), shims);
            let kept = upkeep.follow()?;
            sys::wait_for_termination().context("cannot wait for signals")?;
            drop((following, kept));
            return Ok(ExitCode::SUCCESS);
        }
        copied.map(|()| ExitCode::SUCCESS)
    }

    fn shims(&self, paths: &Paths) -> anyhow::Result<Option<Shims>> {
        let Some(plugin_dir) = self.plugin_dir.clone() else {
            return Ok(None);
        };
        let node = self.node_config.node(paths);
        Ok(Some(Shims::new(plugin_dir, self.shim()?, node)))
    }

    /// Whoever stays serves the other drivers while one has a wrong file.
    fn drivers(&self, paths: &Paths) -> anyhow::Result<Vec<DriverConfig>> {
        if !self.watch {
            return Ok(config::load_drivers(paths)?);
        }
        let mut drivers = Vec::new();
        for (name, driver) in config::load_each_driver(paths)? {
            match driver {
                Ok(driver) => drivers.push(driver),
                Err(error) => say!("driver {name}: {error}"),
            }
        }
        Ok(drivers)
    }

    /// For nodes on which nothing serves: the shim looks up the version that serves by itself. Without `--watch` what is
    /// there now is taken up, and that is all.
    fn follow(&self, paths: &Paths, drivers: &[DriverConfig]) -> anyhow::Result<Option<Following>> {
        if !self.watch {
            self.updates.take_up(paths)?;
            self.tell_refusals(paths, drivers)?;
            return Ok(None);
        }
        log_stream::log_to_stderr(LogLevel::Info);
        sys::hold_termination()?;
        match self.updates.is_given() {
            true => self.updates.follow(paths, None).map(Some),
            false => Ok(None),
        }
    }

    /// Whoever looks once learns at once what was refused or is held; what served before goes on.
    fn tell_refusals(&self, paths: &Paths, drivers: &[DriverConfig]) -> anyhow::Result<()> {
        for driver in drivers.iter().filter(|_| self.updates.is_given()) {
            for it in VersionProgress::read(paths, &driver.name).refused {
                let (step, reason) = (it.step.name(), &it.reason);
                say!("driver {}: refused at {step}: {reason}", driver.name);
            }
            let record = VersionRecord::read(paths, &driver.name)?.unwrap_or_default();
            for it in record.held {
                say!(
                    "driver {}: {} is held: {}",
                    driver.name,
                    it.version,
                    it.reason
                );
            }
        }
        Ok(())
    }

    /// What serves the driver, so that its first call finds it ready.
    fn compile(&self, paths: &Paths, driver: &DriverConfig) -> anyhow::Result<()> {
        let versions = ActiveVersions::new(paths.clone(), Arc::new(driver.clone()));
        let file = match versions.resolve().component {
            // The directories that are followed may still bring one.
            Err(error) if self.updates.is_given() && error.is_missing() => {
                say!("driver {}: {error}", driver.name);
                return Ok(());
            }
            file => file?,
        };
        let component = ComponentBytes::read(&file.path)?;
        let limits = self.limits.or(driver.limits.compile);
        let manifest = store::compile(paths, &component, limits)?;
        say!(
            "driver {}: {} {} compiled",
            driver.name,
            driver.component,
            manifest.description.version
        );
        Ok(())
    }

    /// Examined before it may become the current version: a broken one leaves the old one serving.
    fn store(&self, paths: &Paths, file: &Path, drivers: &[DriverConfig]) -> anyhow::Result<()> {
        let name = file
            .file_stem()
            .and_then(|stem| stem.to_str())
            .context("a component file needs a name")?;
        if file.extension().is_none_or(|extension| extension != "wasm") {
            bail!("{} is not named NAME.wasm", file.display());
        }
        let component = ComponentBytes::read(file)?;
        let limits = self.limits.or(allowed_by(drivers, name));
        let manifest = store::compile(paths, &component, limits)?;
        let its: Vec<&DriverConfig> = drivers
            .iter()
            .filter(|driver| driver.component == name)
            .collect();
        let signature = fs::read(file.with_extension("wasm.sig")).ok();
        store::install_for(
            paths,
            name,
            &component,
            &manifest,
            signature.as_deref(),
            &its,
        )
        .with_context(|| format!("cannot install {}", file.display()))?;
        say!("component {name}: sha256 {}", manifest.component_sha256);
        Ok(())
    }

    fn shim(&self) -> anyhow::Result<PathBuf> {
        match &self.shim {
            Some(shim) => Ok(shim.clone()),
            None => Ok(std::env::current_exe()?.with_file_name("drivebay-shim")),
        }
    }
}

/// What those drivers allow that are served by the component of that name; the most, where they differ.
fn allowed_by(drivers: &[DriverConfig], component: &str) -> CompileLimits {
    let its = drivers
        .iter()
        .filter(|driver| driver.component == component);
    its.map(|driver| driver.limits.compile)
        .reduce(|one, other| CompileLimits {
            time: one.time.max(other.time),
            memory_bytes: one.memory_bytes.max(other.memory_bytes),
        })
        .unwrap_or_default()
}
