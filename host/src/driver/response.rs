//! What a driver answers its callers, where it is more than a number or a name.

use crate::error::GuestText;

/// A component, as it calls itself and as its bytes are.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(
    missing_docs,
    reason = "a field without a comment is what its name and type say"
)]
pub struct Component {
    pub name: GuestText,
    pub version: GuestText,
    /// SHA-256, hex.
    pub sha256: String,
}

/// What there was to do on the node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExpandOutcome {
    /// The filesystem fills the volume now.
    Filesystem,
    /// A raw device, or a directory of a larger file system: there is nothing to grow.
    Nothing,
    /// It is not mounted here. Whoever mounts it next grows its filesystem before.
    NotMounted,
}
