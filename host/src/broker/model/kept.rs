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
}

/// Something that is mounted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct ModelMount {
    pub(super) fs_type: String,
    pub(super) source: String,
    /// What of it.
    pub(super) root: PathBuf,
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
