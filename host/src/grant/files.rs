//! `[grants.files]`: whether work beneath a directory handle may change anything.

use super::{Capability, Refusal};

/// Whether files may be changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FilesGrant {
    /// Look only.
    ReadOnly,
    /// Make, change and remove.
    ReadWrite,
}

impl FilesGrant {
    /// Whether something may be changed.
    pub fn allows_change(self, operation: &str) -> Result<(), Refusal> {
        match self {
            Self::ReadWrite => Ok(()),
            Self::ReadOnly => Err(Refusal {
                capability: Capability::Files,
                scope: operation.to_owned(),
                grant: "grants.files.access = \"read-only\"".to_owned(),
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_may_only_look_changes_nothing() {
        assert!(FilesGrant::ReadOnly.allows_change("remove-tree").is_err());
        assert_eq!(FilesGrant::ReadWrite.allows_change("remove-tree"), Ok(()));
    }
}
