//! What is asked for where a volume is mounted.

use std::path::Path;

use crate::journal::Role;
use crate::volume::{Access, AccessType};
use crate::worker::TargetKind;

/// Where a volume has to be, and how.
pub(super) struct MountSpec<'a> {
    pub(super) path: &'a Path,
    pub(super) role: Role,
    pub(super) access: Access,
    pub(super) kind: &'a AccessType,
}

impl MountSpec<'_> {
    pub(super) fn target_kind(&self) -> TargetKind {
        match self.kind {
            AccessType::Block => TargetKind::Device,
            AccessType::Filesystem { .. } => TargetKind::Directory,
        }
    }
}
