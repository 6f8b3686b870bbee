//! What gets mounted at a spot: whatever a guest puts there, or the volume's staging bound once more.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::place::{Spot, known};
use super::{Operation, VolumeReference};
use crate::error::DriverError;
use crate::runtime::{Guest, Purpose, StageRequest};
use crate::sys::{MountEntry, device_beneath};
use crate::volume::{Access, AccessType, Parameters};
use crate::worker::{Request, WorkerClient};

/// Chosen before anything is journaled; everything that can be refused has been.
pub(super) enum Content<'a> {
    /// A guest decides.
    Guest {
        /// Which one.
        guest: Arc<Guest>,
        /// Which volume.
        volume: &'a VolumeReference,
        /// Its parameters in the guest's spelling.
        context: Parameters,
        /// What attaching returned.
        publish_context: Parameters,
    },
    /// The volume is mounted for the node already.
    Staging {
        /// Where.
        path: PathBuf,
        /// By which component, SHA-256.
        component: String,
    },
}

impl Content<'_> {
    /// SHA-256 of the component that is answerable for it.
    pub(super) fn component(&self) -> &str {
        match self {
            Self::Guest { guest, .. } => &guest.manifest.component_sha256,
            Self::Staging { component, .. } => component,
        }
    }

    /// Mounts it, given what is mounted there already.
    pub(super) fn put(
        &self,
        operation: &mut Operation,
        spot: &Spot<'_>,
        found: Option<MountEntry>,
    ) -> Result<(), DriverError> {
        match self {
            Self::Guest {
                guest,
                volume,
                context,
                publish_context,
            } => {
                let request = StageRequest {
                    id: &volume.id,
                    context,
                    publish_context,
                    access: spot.access,
                    kind: spot.kind,
                    target: spot.path.to_owned(),
                    mounted: found,
                    purpose: Purpose::Place,
                };
                guest.stage_volume(operation.setup(), &request)
            }
            Self::Staging { path, .. } => bind(operation, path.clone(), spot, found),
        }
    }
}

fn bind(
    operation: &mut Operation,
    from: PathBuf,
    spot: &Spot<'_>,
    found: Option<MountEntry>,
) -> Result<(), DriverError> {
    let Some(staged) = known(&from)? else {
        // After a reboot the journal still knows the staging, but the mount is gone; kubelet stages again.
        return Err(DriverError::failed_precondition(format!(
            "the volume is no longer staged at {}",
            from.display()
        )));
    };
    if let Some(entry) = found {
        return match shows((&from, &staged), spot, &entry) {
            true => Ok(()),
            false => Err(occupied(spot, &entry)),
        };
    }
    let request = Request::BindMount {
        from,
        target: spot.path.to_owned(),
        access: spot.access,
    };
    operation.workers.call(request, operation.deadline)?;
    Ok(())
}

/// Whether what is mounted at the spot is the volume already, as another driver bound it there.
fn shows((from, staged): (&Path, &MountEntry), spot: &Spot<'_>, entry: &MountEntry) -> bool {
    let device = device_beneath(from, staged);
    let is_same = device.is_some() && device == device_beneath(spot.path, entry);
    let is_whole = matches!(spot.kind, AccessType::Block) || entry.root == staged.root;
    let refuses_writes = spot.access == Access::ReadOnly || staged.read_only;
    is_same && is_whole && entry.read_only == refuses_writes
}

/// Something is mounted there that we cannot take for the volume.
pub(super) fn occupied(spot: &Spot<'_>, entry: &MountEntry) -> DriverError {
    DriverError::already_exists(format!(
        "{} already holds a {} mount of {}; unmount it first",
        spot.path.display(),
        entry.fs_type,
        entry.source
    ))
}
