//! What a driver answers its callers, where it is more than a number or a name.

use crate::error::GuestText;
use crate::store::Manifest;

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

impl From<&Manifest> for Component {
    fn from(manifest: &Manifest) -> Self {
        Self {
            name: manifest.description.name.clone(),
            version: manifest.description.version.clone(),
            sha256: manifest.component_sha256.clone(),
        }
    }
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
