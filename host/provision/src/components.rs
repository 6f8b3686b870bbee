//! Components that come from directories, as those of `drivebay serve` do.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::thread;

use anyhow::Context as _;
use drivebay::config::Paths;
use drivebay::driver::{versions_in_use, versions_in_use_by};
use drivebay::store::{SourceDirectory, Stopper, Updates, VersionsInUse};
use drivebay::volume::DriverName;

/// Ends the thread that follows the directories when it is dropped.
#[derive(Debug)]
pub(crate) struct Following(Stopper);

struct Journals(Paths);

impl VersionsInUse for Journals {
    fn of(&self, driver: &DriverName) -> BTreeSet<String> {
        versions_in_use_by(&self.0, driver).unwrap_or_default()
    }

    fn all(&self) -> Option<BTreeSet<String>> {
        versions_in_use(&self.0).ok()
    }
}

/// Takes up what is there, and what comes later; `node` is what this process is called where versions are spread.
pub(crate) fn follow(
    paths: &Paths,
    directories: &[PathBuf],
    node: String,
) -> anyhow::Result<Option<Following>> {
    if directories.is_empty() {
        return Ok(None);
    }
    let sources = directories.iter().map(SourceDirectory::new).collect();
    let updates = Updates::new(paths.clone(), sources, node, Journals(paths.clone()))
        .context("cannot follow new versions of components")?;
    let stopper = updates.stopper();
    thread::Builder::new()
        .name("updates".to_owned())
        .spawn(|| updates.follow())
        .context("cannot start the thread that follows new versions")?;
    Ok(Some(Following(stopper)))
}

impl Drop for Following {
    /// Nobody waits for a step that has begun: it may be cut off anywhere.
    fn drop(&mut self) {
        self.0.stop();
    }
}
