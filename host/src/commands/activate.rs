//! `drivebay activate DRIVER DIGEST`: a version that waits, was rejected, served before or lies in the store, at once.

use std::process::ExitCode;

use clap::Args;
use drivebay::config::{self, DriverConfig, Paths};
use drivebay::log_file::LogFile;
use drivebay::store::{self, ActiveVersion, VersionChange};
use drivebay::volume::DriverName;

/// Let another version of a driver's component serve at once.
#[derive(Debug, Args)]
pub(crate) struct Activate {
    /// The driver: the name of its file in drivers.d, without .toml
    driver: String,
    /// The version: its SHA-256, or at least the first 8 digits of it
    digest: String,
}

impl Activate {
    pub(crate) fn run(self, paths: &Paths) -> anyhow::Result<ExitCode> {
        let config = begin(paths, self.driver)?;
        let change = store::activate_by_name(paths, &config, &self.digest)?;
        tell(&config, &change);
        Ok(ExitCode::SUCCESS)
    }
}

/// What every command does that changes which version serves.
pub(super) fn begin(paths: &Paths, driver: String) -> anyhow::Result<DriverConfig> {
    LogFile::install(&paths.log, "run.log");
    paths.close()?;
    let name = DriverName(driver);
    let Some(config) = config::find_driver(paths, &name)? else {
        anyhow::bail!(
            "no driver {name}: there is no {}",
            paths.driver_file(&name).display()
        );
    };
    Ok(config)
}

pub(super) fn tell(config: &DriverConfig, change: &VersionChange) {
    say!("driver {}: {} serves now", config.name, named(&change.now));
    match &change.before {
        Some(before) => say!("before: {}", named(before)),
        None => say!("before: none"),
    }
}

fn named(version: &ActiveVersion) -> String {
    format!("{} (sha256 {})", version.version, version.sha256)
}
