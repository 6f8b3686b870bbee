//! CreateSnapshot, DescribeSnapshots, DeleteSnapshot.

use std::collections::BTreeMap;

use jiff::SignedDuration;
use serde_json::{Value, json};

use crate::actions::list::{Limits, Page};
use crate::actions::show::time;
use crate::actions::{Outcome, View, Work, fields};
use crate::chance;
use crate::cloud::disk::{Disk, Making, Usage};
use crate::cloud::knobs::{DeleteMissing, Fate, Permission};
use crate::cloud::snapshot::{Progress, Snapshot};
use crate::cloud::tags::Tags;
use crate::cloud::transition::Transition;
use crate::error::Refusal;
use crate::wire::answer::Fields;
use crate::words::SnapshotId;

const LIMITS: Limits = Limits {
    least_results: 10,
    most_results: 100,
    most_per_page: 100,
};

/// Snapshots a disk may have, and ids one request may name.
const MOST_PER_DISK: usize = 256;
const MOST_IDS: usize = 100;

pub(crate) fn create(work: &mut Work<'_>) -> Outcome {
    work.check_region_if_sent()?;
    let disk = work.cloud.disk(&work.disk_id()?)?.clone();
    check_disk(work, &disk)?;
    let snapshot = design(work, &disk)?;
    let id = snapshot.id.clone();
    work.cloud.earlier_snapshots.insert(id.clone(), None);
    work.cloud.snapshots.insert(id.clone(), snapshot);
    work.begun.push(Transition::Cut(id.clone()));
    Ok(fields([("SnapshotId", Value::from(id.as_str()))]))
}

pub(super) fn check_disk(work: &Work<'_>, disk: &Disk) -> Result<(), Refusal> {
    if disk.usage == Usage::System || disk.category.is_ephemeral() {
        let message = "Snapshots of this disk are not supported.";
        let code = "DiskCategory.OperationNotSupported";
        return Err(Refusal::bad(code, message));
    }
    if disk.making == Making::Underway {
        let message = "The current disk status does not support this operation.";
        return Err(Refusal::denied("IncorrectDiskStatus", message));
    }
    let never = disk.first_instance.is_none();
    if never && work.cloud.knobs.snapshot_of_never_attached == Permission::Refused {
        let message = "The disk has never been attached to any instance.";
        let code = "IncorrectDiskStatus.NeverAttached";
        return Err(Refusal::denied(code, message));
    }
    if work.cloud.has_snapshot_in_progress(&disk.id) {
        let message = "A previous snapshot creation is in process.";
        let code = "IncorrectDiskStatus.CreatingSnapshot";
        return Err(Refusal::denied(code, message));
    }
    let snapshots = work.cloud.snapshots.values();
    if snapshots
        .filter(|snapshot| snapshot.source == disk.id)
        .count()
        >= MOST_PER_DISK
    {
        let message = "The snapshot quota of the disk is exceeded.";
        return Err(Refusal::denied("QuotaExceed.Snapshot", message));
    }
    Ok(())
}

fn design(work: &mut Work<'_>, disk: &Disk) -> Result<Snapshot, Refusal> {
    let parameters = work.parameters;
    let name = parameters.owned("SnapshotName").unwrap_or_default();
    check_name(&name)?;
    let retention_days = parameters.number::<u32>("RetentionDays")?;
    if retention_days.is_some_and(|days| !(1..=65536).contains(&days)) {
        let message = "The specified RetentionDays is not valid.";
        return Err(Refusal::bad("InvalidRetentionDays.Malformed", message));
    }
    Ok(Snapshot {
        id: SnapshotId::from(chance::id("s")),
        sequence: work.cloud.next(),
        name,
        description: parameters.owned("Description").unwrap_or_default(),
        source: disk.id.clone(),
        size: disk.size,
        progress: Progress::Progressing,
        fate: Fate::Succeed,
        cut: None,
        changed: work.now,
        encrypted: disk.encrypted,
        kms_key: disk.kms_key.clone(),
        retention_days,
        resource_group: work.check_resource_group()?,
        tags: Tags::read(&parameters.tags())?,
    })
}

/// Names that begin with `auto` are the cloud's own.
fn check_name(name: &str) -> Result<(), Refusal> {
    let length = name.chars().count();
    let begins = name.chars().next().is_none_or(char::is_alphabetic);
    let reserved = ["auto", "http://", "https://"];
    let reserved = reserved.iter().any(|prefix| name.starts_with(prefix));
    if length == 1 || length > 128 || !begins || reserved {
        let message = "The specified parameter \"SnapshotName\" is not valid.";
        return Err(Refusal::bad("InvalidSnapshotName.Malformed", message));
    }
    Ok(())
}

pub(crate) fn describe(work: &mut Work<'_>) -> Outcome {
    work.check_region()?;
    let ids = work.parameters.array("SnapshotIds")?;
    if ids.as_ref().is_some_and(|ids| ids.len() > MOST_IDS) {
        let message = "The amount of specified snapshot Ids exceeds the limit.";
        return Err(Refusal::bad("InvalidSnapshotIds.Malformed", message));
    }
    let mut snapshots = visible(work);
    snapshots.retain(|snapshot| {
        let named = |ids: &Vec<String>| ids.iter().any(|id| id == snapshot.id.as_str());
        ids.as_ref().is_none_or(named) && matches(work, snapshot)
    });
    let page = Page::cut(
        snapshots,
        |snapshot| snapshot.sequence,
        work.parameters,
        LIMITS,
    )?;
    Ok(page.shown("Snapshots", "Snapshot", |snapshot| shown(work, snapshot)))
}

fn visible(work: &Work<'_>) -> Vec<Snapshot> {
    let mut snapshots = BTreeMap::clone(&work.cloud.snapshots);
    if work.view == View::Stale {
        for (id, earlier) in work.cloud.earlier_snapshots.clone() {
            match earlier {
                Some(snapshot) => snapshots.insert(id, snapshot),
                None => snapshots.remove(&id),
            };
        }
    }
    snapshots.into_values().collect()
}

fn matches(work: &Work<'_>, snapshot: &Snapshot) -> bool {
    let is = |name: &str, own: &str| {
        let wanted = work.parameters.text(name);
        wanted.is_none_or(|wanted| wanted == own)
    };
    let status = work.parameters.text("Status");
    is("DiskId", snapshot.source.as_str())
        && is("SnapshotName", &snapshot.name)
        && is("ResourceGroupId", &snapshot.resource_group)
        && status.is_none_or(|status| status == "all" || status == snapshot.status())
        && snapshot.tags.contain(&work.parameters.tags())
}

fn shown(work: &Work<'_>, snapshot: &Snapshot) -> Value {
    let ready = snapshot.is_usable();
    json!({
        "SnapshotId": snapshot.id,
        "SnapshotSN": snapshot.id,
        "SnapshotName": snapshot.name,
        "Description": snapshot.description,
        "SourceDiskId": snapshot.source,
        // A string in the schema, unlike a disk's own size.
        "SourceDiskSize": snapshot.size.0.to_string(),
        "SourceDiskType": "data",
        "SnapshotType": "user",
        "Status": snapshot.status(),
        "Progress": if ready { "100%" } else { "0%" },
        "Available": ready,
        "CreationTime": snapshot.cut.map(time).unwrap_or_default(),
        "LastModifiedTime": time(snapshot.changed),
        "Encrypted": snapshot.encrypted,
        "KMSKeyId": snapshot.kms_key.clone().unwrap_or_default(),
        "RetentionDays": snapshot.retention_days.unwrap_or(0),
        "RemainTime": remaining_seconds(work, snapshot),
        "InstantAccess": false,
        "Usage": if has_disks(work, &snapshot.id) { "disk" } else { "none" },
        "ResourceGroupId": snapshot.resource_group,
        "ProductCode": "",
        "Tags": snapshot.tags.shown(),
    })
}

fn remaining_seconds(work: &Work<'_>, snapshot: &Snapshot) -> i64 {
    let days = i64::from(snapshot.retention_days.unwrap_or(0));
    let kept = SignedDuration::from_hours(24 * days);
    let left = kept - work.now.duration_since(snapshot.cut.unwrap_or(work.now));
    left.as_secs().max(0)
}

fn has_disks(work: &Work<'_>, id: &SnapshotId) -> bool {
    let mut disks = work.cloud.disks.values();
    disks.any(|disk| disk.source.as_ref() == Some(id))
}

pub(crate) fn delete(work: &mut Work<'_>) -> Outcome {
    work.check_region_if_sent()?;
    let id = SnapshotId::from(work.parameters.required("SnapshotId")?);
    let force = work.parameters.flag("Force")?.unwrap_or(false);
    let snapshot = match work.cloud.snapshot(&id) {
        Ok(snapshot) => snapshot.clone(),
        Err(_) if work.cloud.knobs.delete_missing == DeleteMissing::Ignore => {
            return Ok(Fields::new());
        }
        Err(refusal) => return Err(refusal),
    };
    if has_disks(work, &id) && !force {
        let message = "The snapshot has been used to create disks.";
        return Err(Refusal::denied("SnapshotCreatedDisk", message));
    }
    remove(work, &snapshot)?;
    Ok(Fields::new())
}

pub(super) fn remove(work: &mut Work<'_>, snapshot: &Snapshot) -> Result<(), Refusal> {
    let id = &snapshot.id;
    work.files.remove_snapshot(id)?;
    work.cloud
        .earlier_snapshots
        .insert(id.clone(), Some(snapshot.clone()));
    work.cloud.snapshots.remove(id);
    Ok(())
}
