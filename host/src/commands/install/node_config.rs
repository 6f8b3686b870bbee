//! `--config-to`: the drivers' files of this process, where the FlexVolume shim on the node sees them.

use std::path::PathBuf;

use anyhow::{Context, bail};
use clap::Args;
use drivebay::config::{self, Copied, KeyFiles, NodeCopy, Paths};

/// Where the node's configuration lies.
#[derive(Debug, Args)]
pub(super) struct NodeConfig {
    /// Copy drivers.d, and what its files name beneath --config-dir, to this directory: the node's /etc/drivebay, which
    /// the shim reads. Files that hold keys are left out
    #[arg(id = "config_to", long = "config-to", value_name = "DIR")]
    directory: Option<PathBuf>,
    /// With --config-to: copy files that hold keys as well
    #[arg(long, requires = "config_to")]
    with_keys: bool,
}

/// The node's files, kept as the pod's are.
#[derive(Debug)]
pub(super) struct KeptCopy {
    copy: NodeCopy,
    /// What was wrong when they were looked at last.
    told: Vec<String>,
}

impl NodeConfig {
    /// Where the shim on the node finds what.
    pub(super) fn node(&self, paths: &Paths) -> Paths {
        let config = self.directory.clone();
        Paths {
            config: config.unwrap_or_else(|| paths.config.clone()),
            ..paths.clone()
        }
    }

    fn copy(&self, paths: &Paths) -> Option<NodeCopy> {
        let directory = self.directory.clone()?;
        let keys = match self.with_keys {
            true => KeyFiles::Copied,
            false => KeyFiles::Left,
        };
        Some(NodeCopy::new(paths, directory, keys))
    }

    /// Copies what is there now, and says what was done.
    ///
    /// # Errors
    /// Where something of it could not be copied.
    pub(super) fn copy_once(&self, paths: &Paths) -> anyhow::Result<()> {
        let Some(copy) = self.copy(paths) else {
            return Ok(());
        };
        let copied = update(&copy, paths)?;
        for place in &copied.written {
            say!("config: {} copied", place.display());
        }
        for place in &copied.removed {
            say!("config: {} removed", place.display());
        }
        for note in &copied.notes {
            say!("config: {note}");
        }
        if !copied.problems.is_empty() {
            bail!(
                "not all files of drivers were copied: {}",
                copied.problems.join("; ")
            );
        }
        Ok(())
    }

    /// For whoever stays.
    pub(super) fn kept(&self, paths: &Paths) -> Option<KeptCopy> {
        let told = Vec::new();
        self.copy(paths).map(|copy| KeptCopy { copy, told })
    }
}

impl KeptCopy {
    /// Makes them what the pod's are now, and says in the log what was done, and once what is wrong for as long as it is.
    pub(super) fn update(&mut self, paths: &Paths) {
        let problems = match update(&self.copy, paths) {
            Ok(copied) => {
                for place in copied.written.iter().chain(&copied.removed) {
                    tracing::info!(file = %place.display(), "the node's copy of a driver's file was brought up to date");
                }
                [copied.notes, copied.problems].concat()
            }
            Err(error) => vec![format!("{error:#}")],
        };
        let told = &self.told;
        for problem in problems.iter().filter(|problem| !told.contains(*problem)) {
            tracing::warn!(problem, "the node's copy of drivers' files is not as here");
        }
        self.told = problems;
    }
}

fn update(copy: &NodeCopy, paths: &Paths) -> anyhow::Result<Copied> {
    let drivers = config::load_each_driver(paths)?;
    copy.update(&drivers)
        .context("cannot copy drivers' files to the node")
}
