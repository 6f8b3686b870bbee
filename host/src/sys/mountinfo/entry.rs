//! What is said of one mount, whoever tells it.

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
}
