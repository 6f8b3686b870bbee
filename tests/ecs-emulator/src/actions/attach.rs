//! AttachDisk and DetachDisk. Both answer long before they have happened.

use crate::actions::{Outcome, Work};
use crate::cloud::Cloud;
use crate::cloud::category::Category;
use crate::cloud::disk::{Attachment, Disk, Phase, Sharing, Status, Usage};
use crate::cloud::instance::{Instance, Nvme};
use crate::cloud::transition::Transition;
use crate::error::Refusal;
use crate::wire::answer::Fields;
use crate::words::{DiskId, InstanceId};

/// Instances that may share a disk.
const MOST_SHARERS: usize = 16;

pub(crate) fn attach(work: &mut Work<'_>) -> Outcome {
    work.check_region_if_sent()?;
    let (disk_id, instance_id) = subjects(work)?;
    let (disk, instance) = (
        work.cloud.disk(&disk_id)?,
        work.cloud.instance(&instance_id)?,
    );
    check_instance(instance)?;
    check_fit(work.cloud, disk, instance)?;
    // The cloud accepts to attach what is being detached, and then nothing comes of it: no error, and the
    // disk ends Available. The official CSI driver's pull request 1520 found that out.
    if disk.status() == Status::Detaching {
        return Ok(Fields::new());
    }
    let force = work.parameters.flag("Force")?.unwrap_or(false);
    if force && disk.category != Category::CloudRegionalDiskAuto {
        let message = "Only regional disks can be attached by force.";
        let code = "InvalidParameterForce.NotSupported";
        return Err(Refusal::bad(code, message));
    }
    if !force {
        check_free(disk, &instance_id)?;
    }
    check_limits(work.cloud, &instance_id)?;
    let delete_with_instance = delete_with_instance(work, disk)?;
    let attachment = new_attachment(work, disk, &instance_id);
    let disk = work.cloud.change_disk(&disk_id)?;
    if force {
        disk.attachments.clear();
        work.touched.push(disk_id.clone());
    }
    disk.delete_with_instance = delete_with_instance;
    disk.first_instance.get_or_insert(instance_id.clone());
    disk.attachments.push(attachment);
    work.begun.push(Transition::Attach(disk_id, instance_id));
    Ok(Fields::new())
}

pub(crate) fn detach(work: &mut Work<'_>) -> Outcome {
    work.check_region_if_sent()?;
    let (disk_id, instance_id) = subjects(work)?;
    let (disk, instance) = (
        work.cloud.disk(&disk_id)?,
        work.cloud.instance(&instance_id)?,
    );
    check_instance(instance)?;
    if disk.usage == Usage::System {
        let message = "The operation is not permitted on a system disk.";
        return Err(Refusal::denied("DiskTypeViolation", message));
    }
    check_detachable(disk, &instance_id)?;
    // It ends with its instance also while it is not attached, and that has to be said again.
    if disk.category.is_ephemeral() && !said_to_end(work)? {
        return Err(conflict());
    }
    let disk = work.cloud.change_disk(&disk_id)?;
    if let Some(attachment) = disk.attachment_mut(&instance_id) {
        attachment.phase = Phase::Detaching;
    }
    work.begun.push(Transition::Detach(disk_id, instance_id));
    Ok(Fields::new())
}

fn subjects(work: &Work<'_>) -> Result<(DiskId, InstanceId), Refusal> {
    let instance = work.parameters.required("InstanceId")?;
    Ok((work.disk_id()?, InstanceId::from(instance)))
}

fn check_instance(instance: &Instance) -> Result<(), Refusal> {
    if instance.locks.iter().any(|reason| reason == "security") {
        let message =
            "The specified operation is denied as your instance is locked for security reasons.";
        return Err(Refusal::denied("InstanceLockedForSecurity", message));
    }
    if !["Running", "Stopped"].contains(&instance.status.as_str()) {
        let message = "The current status of the resource does not support this operation.";
        return Err(Refusal::bad("IncorrectInstanceStatus", message));
    }
    Ok(())
}

/// Whether the instance could ever have this disk.
fn check_fit(cloud: &Cloud, disk: &Disk, instance: &Instance) -> Result<(), Refusal> {
    if disk
        .zone
        .as_ref()
        .is_some_and(|zone| *zone != instance.zone)
    {
        let message = "The specified instance and disk are not in the same zone.";
        return Err(Refusal::denied("ResourcesNotInSameZone", message));
    }
    let Some(kind) = cloud.instance_types.get(&instance.instance_type) else {
        return Ok(());
    };
    if kind.lacks.contains(&disk.category) {
        let message = "The specified instance type does not support this disk category.";
        let code = "InvalidInstanceType.NotSupportDiskCategory";
        return Err(Refusal::denied(code, message));
    }
    if disk.sharing == Sharing::Enabled && kind.nvme == Nvme::Unsupported {
        let message = "The specified instance type does not support disks with multi-attach.";
        let code = "InvalidInstanceType.NotSupportMultiAttachDisk";
        return Err(Refusal::denied(code, message));
    }
    let first = disk.first_instance.as_ref();
    if disk.category.is_ephemeral() && first.is_some_and(|first| *first != instance.id) {
        let message = "The disk can be attached only to the instance it was attached to first.";
        let code = "InvalidOperation.OtherInstanceUnsupported";
        return Err(Refusal::denied(code, message));
    }
    Ok(())
}

/// Whether one more instance may have the disk now.
fn check_free(disk: &Disk, instance: &InstanceId) -> Result<(), Refusal> {
    let shared = disk.sharing == Sharing::Enabled;
    if shared && disk.attachment(instance).is_some() {
        let message = "The specified disk has been attached to the instance.";
        return Err(Refusal::missing("InvalidDisk.InUse", message));
    }
    if shared && disk.attachments.len() >= MOST_SHARERS {
        let message = "The number of instances that the disk is attached to exceeds the limit.";
        return Err(Refusal::denied("DiskAttachedNumberExceeded", message));
    }
    let ready = match disk.status() {
        Status::Available => true,
        Status::InUse | Status::Attaching | Status::Detaching => shared,
        Status::Creating => false,
    };
    if ready {
        Ok(())
    } else {
        Err(incorrect_status("Available"))
    }
}

fn check_limits(cloud: &Cloud, instance: &InstanceId) -> Result<(), Refusal> {
    let kind = &cloud.instance(instance)?.instance_type;
    let quantity = cloud
        .instance_types
        .get(kind)
        .map(|kind| kind.disk_quantity);
    if quantity.is_some_and(|quantity| cloud.attached_to(instance) >= quantity) {
        let message = "The amount of the disk on instance in question reach its limits.";
        return Err(Refusal::denied("InstanceDiskLimitExceeded", message));
    }
    let attaching = cloud
        .disks
        .values()
        .filter_map(|disk| disk.attachment(instance));
    let attaching = attaching
        .filter(|attachment| matches!(attachment.phase, Phase::Requested | Phase::Attaching))
        .count();
    let most = cloud.knobs.parallel_attaches;
    if most.is_some_and(|most| attaching >= most) {
        let message = "The number of disks being attached to the instance exceeds the limit.";
        let code = "OperationConflict.DisksAttachingParallellyExceed";
        return Err(Refusal::bad(code, message));
    }
    Ok(())
}

/// Whether the disk goes when its instance goes: ephemeral disks must, and that has to be said; shared disks must not.
fn delete_with_instance(work: &Work<'_>, disk: &Disk) -> Result<bool, Refusal> {
    let wanted = said_to_end(work)? || (disk.delete_with_instance && !disk.category.is_ephemeral());
    let conflict =
        (disk.category.is_ephemeral() && !wanted) || (disk.sharing == Sharing::Enabled && wanted);
    match conflict {
        true => Err(self::conflict()),
        false => Ok(wanted),
    }
}

fn said_to_end(work: &Work<'_>) -> Result<bool, Refusal> {
    Ok(work.parameters.flag("DeleteWithInstance")?.unwrap_or(false))
}

fn conflict() -> Refusal {
    let message = "The specified DeleteWithInstance conflicts with the disk.";
    Refusal::denied("DeleteWithInstance.Conflict", message)
}

fn new_attachment(work: &Work<'_>, disk: &Disk, instance: &InstanceId) -> Attachment {
    let sent = work.parameters.owned("Device");
    Attachment {
        instance: instance.clone(),
        phase: Phase::Requested,
        device: sent.unwrap_or_else(|| free_device(work.cloud, instance)),
        since: work.now,
        visible: disk.size,
        quirks: work.quirks.clone(),
    }
}

/// The first name from `/dev/xvdb` on that no other disk of the instance has.
fn free_device(cloud: &Cloud, instance: &InstanceId) -> String {
    let attachments = cloud
        .disks
        .values()
        .filter_map(|disk| disk.attachment(instance));
    let taken: Vec<&str> = attachments
        .map(|attachment| attachment.device.as_str())
        .collect();
    let letters = || 'a'..='z';
    let single = letters().skip(1).map(|letter| letter.to_string());
    let double =
        letters().flat_map(|first| letters().map(move |second| format!("{first}{second}")));
    let mut names = single
        .chain(double)
        .map(|letters| format!("/dev/xvd{letters}"));
    names
        .find(|name| !taken.contains(&name.as_str()))
        .unwrap_or_default()
}

fn check_detachable(disk: &Disk, instance: &InstanceId) -> Result<(), Refusal> {
    match disk.attachment(instance).map(|attachment| attachment.phase) {
        Some(Phase::Attached) => Ok(()),
        Some(Phase::Requested | Phase::Attaching) => Err(incorrect_status("In_use")),
        Some(Phase::Detaching) => {
            let message = "The specified disk is being detached from this instance.";
            let code = "InvalidOperation.DiskDetachingFromThisEcs";
            Err(Refusal::denied(code, message))
        }
        None if disk.status() == Status::Creating => Err(incorrect_status("In_use")),
        None if disk.attachments.is_empty() => {
            let message = "The specified disk has been detached.";
            Err(Refusal::missing("InvalidDisk.AlreadyDetached", message))
        }
        None => {
            let message = "The specified disk has not been attached on the specified instance.";
            Err(Refusal::denied("DependencyViolation", message))
        }
    }
}

pub(crate) fn incorrect_status(expected: &str) -> Refusal {
    let message = format!(
        "The current disk status does not support this operation. The expected disk status is {expected}."
    );
    Refusal::denied("IncorrectDiskStatus", message)
}
