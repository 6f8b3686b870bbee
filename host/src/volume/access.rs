//! What a pod may do with a volume, and as what it appears there.

use serde::{Deserialize, Serialize};

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
