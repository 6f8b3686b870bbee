//! The staging that a volume is published from.
//!
//! Callers stage once and publish often, maybe weeks later: by then the mount may be dead, or not be the one that we
//! made, or another driver made it before us. It is looked at before anything is bound from it.

use std::path::PathBuf;
use std::sync::Arc;

use super::mount_rules::refuse_changed_context;
use super::mount_spec::MountSpec;
use super::mount_table::{cached_mount, current_mount, is_as_recorded};
use super::operation::Operation;
use super::request::{PublishVolume, StagedFor};
use super::session::Session;
use super::staging_path::staged_at;
use super::stale_mount::StaleMount;
use crate::error::DriverError;
use crate::journal::{MountRecord, Progress, Role, VolumeRecord};
use crate::sys::MountEntry;
use crate::volume::{Access, AccessType, Parameters};

/// A staging that a guest has to see to before anything is published from it.
struct Unready {
    path: PathBuf,
    access: Access,
    /// What is wrong with it, where we mounted it.
    stale: Option<(StaleMount, Arc<MountEntry>)>,
}

impl Session {
    /// The volume's record once its staging is what it has to be: mounted anew where it is dead and nobody uses it,
    /// taken over where another driver mounted the volume there. Without a staging the record stays as it is.
    ///
    /// # Errors
    /// `failed-precondition` where it is dead and in use.
    pub(super) fn ensure_staging(
        &self,
        operation: &mut Operation,
        mut record: VolumeRecord,
        request: &PublishVolume,
    ) -> Result<VolumeRecord, DriverError> {
        let Some(unready) = unready(&record, request)? else {
            return Ok(record);
        };
        let spec = MountSpec {
            path: &unready.path,
            role: Role::Staging,
            access: unready.access,
            kind: &request.kind,
        };
        if let Some((stale, entry)) = &unready.stale {
            self.unmount_stale(operation, &mut record, &spec, (stale, entry))?;
        }
        let publish_context = publish_context(&record, &request.publish_context);
        self.mount(operation, record, &spec, |operation, record| {
            let guest = self.node_guest(operation)?;
            self.source_of(guest, record, &request.volume, publish_context)
        })?;
        self.record(&request.volume)
    }
}

/// What attaching returned: as the caller says, or else as the journal has it.
pub(super) fn publish_context(record: &VolumeRecord, given: &Parameters) -> Parameters {
    match given.pairs() {
        [] => record.publish_context(None),
        _ => given.clone(),
    }
}

fn unready(record: &VolumeRecord, request: &PublishVolume) -> Result<Option<Unready>, DriverError> {
    match record.staging() {
        Some(noted) if noted.use_as.is_block() != (request.kind == AccessType::Block) => Ok(None),
        Some(noted) => stale(noted, request),
        None => {
            refuse_changed_context(record, &request.volume.context)?;
            foreign(request)
        }
    }
}

/// A staging of ours that is not what it was, or not what the first pod's access lets this one have.
fn stale(noted: &MountRecord, request: &PublishVolume) -> Result<Option<Unready>, DriverError> {
    let unready = |access, stale| Unready {
        path: noted.path.clone(),
        access,
        stale,
    };
    if noted.progress != Progress::Done {
        return Ok(Some(unready(noted.use_as.access(), None)));
    }
    let Some(entry) = cached_mount(&noted.path)? else {
        // As after a reboot: callers then stage again.
        return Ok(None);
    };
    if !is_as_recorded(noted, &entry) {
        return Ok(Some(unready(access_of(&entry), None)));
    }
    if request.staged_for == StagedFor::FirstPod && !noted.use_as.allows(request.access) {
        return Ok(Some(unready(
            request.access,
            Some((StaleMount::StagedReadOnly, entry)),
        )));
    }
    let stale = StaleMount::of(noted, &entry);
    Ok(stale.map(|stale| unready(noted.use_as.access(), Some((stale, entry)))))
}

/// What is mounted where the caller says that the volume is staged, and we did not mount.
fn foreign(request: &PublishVolume) -> Result<Option<Unready>, DriverError> {
    let Some(staging) = &request.staging else {
        return Ok(None);
    };
    for path in staged_at(staging, &request.volume.id, &request.kind)? {
        if let Some(entry) = current_mount(&path)? {
            return Ok(Some(Unready {
                access: access_of(&entry),
                path,
                stale: None,
            }));
        }
    }
    Ok(None)
}

/// As it was asked for, as far as that can be seen.
pub(super) fn access_of(entry: &MountEntry) -> Access {
    match entry.read_only {
        true => Access::ReadOnly,
        false => Access::ReadWrite,
    }
}
