//! What is asked for where a volume is mounted.

use std::path::Path;

use super::request::PublishVolume;
use crate::journal::Role;
use crate::volume::{Access, AccessType};
use crate::worker::{MountOptions, TargetKind};

/// Where a volume has to be, and how.
pub(super) struct MountSpec<'a> {
    pub(super) path: &'a Path,
    pub(super) role: Role,
    pub(super) access: Access,
    pub(super) kind: &'a AccessType,
}

/// What a caller may do with a volume that is used so: read-only among its mount options is an access.
pub(super) fn narrowed_access(access: Access, kind: &AccessType) -> Access {
    match kind {
        AccessType::Block => access,
        AccessType::Filesystem { mount_options, .. } => {
            MountOptions::written(access, mount_options).access()
        }
    }
}

impl<'a> MountSpec<'a> {
    /// A volume at a pod's target.
    pub(super) fn of_target(request: &'a PublishVolume) -> Self {
        Self {
            path: request.target.as_path(),
            role: Role::Target,
            access: request.access,
            kind: &request.kind,
        }
    }
}

impl MountSpec<'_> {
    pub(super) fn target_kind(&self) -> TargetKind {
        match self.kind {
            AccessType::Block => TargetKind::Device,
            AccessType::Filesystem { .. } => TargetKind::Directory,
        }
    }
}
