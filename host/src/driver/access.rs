//! Who may write to what is staged.
//!
//! CSI stages a volume in its one access mode. FlexVolume stages it as the pod that comes first may use it, and
//! asks no more while any pod has it: a pod that writes may then find a staging that only reads, and one that
//! reads a staging that can be written to. The second is no trouble, as a bind has an access of its own. In the
//! first case the file system is made writable where that is this kernel's alone to decide; pods that only read
//! go on reading, and a volume that nobody writes to is never mounted writable.

use std::path::Path;

use super::defect::Defect;
use super::place::{Spot, known, look, shown};
use super::{Driver, Operation};
use crate::error::DriverError;
use crate::journal::{Placement, Progress, Use, VolumeRecord};
use crate::sys::{Fault, FaultKind, Kernel, MountEntry, Request};
use crate::volume::Access;

/// Whose access a staging has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StagedFor {
    /// Everyone's who publishes it.
    Everyone,
    /// The pod's that came first; others may have another.
    FirstPod,
}

impl Driver {
    /// Whether the spot holds the volume for a pod with the other access, and so serves this one too.
    ///
    /// # Errors
    /// As for [`serving`].
    pub(super) fn is_staged_for_another_pod(
        &self,
        operation: &Operation,
        record: &mut VolumeRecord,
        spot: &Spot<'_>,
    ) -> Result<bool, DriverError> {
        let wanted = Use::of(spot.access, spot.kind);
        let staging = record
            .placement(spot.path)
            .filter(|staging| staging.progress == Progress::Done)
            .filter(|staging| staging.use_as.differs_in_access(&wanted))
            .cloned();
        let Some(staging) = staging else {
            return Ok(false);
        };
        if !is_in_place(&staging)? {
            return Ok(false);
        }
        serving(operation, record, staging, spot.access, StagedFor::FirstPod)?;
        self.journal.save(record)?;
        Ok(true)
    }
}

/// Whether what was noted is there still, and sound: what is dead is put there anew, unless another pod has it.
pub(super) fn is_in_place(staging: &Placement) -> Result<bool, DriverError> {
    let is_sound = |entry: &MountEntry| {
        shown(entry) == staging.shown_as && Defect::of(staging, entry).is_none()
    };
    Ok(known(&staging.path)?.is_some_and(|entry| is_sound(&entry)))
}

/// A staging from which can be published with that access.
///
/// # Errors
/// `failed-precondition` where it only reads, and cannot be made writable. What the kernel says otherwise.
pub(super) fn serving(
    operation: &Operation,
    record: &mut VolumeRecord,
    staging: Placement,
    access: Access,
    staged_for: StagedFor,
) -> Result<Placement, DriverError> {
    if access == Access::ReadOnly || !staging.use_as.is_read_only() {
        return Ok(staging);
    }
    let entry = look(&staging.path)?.filter(is_disk);
    match (staged_for, entry) {
        (StagedFor::FirstPod, Some(_)) => make_writable(operation, record, staging),
        (StagedFor::FirstPod, None) => Err(only_read(
            record,
            &staging,
            "the pod that had it first on this node only reads, and it cannot be made writable while it is in use; \
             start this pod once no other on this node has the volume",
        )),
        (StagedFor::Everyone, _) => Err(only_read(
            record,
            &staging,
            "unstage it, and stage it for writing first",
        )),
    }
}

fn make_writable(
    operation: &Operation,
    record: &mut VolumeRecord,
    staging: Placement,
) -> Result<Placement, DriverError> {
    tracing::info!("a pod that writes follows one that only reads: the staging is made writable");
    let request = Request::MakeWritable {
        target: staging.path.clone(),
    };
    let mut workers = operation.workers.clone();
    let made = workers.call(request, operation.deadline);
    made.map_err(|fault| not_made_writable(record, &staging, fault))?;
    let staging = Placement {
        use_as: staging.use_as.writable(),
        takes_writes: Some(true),
        ..staging
    };
    record.note(staging.clone());
    Ok(staging)
}

/// A disk that takes no writes stays as it is; other trouble may pass.
fn not_made_writable(record: &VolumeRecord, staging: &Placement, fault: Fault) -> DriverError {
    match fault.kind == FaultKind::Denied {
        true => only_read(record, staging, "it takes no writes").caused_by(fault),
        false => fault.into(),
    }
}

/// A file system of this kernel's own, mounted as a whole. A bind shows a part of what others mounted, and a
/// share is its server's.
fn is_disk(entry: &MountEntry) -> bool {
    entry.root == Path::new("/") && entry.source.starts_with("/dev/")
}

fn only_read(record: &VolumeRecord, staging: &Placement, advice: &str) -> DriverError {
    DriverError::failed_precondition(format!(
        "cannot mount volume {:?} for writing: it is staged at {} for reading alone; {advice}",
        record.id().0,
        staging.path.display()
    ))
}
