//! A directory of one's own, which goes with whatever lives in it.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use nix::mount::{MntFlags, umount2};

use crate::{end_processes_of, mounts_beneath};

/// Removed when dropped, also after a failure, with what is still mounted in it; whoever works in it is ended before.
#[derive(Debug)]
pub struct Scratch(PathBuf);

impl Scratch {
    /// Empty, whatever an earlier run left at that path.
    pub fn at(path: &Path) -> Result<Self> {
        let make = || fs::create_dir_all(path).and_then(|()| path.canonicalize());
        let scratch = Self(make().with_context(|| format!("cannot make {}", path.display()))?);
        scratch.clear()?;
        make()?;
        Ok(scratch)
    }

    /// Where it is, without a symbolic link on the way.
    pub fn path(&self) -> &Path {
        &self.0
    }

    fn clear(&self) -> Result<()> {
        end_processes_of(&self.0);
        // The last mounted first; where mounts are shared, one takes others along.
        for point in mounts_beneath(&self.0)?.into_iter().rev() {
            let _ = umount2(&point, MntFlags::MNT_DETACH);
        }
        let left = mounts_beneath(&self.0)?;
        ensure!(left.is_empty(), "still mounted: {left:?}");
        fs::remove_dir_all(&self.0).with_context(|| format!("cannot clear {}", self.0.display()))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // What could not be cleared now is cleared by the next run at this path, which says why if it cannot either.
        let _ = self.clear();
    }
}
