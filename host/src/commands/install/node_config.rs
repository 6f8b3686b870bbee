//! `--config-to`: the drivers' files of this process, where the FlexVolume shim on the node sees them.

use std::path::PathBuf;
use std::thread;
use std::time::Instant;

use anyhow::{Context, bail};
use clap::Args;
use drivebay::config::{self, Copied, KeyFiles, NodeCopy, Paths};
use drivebay::store::{POLL_INTERVAL, Stopper, Watch, Woken};

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

/// Ends the thread that copies when it is dropped.
#[derive(Debug)]
pub(super) struct Copying(Stopper);

impl Drop for Copying {
    /// Nobody waits for a copy that has begun: each file is replaced as a whole.
    fn drop(&mut self) {
        self.0.stop();
    }
}

impl NodeConfig {
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

    /// Copies what changes, on a thread of its own: also while another process of the node follows new versions.
    pub(super) fn follow(&self, paths: &Paths) -> anyhow::Result<Option<Copying>> {
        let Some(copy) = self.copy(paths) else {
            return Ok(None);
        };
        let watch = Watch::new([paths.drivers()], POLL_INTERVAL);
        let watch = watch.context("cannot follow drivers' files")?;
        let (stopper, paths) = (watch.stopper(), paths.clone());
        thread::Builder::new()
            .name("config".to_owned())
            .spawn(move || copy_until_stopped(&copy, &paths, watch))
            .context("cannot start the thread that copies drivers' files")?;
        Ok(Some(Copying(stopper)))
    }
}

fn update(copy: &NodeCopy, paths: &Paths) -> anyhow::Result<Copied> {
    let drivers = config::load_each_driver(paths)?;
    copy.update(&drivers)
        .context("cannot copy drivers' files to the node")
}

/// What a driver's file names lies in directories that nobody watches: they are looked at now and then.
fn copy_until_stopped(copy: &NodeCopy, paths: &Paths, mut watch: Watch) {
    let mut told = Vec::new();
    loop {
        let problems = match update(copy, paths) {
            Ok(copied) => {
                for place in copied.written.iter().chain(&copied.removed) {
                    tracing::info!(file = %place.display(), "the node's copy of a driver's file was brought up to date");
                }
                [copied.notes, copied.problems].concat()
            }
            Err(error) => vec![format!("{error:#}")],
        };
        // Each once, for as long as it is so.
        for problem in problems.iter().filter(|problem| !told.contains(*problem)) {
            tracing::warn!(problem, "the node's copy of drivers' files is not as here");
        }
        told = problems;
        if watch.wait(Instant::now() + POLL_INTERVAL) == Woken::Stopped {
            return;
        }
    }
}
