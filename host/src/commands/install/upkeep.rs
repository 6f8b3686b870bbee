//! `--watch`: the node's drivers' files and shims follow what changes, also while another process of the node follows new
//! versions.

use std::thread;
use std::time::Instant;

use anyhow::Context;
use drivebay::config::Paths;
use drivebay::store::{POLL_INTERVAL, Stopper, Watch, Woken};

use super::node_config::KeptCopy;
use super::shims::Shims;

/// What is kept up, and from what.
#[derive(Debug)]
pub(super) struct Upkeep {
    paths: Paths,
    copy: Option<KeptCopy>,
    shims: Option<Shims>,
    /// Why not all shims could be put, as it was said last.
    told: Option<String>,
}

/// Ends the thread that keeps it up when it is dropped.
#[derive(Debug)]
pub(super) struct KeptUp(Stopper);

impl Drop for KeptUp {
    /// Nobody waits for what has begun: each file is replaced as a whole.
    fn drop(&mut self) {
        self.0.stop();
    }
}

impl Upkeep {
    pub(super) fn new(paths: &Paths, copy: Option<KeptCopy>, shims: Option<Shims>) -> Self {
        Self {
            paths: paths.clone(),
            copy,
            shims,
            told: None,
        }
    }

    /// On a thread of its own, where there is anything to keep up.
    pub(super) fn follow(self) -> anyhow::Result<Option<KeptUp>> {
        if self.copy.is_none() && self.shims.is_none() {
            return Ok(None);
        }
        // A shim waits for its driver's file, and for a version that serves or lies in the store.
        let paths = &self.paths;
        let watched = [paths.drivers(), paths.versions(), paths.components()];
        let watch = Watch::new(watched, POLL_INTERVAL);
        let watch = watch.context("cannot follow drivers' files")?;
        let stopper = watch.stopper();
        thread::Builder::new()
            .name("upkeep".to_owned())
            .spawn(move || self.keep_up_until_stopped(watch))
            .context("cannot start the thread that follows drivers' files")?;
        Ok(Some(KeptUp(stopper)))
    }

    /// What a driver's file names lies in directories that nobody watches: they are looked at now and then.
    fn keep_up_until_stopped(mut self, mut watch: Watch) {
        loop {
            if let Some(copy) = &mut self.copy {
                copy.update(&self.paths);
            }
            self.put_shims();
            if watch.wait(Instant::now() + POLL_INTERVAL) == Woken::Stopped {
                return;
            }
        }
    }

    /// After the files that they read.
    fn put_shims(&mut self) {
        let put = self.shims.as_mut().map(|shims| shims.put(&self.paths));
        let problem = put.and_then(Result::err).map(|error| format!("{error:#}"));
        if let Some(problem) = problem.as_ref().filter(|_| problem != self.told) {
            tracing::warn!(problem, "not all shims are in place");
        }
        self.told = problem;
    }
}
