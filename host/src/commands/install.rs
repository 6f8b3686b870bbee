//! `drivebay install`: components into the store, code compiled, shim into kubelet's plugin directory.
//!
//! In this order, after the node's drivers' files, so that the first `init` finds everything ready. kubelet watches the plugin directory
//! and probes on every change of a name that does not begin with a dot: a new driver appears by one rename
//! of a whole directory, a new shim by one rename over the old one.

mod node_config;

use std::fs;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context, bail};
use clap::{ArgGroup, Args};
use drivebay::config::{self, DriverConfig, FlexVolumeName, Paths};
use drivebay::log_stream::{self, LogLevel};
use drivebay::store::{self, ActiveVersions, ComponentBytes, VersionProgress, VersionRecord};
use drivebay::sys;
use drivebay::worker::CompileLimits;

use super::compile::LimitArguments;
use super::sources::{Following, Sources};
use node_config::NodeConfig;

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
        let copying = self.watch.then(|| self.node_config.follow(paths));
        let copying = copying.transpose()?;
        for driver in &drivers {
            match self.compile(paths, driver) {
                // What is followed, or somebody by hand, may still bring one that serves.
                Err(error) if self.watch => say!("driver {}: {error:#}", driver.name),
                compiled => compiled?,
            }
        }
        replace(&std::env::current_exe()?, &paths.compiler())?;
        if let Some(plugin_dir) = &self.plugin_dir {
            let shim = self.shim()?;
            for driver in &drivers {
                install_shim(plugin_dir, driver, &shim)?;
            }
        }
        if self.watch {
            sys::wait_for_termination().context("cannot wait for signals")?;
            drop((following, copying));
            return Ok(ExitCode::SUCCESS);
        }
        copied.map(|()| ExitCode::SUCCESS)
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

fn install_shim(plugin_dir: &Path, driver: &DriverConfig, shim: &Path) -> anyhow::Result<()> {
    let Some(name) = &driver.flexvolume else {
        return Ok(());
    };
    let directory = plugin_dir.join(name.directory());
    if directory.is_dir() {
        replace(shim, &directory.join(&name.driver))?;
    } else {
        create(plugin_dir, &directory, name, shim)?;
    }
    say!(
        "driver {}: shim at {}",
        driver.name,
        directory.join(&name.driver).display()
    );
    Ok(())
}

/// The directory appears with the executable in it.
fn create(
    plugin_dir: &Path,
    directory: &Path,
    name: &FlexVolumeName,
    shim: &Path,
) -> anyhow::Result<()> {
    let hidden = plugin_dir.join(format!(".{}", name.directory()));
    make_directory(&hidden)?;
    replace(shim, &hidden.join(&name.driver))?;
    fs::rename(&hidden, directory).with_context(|| format!("cannot create {}", directory.display()))
}

/// Copies an executable over another by a rename; whoever runs the old one keeps it.
fn replace(from: &Path, to: &Path) -> anyhow::Result<()> {
    let program = fs::read(from).with_context(|| format!("cannot read {}", from.display()))?;
    let directory = to.parent().context("an executable needs a directory")?;
    make_directory(directory)?;
    // What lies there is run as root.
    sys::check_directory(directory).with_context(|| format!("cannot install {}", to.display()))?;
    remove_unfinished(directory, to);
    if is_installed(to, &program) {
        return Ok(());
    }
    sys::write_program_durably(to, &program)
        .with_context(|| format!("cannot write {}", to.display()))
}

/// For everyone to look into and for root to write, whatever the umask is.
fn make_directory(directory: &Path) -> anyhow::Result<()> {
    let mut made = fs::DirBuilder::new();
    made.recursive(true)
        .mode(0o755)
        .create(directory)
        .with_context(|| format!("cannot create {}", directory.display()))
}

/// What installs that were killed have left.
fn remove_unfinished(directory: &Path, program: &Path) {
    sys::remove_leftovers(directory, program);
    let name = program.file_name().unwrap_or_default().to_string_lossy();
    // Of a version that had this one name for it.
    let _ = fs::remove_file(directory.join(format!(".{name}.new")));
}

/// Whether it is that very program already, and nobody else's to write.
fn is_installed(file: &Path, program: &[u8]) -> bool {
    let is_ours =
        |found: fs::Metadata| found.is_file() && found.permissions().mode() & 0o7777 == 0o755;
    fs::symlink_metadata(file).is_ok_and(is_ours)
        && sys::read_trusted(file).is_ok_and(|present| present == program)
}
