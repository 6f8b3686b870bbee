//! A disk that is there already becomes a volume.
//!
//! It is the CSI driver's way to hand a disk to a claim, and as there nothing keeps two claims from naming the same
//! disk but that ECS attaches it once.

use crate::bindings::drivebay::driver::types::Error;
use crate::disk::Disk;
use crate::ecs::Ecs;
use crate::given::malformed;
use crate::id::{DiskId, SnapshotId};
use crate::parameters::DISK_ID;
use crate::tagging;
use crate::wanted::Wanted;

/// The disk, if it is what else is asked for, with the tags of a volume.
pub(crate) fn take(
    ecs: Ecs<'_>,
    wanted: &Wanted<'_>,
    source: Option<SnapshotId<'_>>,
    written: &str,
) -> Result<Disk, Error> {
    let id = DiskId::parse(written)
        .ok_or_else(|| malformed(DISK_ID, written, "it is no disk's id, which is d-…"))?;
    let disk = ecs.existing_disk(id)?;
    if wanted.is_out_of_reach(&disk) {
        // `exhausted` is what has the scheduler look for another node.
        return Err(Error::Exhausted(format!(
            "disk {id} is in zone {}, where the pod cannot be",
            disk.zone
        )));
    }
    let source = source.map(SnapshotId::as_str).or(disk.snapshot);
    let differences = wanted.differences(&disk, source);
    if !differences.is_empty() {
        return Err(malformed(DISK_ID, written, &differences));
    }
    tagging::set(ecs, &disk, &wanted.tags)?;
    Ok(disk)
}
