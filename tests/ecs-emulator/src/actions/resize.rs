//! ResizeDisk. The order is taken at once, and the disk grows a little later.

use crate::actions::attach::incorrect_status;
use crate::actions::{Outcome, Work, shape};
use crate::cloud::category::Category;
use crate::cloud::disk::{Disk, Manner, Resizing, Status};
use crate::cloud::transition::Transition;
use crate::error::Refusal;
use crate::wire::answer::Fields;
use crate::words::Gib;

pub(crate) fn perform(work: &mut Work<'_>) -> Outcome {
    work.check_region_if_sent()?;
    let id = work.disk_id()?;
    let size = work.parameters.number::<u64>("NewSize")?;
    let size = Gib(size.ok_or_else(|| Refusal::missing_parameter("NewSize"))?);
    let manner = manner(work)?;
    let disk = work.cloud.disk(&id)?;
    check_status(work, disk, manner)?;
    if disk.resizing.is_some() {
        let message = "The previous order is still processing, please try again later.";
        return Err(Refusal::bad("LastOrderProcessing", message));
    }
    if work.cloud.has_snapshot_in_progress(&id) {
        let message = "The operation is denied while a snapshot of the disk is being created.";
        return Err(Refusal::denied("DiskCreatingSnapshot", message));
    }
    check_size(disk, size)?;
    work.cloud.change_disk(&id)?.resizing = Some(Resizing { size, manner });
    work.begun.push(Transition::Resize(id));
    // Only what is paid in advance has an order with an id, and no disk here is.
    Ok(Fields::new())
}

fn manner(work: &Work<'_>) -> Result<Manner, Refusal> {
    match work.parameters.text("Type") {
        None | Some("offline") => Ok(Manner::Offline),
        Some("online") => Ok(Manner::Online),
        Some(_) => Err(Refusal::bad(
            "InvalidParam.Type",
            "The specified Type is not valid.",
        )),
    }
}

fn check_status(work: &Work<'_>, disk: &Disk, manner: Manner) -> Result<(), Refusal> {
    match (disk.status(), manner) {
        (Status::InUse, _) | (Status::Available, Manner::Offline) => {}
        (Status::Available, Manner::Online) => return Err(incorrect_status("In_use")),
        (Status::Creating | Status::Attaching | Status::Detaching, _) => {
            return Err(incorrect_status("Available or In_use"));
        }
    }
    if manner == Manner::Offline {
        return Ok(());
    }
    if disk.category == Category::Cloud {
        let message = "Disks of this category cannot be resized online.";
        let code = "InvalidDiskSize.NotSupportResizeOnline";
        return Err(Refusal::denied(code, message));
    }
    let instances = disk
        .attachments
        .iter()
        .map(|attachment| &attachment.instance);
    let mut instances = instances.filter_map(|id| work.cloud.instances.get(id));
    if instances.any(|instance| !instance.is_running()) {
        let message = "The instance has to be running for the disk to be resized online.";
        return Err(Refusal::denied("InvalidInstanceStatus.NotRunning", message));
    }
    Ok(())
}

/// Disks never shrink, and a size that the disk already has is no growth either.
fn check_size(disk: &Disk, size: Gib) -> Result<(), Refusal> {
    if size < disk.size {
        let message = "The specified new disk size is less than the original disk size.";
        return Err(Refusal::denied("InvalidDiskSize.TooSmall", message));
    }
    if size == disk.size {
        let message =
            "The specified new disk size is less than or equal to the original disk size.";
        return Err(Refusal::denied("InvalidDiskSize", message));
    }
    shape::check_size(disk.category, disk.level, size).map_err(|_| {
        let message = "The specified new disk size is beyond the permitted range.";
        Refusal::denied("InvalidDiskSize.TooLarge", message)
    })
}
