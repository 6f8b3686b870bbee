//! What is mounted at a path before anything is done: the kernel's table decides, the journal explains it.

use std::sync::Arc;

use super::mount_rules::used_otherwise;
use super::mount_spec::MountSpec;
use super::mount_table::{cached_mount, current_mount, is_as_recorded};
use crate::error::DriverError;
use crate::journal::{MountRecord, Progress, Role};
use crate::sys::MountEntry;

/// As far as it matters for what is asked for.
pub(super) enum MountState {
    /// Nothing.
    NotMounted,
    /// What is asked for.
    Mounted(Arc<MountEntry>),
    /// A staging of ours that is used otherwise than is asked for.
    OtherUse(Arc<MountEntry>),
    /// Half of what an earlier try of ours did.
    Interrupted,
    /// Something that was there before us.
    Foreign(Arc<MountEntry>),
}

pub(super) fn mount_state(
    noted: Option<&MountRecord>,
    spec: &MountSpec<'_>,
) -> Result<MountState, DriverError> {
    match judged(noted, spec, cached_mount(spec.path)?)? {
        // What is taken over is looked at closely, also whether it can be written to.
        MountState::Foreign(_) => judged(noted, spec, current_mount(spec.path)?),
        state @ (MountState::NotMounted
        | MountState::Mounted(_)
        | MountState::OtherUse(_)
        | MountState::Interrupted) => Ok(state),
    }
}

fn judged(
    noted: Option<&MountRecord>,
    spec: &MountSpec<'_>,
    found: Option<Arc<MountEntry>>,
) -> Result<MountState, DriverError> {
    let Some(entry) = found else {
        return Ok(MountState::NotMounted);
    };
    let Some(noted) = noted else {
        return Ok(MountState::Foreign(entry));
    };
    match noted.progress {
        Progress::Intended => Ok(MountState::Interrupted),
        Progress::Adopting => Ok(MountState::Foreign(entry)),
        // Ours is gone, and somebody mounted something else since.
        Progress::Done if !is_as_recorded(noted, &entry) => Ok(MountState::Foreign(entry)),
        Progress::Done if noted.use_as.is(spec.access, spec.kind) => Ok(MountState::Mounted(entry)),
        // Where it is dead, it is mounted anew as it is asked for now.
        Progress::Done if spec.role == Role::Staging => Ok(MountState::OtherUse(entry)),
        Progress::Done => Err(used_otherwise(spec)),
    }
}
