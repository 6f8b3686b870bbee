//! A disk that is there already becomes a volume.
//!
//! It is the CSI driver's way to hand a disk to a claim. Claims of every namespace can name any disk, so that one that
//! is tagged as another volume's is not taken: it would be deleted with the claim.

use drivebay_guest::prelude::*;

use crate::disk::{Disk, tag};
use crate::ecs::Ecs;
use crate::id::{DiskId, SnapshotId};
use crate::parameter_names::DISK_ID;
use crate::tagging;
use crate::tags::VOLUME_NAME;
use crate::volume_spec::VolumeSpec;

/// The disk, if it is what else is asked for, with the tags of a volume.
pub(crate) fn take(
    ecs: Ecs<'_>,
    spec: &VolumeSpec<'_>,
    source: Option<SnapshotId<'_>>,
    written: &str,
) -> Result<Disk, Error> {
    let id = DiskId::parse(written)
        .ok_or_else(|| malformed(DISK_ID, written, "it is no disk's id, which is d-…"))?;
    let disk = ecs.existing_disk(id)?;
    if spec.is_out_of_reach(&disk) {
        // `exhausted` is what has the scheduler look for another node.
        bail!(Exhausted: "disk {id} is in zone {}, where the pod cannot be", disk.zone);
    }
    let source = source.map(SnapshotId::as_str).or(disk.snapshot);
    let differences = spec.differences(&disk, source);
    if !differences.is_empty() {
        return Err(malformed(DISK_ID, written, &differences));
    }
    if let Some(other) = tag(disk.tags, VOLUME_NAME).filter(|name| *name != spec.name) {
        let reason = format!(
            "it is the disk of volume {other}: if it is to be handed over, take its tag {VOLUME_NAME} away first"
        );
        return Err(malformed(DISK_ID, written, &reason));
    }
    tagging::set(ecs, &disk, &spec.tags)?;
    Ok(disk)
}
