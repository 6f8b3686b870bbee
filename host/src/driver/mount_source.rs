//! What gets mounted at a path: whatever a guest mounts there, or the volume's staging bound once more.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::mount_rules::occupied;
use super::mount_spec::{MountSpec, narrowed_access};
use super::mount_table::cached_mount;
use super::operation::Operation;
use super::request::VolumeReference;
use crate::broker::{Purpose, Target};
use crate::error::DriverError;
use crate::runtime::{Guest, StageRequest};
use crate::sys::{MountEntry, device_beneath};
use crate::volume::{Access, AccessType, Parameters};
use crate::worker::{Request, WorkerClient};

/// Chosen before anything is journaled; everything that can be refused has been.
pub(super) enum MountSource<'a> {
    /// A guest decides.
    Guest {
        guest: Arc<Guest>,
        volume: &'a VolumeReference,
        /// Its parameters in the guest's spelling.
        context: Parameters,
        /// What attaching returned.
        publish_context: Parameters,
    },
    /// The volume is mounted for the node already.
    Staging {
        path: PathBuf,
        /// SHA-256.
        component: String,
    },
}

impl MountSource<'_> {
    /// SHA-256 of the component that is answerable for it.
    pub(super) fn component(&self) -> &str {
        match self {
            Self::Guest { guest, .. } => &guest.manifest.component_sha256,
            Self::Staging { component, .. } => component,
        }
    }

    /// It was said to be mounted, and is not.
    pub(super) fn count_wrong_answer(&self) {
        match self {
            Self::Guest { guest, .. } => guest.count_wrong_answer(),
            Self::Staging { .. } => {}
        }
    }

    /// Mounts it, given what is mounted there already.
    pub(super) fn mount(
        &self,
        operation: &mut Operation,
        spec: &MountSpec<'_>,
        found: Option<Arc<MountEntry>>,
    ) -> Result<(), DriverError> {
        match self {
            Self::Guest {
                guest,
                volume,
                context,
                publish_context,
            } => {
                let access = narrowed_access(spec.access, spec.kind);
                let (setup, target) = operation.setup_with(Target {
                    path: spec.path.to_owned(),
                    access,
                    mounted: found,
                    purpose: Purpose::Mount,
                });
                let request = StageRequest {
                    id: &volume.id,
                    context,
                    publish_context,
                    access,
                    kind: spec.kind,
                    target,
                };
                guest.stage_volume(setup, &request)
            }
            Self::Staging { path, .. } => bind(operation, path.clone(), spec, found),
        }
    }
}

fn bind(
    operation: &mut Operation,
    from: PathBuf,
    spec: &MountSpec<'_>,
    found: Option<Arc<MountEntry>>,
) -> Result<(), DriverError> {
    let Some(staged) = cached_mount(&from)? else {
        // After a reboot the journal still knows the staging, but the mount is gone; kubelet stages again.
        return Err(DriverError::failed_precondition(format!(
            "the volume is no longer staged at {}",
            from.display()
        )));
    };
    if let Some(entry) = found {
        return match shows((&from, &staged), spec, &entry) {
            true => Ok(()),
            false => Err(occupied(spec, &entry)),
        };
    }
    let request = Request::BindMount {
        from,
        target: spec.path.to_owned(),
        access: spec.access,
    };
    operation.workers.call(request, operation.deadline)?;
    Ok(())
}

/// Whether what is mounted there is the volume already, as another driver bound it there.
fn shows((from, staged): (&Path, &MountEntry), spec: &MountSpec<'_>, entry: &MountEntry) -> bool {
    let device = device_beneath(from, staged);
    let is_same = device.is_some() && device == device_beneath(spec.path, entry);
    let is_whole = matches!(spec.kind, AccessType::Block) || entry.root == staged.root;
    let refuses_writes = spec.access == Access::ReadOnly || staged.read_only;
    is_same && is_whole && entry.read_only == refuses_writes
}
