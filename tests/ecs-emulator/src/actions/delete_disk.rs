//! DeleteDisk.

use crate::actions::attach::incorrect_status;
use crate::actions::{Outcome, Work};
use crate::cloud::disk::{Status, Usage};
use crate::cloud::knobs::DeleteMissing;
use crate::error::Refusal;
use crate::wire::answer::Fields;

pub(crate) fn perform(work: &mut Work<'_>) -> Outcome {
    work.check_region_if_sent()?;
    let id = work.disk_id()?;
    let disk = match work.cloud.disk(&id) {
        Ok(disk) => disk,
        Err(_) if work.cloud.knobs.delete_missing == DeleteMissing::Ignore => {
            return Ok(Fields::new());
        }
        Err(refusal) => return Err(refusal),
    };
    if disk.usage == Usage::System {
        let message = "The operation is not permitted on a system disk.";
        return Err(Refusal::denied("DiskTypeViolation", message));
    }
    match disk.status() {
        Status::Available => {}
        Status::Creating if disk.source.is_some() => {
            let message = "The disk is being initialized.";
            let code = "IncorrectDiskStatus.Initializing";
            return Err(Refusal::denied(code, message));
        }
        Status::Creating | Status::Attaching | Status::InUse | Status::Detaching => {
            return Err(incorrect_status("Available"));
        }
    }
    if work.cloud.has_snapshot_in_progress(&id) {
        let message = "The operation is denied while a snapshot of the disk is being created.";
        return Err(Refusal::denied("DiskCreatingSnapshot", message));
    }
    work.files.remove_disk(&id.serial())?;
    work.cloud.change_disk(&id)?;
    let moment = work.cloud.next();
    work.cloud.history.deleted(&id, moment);
    work.cloud.disks.remove(&id);
    work.touched.push(id);
    Ok(Fields::new())
}
