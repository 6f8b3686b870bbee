//! What a driver can do. Pure: whoever has the component's manifest makes it.

use std::sync::Arc;

use crate::store::{Export, Import, Manifest};

/// What a driver can do, from what its component exports and imports: it cannot claim what it lacks. The
/// default is nothing at all.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Capabilities {
    /// One bit for each.
    exports: u16,
    local_filesystem: bool,
}

/// Of the component that was asked about last.
#[derive(Debug)]
pub(super) struct CachedCapabilities {
    pub(super) manifest: Arc<Manifest>,
    pub(super) capabilities: Capabilities,
}

impl Capabilities {
    pub(super) fn of(manifest: &Manifest) -> Self {
        Self {
            local_filesystem: manifest.imports(Import::BlockDevices),
            ..manifest.exported().fold(Self::default(), Self::with)
        }
    }

    /// The same, and that interface too.
    #[must_use]
    pub fn with(self, export: Export) -> Self {
        Self {
            exports: self.exports | bit(export),
            ..self
        }
    }

    /// Whether it has the operations of that interface; those of every other answer `unsupported`.
    pub fn exports(&self, export: Export) -> bool {
        self.exports & bit(export) != 0
    }

    /// Whether volumes are staged: mounted once for the node, and from there bound to each pod. Where they
    /// are not, publishing is all there is. Those that are attached to a node are staged on it.
    pub fn stages(&self) -> bool {
        self.exports(Export::Attachment)
    }

    /// Whether its volumes hold file systems of this node's own kernel, on block devices.
    pub fn local_filesystem(&self) -> bool {
        self.local_filesystem
    }
}

fn bit(export: Export) -> u16 {
    1 << export as u16
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_export_is_claimed_for_itself_alone() {
        for export in Export::ALL {
            let capabilities = Capabilities::default().with(export);
            for other in Export::ALL {
                assert_eq!(capabilities.exports(other), other == export, "{other:?}");
            }
        }
    }

    #[test]
    fn volumes_that_are_attached_are_staged() {
        let share = Capabilities::default().with(Export::Node);
        assert!(!share.stages());
        assert!(share.with(Export::Attachment).stages());
    }
}
