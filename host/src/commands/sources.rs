//! `--components-from`: directories from which a node takes up new versions of components.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::thread;

use anyhow::Context;
use clap::Args;
use drivebay::config::Paths;
use drivebay::driver::{versions_in_use, versions_in_use_by};
use drivebay::error::DriverError;
use drivebay::store::{Priority, SourceDirectory, Stopper, Updates, VersionsInUse};
use drivebay::sys;
use drivebay::volume::DriverName;

/// Where components come from.
#[derive(Debug, Args)]
pub(crate) struct Sources {
    /// A directory with NAME.wasm, NAME.wasm.zst or NAME.wasm.gz, and NAME.wasm.sig beside it where a signature is
    /// required: a mounted ConfigMap, a directory of the node, a mounted image. Repeat it for more
    #[arg(id = "directories", long = "components-from", value_name = "DIR")]
    directories: Vec<PathBuf>,
}

/// Ends the thread that follows the sources when it is dropped.
#[derive(Debug)]
pub(crate) struct Following(Stopper);

/// What this node's journals say.
struct Journals(Paths);

impl VersionsInUse for Journals {
    fn of(&self, driver: &DriverName) -> BTreeSet<String> {
        told(versions_in_use_by(&self.0, driver)).unwrap_or_default()
    }

    fn all(&self) -> Option<BTreeSet<String>> {
        told(versions_in_use(&self.0))
    }
}

fn told(in_use: Result<BTreeSet<String>, DriverError>) -> Option<BTreeSet<String>> {
    in_use
        .inspect_err(|error| {
            tracing::warn!(
                error = error.chain(),
                "cannot tell which versions are in use"
            );
        })
        .ok()
}

impl Sources {
    pub(crate) fn is_given(&self) -> bool {
        !self.directories.is_empty()
    }

    /// Takes up what is there now; whoever typed the command waits for it.
    pub(crate) fn take_up(&self, paths: &Paths) -> anyhow::Result<()> {
        if self.is_given() {
            self.updates(paths, None)?.look(Priority::Call);
        }
        Ok(())
    }

    /// Follows what changes there, on a thread of its own.
    pub(crate) fn follow(&self, paths: &Paths, node: Option<&str>) -> anyhow::Result<Following> {
        let updates = self.updates(paths, node)?;
        let stopper = updates.stopper();
        thread::Builder::new()
            .name("updates".to_owned())
            .spawn(|| updates.follow())
            .context("cannot start the thread that follows new versions")?;
        Ok(Following(stopper))
    }

    fn updates(&self, paths: &Paths, node: Option<&str>) -> anyhow::Result<Updates> {
        let sources = self.directories.iter().map(SourceDirectory::new).collect();
        let node = match node.filter(|name| !name.is_empty()) {
            Some(name) => name.to_owned(),
            None => sys::host_name().context("cannot read the name of this node")?,
        };
        Updates::new(paths.clone(), sources, node, Journals(paths.clone()))
            .context("cannot follow new versions of components")
    }
}

impl Drop for Following {
    /// Nobody waits for a step that has begun: it may be cut off anywhere.
    fn drop(&mut self) {
        self.0.stop();
    }
}
