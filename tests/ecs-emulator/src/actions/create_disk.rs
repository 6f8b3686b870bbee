//! CreateDisk.

use serde_json::Value;

use crate::actions::shape::{self, Extras};
use crate::actions::{Outcome, Work, fields};
use crate::cloud::category::{Category, Level};
use crate::cloud::disk::{Disk, Sharing, Usage};
use crate::cloud::snapshot::Snapshot;
use crate::cloud::tags::Tags;
use crate::cloud::transition::Transition;
use crate::error::Refusal;
use crate::words::{Gib, SnapshotId, ZoneId};

pub(crate) fn perform(work: &mut Work<'_>) -> Outcome {
    work.check_region()?;
    check_quota(work)?;
    let disk = design(work)?;
    let serial = disk.id.serial();
    work.files
        .make_disk(&serial, disk.size, disk.source.as_ref())?;
    let id = disk.id.clone();
    work.cloud.earlier_disks.insert(id.clone(), None);
    work.cloud.history.made(&disk);
    work.cloud.disks.insert(id.clone(), disk);
    work.begun.push(Transition::Create(id.clone()));
    Ok(fields([("DiskId", Value::from(id.as_str()))]))
}

/// The disk as the request describes it, if it may be.
fn design(work: &mut Work<'_>) -> Result<Disk, Refusal> {
    let parameters = work.parameters;
    if parameters.text("InstanceId").is_some() {
        let message = "Subscription disks, which an InstanceId asks for, are not emulated.";
        return Err(Refusal::denied("OperationDenied", message));
    }
    let category = shape::category(parameters)?.unwrap_or(Category::Cloud);
    let zone = zone(work, category)?;
    let level = shape::level(parameters, category)?;
    let snapshot = snapshot(work, category)?;
    let size = size(work, category, level, snapshot.as_ref())?;
    let extras = Extras::read(parameters, category, size)?;
    let sharing = shape::sharing(parameters, category)?;
    if sharing == Sharing::Enabled && extras.bursting {
        let message = "Disks with multi-attach do not burst.";
        let code = "BurstingEnabledForDiskCategoryUnsupported";
        return Err(Refusal::bad(code, message));
    }
    let name = parameters.text("DiskName").unwrap_or_default();
    if !name.is_empty() {
        shape::check_name(name)?;
    }
    let mut disk = Disk::new(category, size, work.cloud.next(), work.now);
    encrypt(work, &mut disk, snapshot.as_ref())?;
    disk.name = name.to_owned();
    disk.description = parameters.owned("Description").unwrap_or_default();
    disk.zone = zone;
    disk.level = level;
    disk.sharing = sharing;
    disk.source = snapshot.map(|snapshot| snapshot.id);
    disk.tags = Tags::read(&parameters.tags())?;
    disk.resource_group = work.check_resource_group()?;
    disk.provisioned_iops = extras.provisioned_iops;
    disk.bursting = extras.bursting;
    Ok(disk)
}

fn check_quota(work: &Work<'_>) -> Result<(), Refusal> {
    let disks = work.cloud.disks.values();
    let count = disks.filter(|disk| disk.usage == Usage::Data).count();
    if work
        .cloud
        .knobs
        .disk_quota
        .is_some_and(|quota| count >= quota)
    {
        let message = "The number of pay-as-you-go disks exceeds the quota.";
        return Err(Refusal::denied("QuotaExceed.PostPaidDisk", message));
    }
    Ok(())
}

/// The disk's zone, which has to have its category; regional disks have none and must not be given one.
fn zone(work: &Work<'_>, category: Category) -> Result<Option<ZoneId>, Refusal> {
    if category == Category::CloudRegionalDiskAuto {
        return match work.parameters.text("ZoneId") {
            None => Ok(None),
            Some(_) => Err(Refusal::invalid_parameter("ZoneId")),
        };
    }
    let id = ZoneId::from(work.parameters.required("ZoneId")?);
    let Some(zone) = work.cloud.zones.get(&id) else {
        let message = "The specified zone does not exist.";
        return Err(Refusal::missing("InvalidZoneId.NotFound", message));
    };
    if zone.lacks.contains(&category) {
        let message = "The specified category of data disk is not supported in this zone.";
        let code = "InvalidDataDiskCategory.NotSupported";
        return Err(Refusal::bad(code, message));
    }
    Ok(Some(id))
}

fn snapshot(work: &Work<'_>, category: Category) -> Result<Option<Snapshot>, Refusal> {
    let Some(id) = work.parameters.text("SnapshotId") else {
        return Ok(None);
    };
    let snapshot = work.cloud.snapshot(&SnapshotId::from(id))?;
    if category.is_ephemeral() {
        let message = "Disks of this category cannot be created from a snapshot.";
        let code = "InvalidOperation.CreateFromSnapshotUnsupported";
        return Err(Refusal::denied(code, message));
    }
    if !snapshot.is_usable() {
        let message = "The specified snapshot has not been completed.";
        return Err(Refusal::denied("InvalidSnapshotId.NotReady", message));
    }
    Ok(Some(snapshot.clone()))
}

/// The size asked for, raised to the snapshot's: a smaller disk could not hold the data.
fn size(
    work: &Work<'_>,
    category: Category,
    level: Option<Level>,
    snapshot: Option<&Snapshot>,
) -> Result<Gib, Refusal> {
    let sent = work.parameters.number::<u64>("Size")?.map(Gib);
    let size = sent.max(snapshot.map(|snapshot| snapshot.size));
    let size = size.ok_or_else(|| Refusal::missing_parameter("Size"))?;
    shape::check_size(category, level, size).map(|()| size)
}

/// Sets how the disk is encrypted. What was cut from an encrypted disk stays encrypted.
fn encrypt(work: &Work<'_>, disk: &mut Disk, snapshot: Option<&Snapshot>) -> Result<(), Refusal> {
    let key = work.parameters.owned("KMSKeyId");
    disk.encrypted = work.parameters.flag("Encrypted")?.unwrap_or(false);
    if key.is_some() && !disk.encrypted {
        let message = "The specified parameter Encrypted must be true when KmsKeyId is set.";
        let code = "InvalidEncrypted.NotMatchKmsKeyId";
        return Err(Refusal::bad(code, message));
    }
    let missing = |key: &String| work.cloud.knobs.missing_kms_keys.contains(key);
    if key.as_ref().is_some_and(missing) {
        let message = "The specified KMSKeyId does not exist.";
        let code = "InvalidParameter.KMSKeyId.NotFound";
        return Err(Refusal::missing(code, message));
    }
    disk.kms_key = key;
    if let Some(snapshot) = snapshot.filter(|snapshot| snapshot.encrypted) {
        disk.encrypted = true;
        disk.kms_key = disk.kms_key.take().or_else(|| snapshot.kms_key.clone());
    }
    Ok(())
}
