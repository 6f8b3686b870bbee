//! What stays of a model from one operation to the next, in a file beside its directories.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::sys;

/// All of it.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Kept {
    /// What is mounted, by where.
    pub(super) mounts: BTreeMap<PathBuf, ModelMount>,
    /// Directories of servers that were mounted before anything was made in them: `SERVER/PATH`.
    pub(super) exports: BTreeSet<String>,
    /// By serial number.
    pub(super) devices: BTreeMap<String, ModelDevice>,
    /// By their ids, as far as anything is known of them.
    pub(super) volumes: BTreeMap<String, ModelVolume>,
}

/// A disk.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct ModelDevice {
    pub(super) size_bytes: u64,
    /// By the kernel's name; a blank disk has none.
    pub(super) filesystem: Option<String>,
    pub(super) filesystem_bytes: u64,
    /// Whose disk it is; there is always one that is nobody's.
    pub(super) volume: Option<String>,
}

/// A volume.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct ModelVolume {
    pub(super) bytes: Option<u64>,
    pub(super) is_attached: bool,
}

/// Something that is mounted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct ModelMount {
    pub(super) fs_type: String,
    pub(super) source: String,
    /// What of it.
    pub(super) root: PathBuf,
    /// The serial number of its disk.
    pub(super) device: Option<String>,
    pub(super) read_only: bool,
    /// Which volume it is, once whoever asked for it has looked.
    pub(super) volume: Option<String>,
    /// Whether it is the volume's staging, which its targets show.
    pub(super) is_staging: bool,
}

impl Kept {
    /// Nothing, where nothing was kept yet.
    pub(super) fn read(file: &Path) -> io::Result<Self> {
        match std::fs::read(file) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Self::default()),
            Err(error) => Err(error),
            Ok(text) => Ok(serde_json::from_slice(&text)?),
        }
    }

    pub(super) fn write(&self, file: &Path) -> io::Result<()> {
        sys::write_durably(file, &serde_json::to_vec_pretty(self)?)
    }
}
