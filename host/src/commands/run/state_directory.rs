//! What a host keeps on a node, in a directory of its own: compiled code, the journal, locks.
//!
//! It is the caller's, and stays, or goes with the run. It also stays where the journal in it has something that is still
//! mounted or attached: without it nobody would know how that is undone.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context;
use drivebay::config::Paths;
use drivebay::{driver, sys};

/// Of one run, or of several.
#[derive(Debug)]
pub(in crate::commands) struct StateDirectory {
    root: PathBuf,
    lifetime: Lifetime,
    leaves: Leaves,
}

/// What operations leave on this node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Leaves {
    /// What they mount and attach.
    Mounts,
    /// A dry run.
    Nothing,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Lifetime {
    /// The caller's.
    Kept,
    /// This run's.
    Passing,
}

impl StateDirectory {
    /// The caller's, made where it is missing; else one of this run's.
    pub(super) fn open(given: Option<&Path>, leaves: Leaves) -> anyhow::Result<Self> {
        let (root, lifetime) = match given {
            Some(given) => (std::path::absolute(given)?, Lifetime::Kept),
            None => (unforeseeable()?, Lifetime::Passing),
        };
        let state = Self {
            root,
            lifetime,
            leaves,
        };
        sys::create_root_only_directory(&state.root)
            .with_context(|| format!("cannot keep anything in {}", state.root.display()))?;
        Ok(state)
    }

    /// One of this run's, which goes with it.
    pub(in crate::commands) fn of_dry_run() -> anyhow::Result<Self> {
        Self::open(None, Leaves::Nothing)
    }

    /// For what is no host's.
    pub(in crate::commands) fn root(&self) -> &Path {
        &self.root
    }

    /// Where a host's things lie in it.
    pub(in crate::commands) fn paths(&self) -> Paths {
        let beneath = |name: &str| self.root.join("host").join(name);
        Paths {
            config: beneath("config"),
            state: beneath("state"),
            run: beneath("run"),
            log: beneath("log"),
        }
    }

    /// What is not known counts as used.
    fn is_needed(&self) -> bool {
        if self.leaves == Leaves::Nothing {
            return false;
        }
        let undone = driver::versions_in_use(&self.paths());
        // What is mounted beneath would be emptied.
        let mounted = sys::mount_points_beneath(&self.root);
        !undone.is_ok_and(|made| made.is_empty()) || !mounted.is_ok_and(|points| points.is_empty())
    }
}

impl Drop for StateDirectory {
    fn drop(&mut self) {
        let root = self.root.display();
        match self.lifetime {
            Lifetime::Kept => {}
            Lifetime::Passing if self.is_needed() => aside!(
                "drivebay: {root} says how what was mounted or attached now is undone; name it to the next operation: --state {root}"
            ),
            Lifetime::Passing => {
                if let Err(error) = fs::remove_dir_all(&self.root) {
                    aside!("drivebay: cannot remove {root}: {error}");
                }
            }
        }
    }
}

/// In the directory for such things, where others may add some of theirs.
fn unforeseeable() -> anyhow::Result<PathBuf> {
    let number = u128::from_le_bytes(sys::random_bytes()?);
    Ok(std::env::temp_dir().join(format!("drivebay-run-{number:032x}")))
}
