//! What is said of one mount, whoever tells it.

use std::fmt::Display;
use std::path::PathBuf;

/// One mount.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MountEntry {
    /// The kernel's name of the filesystem: `nfs4`, `ext4`.
    pub fs_type: String,
    /// What the mounter called the source.
    pub source: String,
    /// Which directory of the filesystem is mounted.
    pub root: PathBuf,
    /// `major:minor` of the filesystem.
    pub device: String,
    /// Whether this mount refuses writes.
    pub read_only: bool,
    /// How that was told.
    pub told_by: ToldBy,
}

/// Who told of a mount, and so what need not be asked again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ToldBy {
    /// The mount itself: all is as it is now, and its filesystem answered.
    Mount,
    /// The table of all mounts, and the filesystem answered. That it was turned read-only after an error may be news.
    FilesystemAndTable,
    /// The table alone.
    Table,
}

impl MountEntry {
    /// Why nothing else is mounted at a target where this is.
    pub fn in_the_way_at(&self, target: impl Display) -> String {
        let mode = match self.read_only {
            true => "read-only",
            false => "read-write",
        };
        format!(
            "{target} already holds a {mode} {} mount of {}; unmount it first",
            self.fs_type, self.source
        )
    }
}
