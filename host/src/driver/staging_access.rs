//! Who may write to what is staged.
//!
//! CSI stages a volume in its one access mode. FlexVolume stages it as the pod that comes first may use it, and
//! asks no more while any pod has it: a pod that writes may then find a staging that only reads, and one that
//! reads a staging that can be written to. The second is no trouble, as a bind has an access of its own. In the
//! first case it is staged anew, once no pod has it: a filesystem is never turned from reading to writing while it
//! is mounted, because what the kernel remembers of it may be older than what another node wrote to the disk since.

use std::sync::Arc;

use super::mount_spec::MountSpec;
use super::mount_table::{cached_mount, is_as_recorded};
use super::operation::Operation;
use super::session::Session;
use super::stale_mount::StaleMount;
use crate::error::DriverError;
use crate::journal::{MountRecord, Progress, Role, Use, VolumeRecord};
use crate::sys::MountEntry;
use crate::volume::{Access, AccessType};

impl Session {
    /// Whether the path holds the volume for a pod with the other access, and so serves this one too.
    pub(super) fn is_staged_for_another_pod(
        &self,
        operation: &mut Operation,
        record: &mut VolumeRecord,
        spec: &MountSpec<'_>,
    ) -> Result<bool, DriverError> {
        let wanted = Use::of(spec.access, spec.kind);
        let staging = record
            .mount_at(spec.path)
            .filter(|staging| staging.progress == Progress::Done)
            .filter(|staging| staging.use_as.differs_in_access(&wanted))
            .cloned();
        let Some(staging) = staging else {
            return Ok(false);
        };
        Ok(is_sound(&staging)?
            && self.serves_or_is_unmounted(
                operation,
                record,
                &staging,
                (spec.access, spec.kind),
            )?)
    }

    /// Whether a staging serves a pod with that access. One that does not is unmounted for it.
    ///
    /// # Errors
    /// `failed-precondition` where a pod that only reads still has it. What the kernel says otherwise.
    pub(super) fn serves_or_is_unmounted(
        &self,
        operation: &mut Operation,
        record: &mut VolumeRecord,
        staging: &MountRecord,
        (access, kind): (Access, &AccessType),
    ) -> Result<bool, DriverError> {
        if staging.use_as.allows(access) {
            return Ok(true);
        }
        let Some(entry) = cached_mount(&staging.path)? else {
            return Ok(false);
        };
        let spec = MountSpec {
            path: &staging.path,
            role: Role::Staging,
            access,
            kind,
        };
        self.unmount_stale(
            operation,
            record,
            &spec,
            (&StaleMount::StagedReadOnly, &entry),
        )?;
        Ok(false)
    }
}

/// Whether what was noted is there still, and sound: what is dead is mounted anew, unless another pod has it.
pub(super) fn is_sound(staging: &MountRecord) -> Result<bool, DriverError> {
    let is_sound = |entry: Arc<MountEntry>| {
        is_as_recorded(staging, &entry) && StaleMount::of(staging, &entry).is_none()
    };
    Ok(cached_mount(&staging.path)?.is_some_and(is_sound))
}
