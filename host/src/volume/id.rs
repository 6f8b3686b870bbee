//! Names that backends, the cluster and operators give. Strings that could be swapped have types of their own.

use std::fmt;

/// The backend's name of a volume, as the guest knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VolumeId(pub String);

/// The key under which a volume is locked and journaled on this machine. Often the volume's name; the
/// front-end chooses something else where names are not unique.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VolumeKey(pub String);

/// The cluster's or the backend's name of a node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeId(pub String);

/// The driver's name: the stem of its grants file.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct DriverName(pub String);

impl fmt::Display for DriverName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The backend's name of a snapshot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SnapshotId(pub String);

/// The backend's name of snapshots that were cut together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupSnapshotId(pub String);

/// Where the next page of a list begins; the backend's own word.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PageToken(pub String);
