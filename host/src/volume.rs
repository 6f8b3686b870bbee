//! The words every layer shares: volumes, paths, parameters, secrets.
//!
//! Imports nothing of ours.

mod id;
mod node;
mod provision;
mod snapshot;

use std::fmt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

pub use id::{DriverName, GroupSnapshotId, NodeId, PageToken, SnapshotId, VolumeId, VolumeKey};
pub use node::{Health, NodeInfo};
pub use provision::{
    AccessMode, CapacityRange, CreateVolume, Topology, VolumeCapability, VolumeInfo, VolumePage,
    VolumeSource,
};
pub use snapshot::{
    CreateGroupSnapshot, CreateSnapshot, GroupSnapshot, Readiness, Snapshot, SnapshotFilter,
    SnapshotPage,
};

/// Whether a pod may write, and so what a mount lets it do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Access {
    /// Reads only.
    ReadOnly,
    /// Reads and writes.
    ReadWrite,
}

/// How a volume appears in a pod.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AccessType {
    /// A raw block device.
    Block,
    /// A directory, with the filesystem type asked for (empty: the guest chooses) and mount options.
    Filesystem {
        /// The kernel's name of the filesystem, or empty.
        fs_type: String,
        /// As the user wrote them.
        mount_options: Vec<String>,
    },
}

/// Where a volume is mounted once for the whole node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StagingPath(PathBuf);

/// Where a volume is mounted for one pod.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TargetPath(PathBuf);

/// Why a path given by a caller cannot be used.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("path {path:?} must be absolute, and must not contain ., .. or control characters")]
pub struct PathError {
    path: String,
}

impl StagingPath {
    /// Accepts absolute paths without `.`, `..` or control characters.
    pub fn new(path: &str) -> Result<Self, PathError> {
        plain_absolute(path).map(Self)
    }

    /// The path itself.
    pub fn as_path(&self) -> &Path {
        &self.0
    }
}

impl TargetPath {
    /// Accepts absolute paths without `.`, `..` or control characters.
    pub fn new(path: &str) -> Result<Self, PathError> {
        plain_absolute(path).map(Self)
    }

    /// The path itself.
    pub fn as_path(&self) -> &Path {
        &self.0
    }
}

fn plain_absolute(path: &str) -> Result<PathBuf, PathError> {
    let mut plain = String::with_capacity(path.len());
    let mut is_dotted = false;
    for name in path.split('/').filter(|name| !name.is_empty()) {
        is_dotted |= matches!(name, "." | "..");
        plain.push('/');
        plain.push_str(name);
    }
    let is_controlling = path.chars().any(char::is_control);
    if !path.starts_with('/') || plain.is_empty() || is_dotted || is_controlling {
        return Err(PathError {
            path: path.to_owned(),
        });
    }
    Ok(PathBuf::from(plain))
}

/// String pairs in the order given, looked up without regard to the case of ASCII letters: Go's JSON
/// decoder ignores case, so PersistentVolumes with any spelling exist.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Parameters(Vec<(String, String)>);

impl Parameters {
    /// Keeps the pairs as they are; the caller has refused duplicates.
    pub fn new(pairs: Vec<(String, String)>) -> Self {
        Self(pairs)
    }

    /// The value of a key in any case.
    pub fn get(&self, key: &str) -> Option<&str> {
        self.0
            .iter()
            .find(|(name, _)| name.eq_ignore_ascii_case(key))
            .map(|(_, value)| value.as_str())
    }

    /// All pairs, in order.
    pub fn pairs(&self) -> &[(String, String)] {
        &self.0
    }

    /// All but one key, in any case.
    #[must_use]
    pub fn without(&self, key: &str) -> Self {
        let others = self.0.iter();
        let others = others.filter(|(name, _)| !name.eq_ignore_ascii_case(key));
        Self(others.cloned().collect())
    }

    /// Whether both say the same, in any order. Keys may differ in case alone and be two: tags are written so.
    pub fn same_as(&self, other: &Self) -> bool {
        let has = |key: &str, value: &str| {
            let is = |(name, said): &(String, String)| {
                name.eq_ignore_ascii_case(key) && said.as_str() == value
            };
            other.0.iter().any(is)
        };
        self.0.len() == other.0.len() && self.0.iter().all(|(key, value)| has(key, value))
    }
}

/// A value that never shows itself: not in `Debug`, not in logs, wiped when dropped.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Secret(Zeroizing<Vec<u8>>);

impl Secret {
    /// Takes the bytes over.
    pub fn new(bytes: Vec<u8>) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// The only way to the bytes; search for callers when reviewing.
    pub fn reveal(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(***)")
    }
}

/// Named secrets of one request.
#[derive(Debug, Clone, Default)]
pub struct Secrets(Vec<(String, Secret)>);

impl Secrets {
    /// Keeps the pairs as they are.
    pub fn new(pairs: Vec<(String, Secret)>) -> Self {
        Self(pairs)
    }

    /// A secret by its name.
    pub fn get(&self, name: &str) -> Option<&Secret> {
        self.0
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, secret)| secret)
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn relative_dotted_and_root_paths_are_refused() {
        for path in ["", "a", "/", "//", "/a/../b", "/a/./b", "../a", "/a\n/b"] {
            assert!(TargetPath::new(path).is_err(), "{path:?}");
            assert!(StagingPath::new(path).is_err(), "{path:?}");
        }
    }

    #[test]
    fn trailing_and_double_slashes_are_folded() {
        assert_eq!(
            TargetPath::new("/a//b/").map(|path| path.0),
            Ok(PathBuf::from("/a/b"))
        );
    }

    #[test]
    fn parameters_are_found_in_any_case() {
        let parameters = Parameters::new(vec![("VolumeId".into(), "d-1".into())]);
        assert_eq!(parameters.get("volumeid"), Some("d-1"));
        assert!(parameters.same_as(&Parameters::new(vec![("volumeID".into(), "d-1".into())])));
        assert!(!parameters.same_as(&Parameters::new(vec![("volumeID".into(), "d-2".into())])));
        let both = vec![("tags/A".into(), "1".into()), ("tags/a".into(), "2".into())];
        let both = Parameters::new(both);
        assert!(both.same_as(&both.clone()));
    }

    #[test]
    fn a_secret_never_shows_itself() {
        let secrets = Secrets::new(vec![("password".into(), Secret::new(b"hunter2".to_vec()))]);
        assert!(!format!("{secrets:?}").contains("hunter2"));
    }
}
