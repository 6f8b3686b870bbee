//! What a repeated call finds done already.
//!
//! kubelet repeats calls, also those that went well; then there is nothing to do but to look. A look is made under the
//! volume's lock, but together with others who look, and takes what the kernel and the journal say at that moment. Where
//! somebody works on the volume, or anything is not as it was left and as it is asked for, the operation itself finds out
//! what to do.

use std::path::Path;
use std::sync::Arc;

use super::mount_rules::{refuse_contradiction, refuse_second_target, says_the_same};
use super::mount_spec::MountSpec;
use super::mount_state::{MountState, mount_state};
use super::mount_table::is_from_server;
use super::request::{PublishVolume, StageVolume};
use super::session::Session;
use super::staging_path::staging_of;
use super::stale_mount::StaleMount;
use crate::error::DriverError;
use crate::journal::{Role, VolumeRecord};
use crate::sys::Look;
use crate::volume::VolumeKey;

impl Session {
    /// Whether [`Self::publish_volume`] would find nothing to do, as far as that can be told without waiting:
    /// for another operation, for a server that may have lost the mount, for a guest.
    pub fn is_published(&self, request: &PublishVolume) -> bool {
        self.has_published(request).unwrap_or(false)
    }

    /// The same for [`Self::stage_volume`].
    pub fn is_staged(&self, request: &StageVolume) -> bool {
        self.has_staged(request).unwrap_or(false)
    }

    fn has_published(&self, request: &PublishVolume) -> Result<bool, DriverError> {
        let Some((_look, record)) = self.look_at_record(&request.volume.key)? else {
            return Ok(false);
        };
        refuse_second_target(&record, request)?;
        refuse_contradiction(&record, request)?;
        is_in_place(&record, &MountSpec::of_target(request))
    }

    fn has_staged(&self, request: &StageVolume) -> Result<bool, DriverError> {
        let Some((_look, record)) = self.look_at_record(&request.volume.key)? else {
            return Ok(false);
        };
        let path = staging_of(request)?;
        if is_staged_elsewhere(&record, &path)
            || !says_the_same(&record.context(), &request.volume.context)
        {
            return Ok(false);
        }
        let spec = MountSpec {
            path: &path,
            role: Role::Staging,
            access: request.access,
            kind: &request.kind,
        };
        is_in_place(&record, &spec)
    }

    /// What the journal has of a volume on which nobody works, for as long as the look lasts.
    fn look_at_record(
        &self,
        key: &VolumeKey,
    ) -> Result<Option<(Look<'_>, Arc<VolumeRecord>)>, DriverError> {
        let Some(look) = self.look_at(key) else {
            return Ok(None);
        };
        match self.shared.journal.load_shared(key)? {
            Some(record) => Ok(Some((look, record))),
            None => {
                look.end_with_file(&self.path_of_volume_lock(key));
                Ok(None)
            }
        }
    }
}

/// What is noted there is mounted still, as it is asked for, and nothing is wrong with it.
fn is_in_place(record: &VolumeRecord, spec: &MountSpec<'_>) -> Result<bool, DriverError> {
    let noted = record.mount_at(spec.path);
    Ok(match (mount_state(noted, spec)?, noted) {
        (MountState::Mounted(entry), Some(noted)) => {
            !is_from_server(&entry) && StaleMount::of(noted, &entry).is_none()
        }
        _ => false,
    })
}

/// Whether a staging at another path is noted, which whoever stages here looks after.
fn is_staged_elsewhere(record: &VolumeRecord, path: &Path) -> bool {
    let mut mounts = record.mounts.iter();
    mounts.any(|noted| noted.role == Role::Staging && noted.path != path)
}
