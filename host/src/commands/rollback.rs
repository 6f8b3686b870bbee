//! `drivebay rollback DRIVER`: the version that served before, at once.

use std::process::ExitCode;

use clap::Args;
use drivebay::config::Paths;
use drivebay::store;

use super::activate::{begin, tell};

/// Let the version of a driver's component serve again that did before; what serves now does not come back by itself.
#[derive(Debug, Args)]
pub(crate) struct Rollback {
    /// The driver: the name of its file in drivers.d, without .toml
    driver: String,
    /// Another one than the latest of those that served before: its SHA-256, or at least the first 8 digits of it
    #[arg(long, value_name = "DIGEST")]
    to: Option<String>,
}

impl Rollback {
    pub(crate) fn run(self, paths: &Paths) -> anyhow::Result<ExitCode> {
        let config = begin(paths, self.driver)?;
        let change = store::roll_back(paths, &config, self.to.as_deref())?;
        tell(&config, &change);
        Ok(ExitCode::SUCCESS)
    }
}
