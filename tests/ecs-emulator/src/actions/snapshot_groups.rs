//! CreateSnapshotGroup, DescribeSnapshotGroups, DeleteSnapshotGroup.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use crate::actions::list::{Limits, Page};
use crate::actions::show::time;
use crate::actions::{Outcome, View, Work, fields, shape, snapshots};
use crate::chance;
use crate::cloud::category::Category;
use crate::cloud::disk::{Disk, Sharing};
use crate::cloud::knobs::Fate;
use crate::cloud::snapshot::{Progress, Snapshot};
use crate::cloud::snapshot_group::{SnapshotGroup, Stage};
use crate::cloud::tags::Tags;
use crate::cloud::transition::Transition;
use crate::error::Refusal;
use crate::words::{DiskId, Gib, InstanceId, SnapshotGroupId, SnapshotId};

const LIMITS: Limits = Limits {
    least_results: 1,
    most_results: 100,
    most_per_page: 100,
};

/// Disks of one group and their size, as the vendor's current models have it; 16 and 32 TiB in older pages.
const MOST_DISKS: usize = 128;
const MOST_CAPACITY: Gib = Gib(256 << 10);

/// Ids one request may name.
const MOST_IDS: usize = 10;

pub(crate) fn create(work: &mut Work<'_>) -> Outcome {
    work.check_region()?;
    let disks = chosen(work)?;
    check_together(&disks)?;
    for disk in &disks {
        snapshots::check_disk(work, disk)?;
    }
    let mut group = design(work, &disks)?;
    for (disk, fate) in disks.iter().zip(fates(work, disks.len())) {
        let snapshot = member(work, &group, disk, fate);
        group.members.push(snapshot.id.clone());
        let cloud = &mut work.cloud;
        cloud.earlier_snapshots.insert(snapshot.id.clone(), None);
        cloud.snapshots.insert(snapshot.id.clone(), snapshot);
    }
    let id = group.id.clone();
    work.begun.push(Transition::CutGroup(id.clone()));
    work.cloud.earlier_snapshot_groups.insert(id.clone(), None);
    work.cloud.snapshot_groups.insert(id.clone(), group);
    Ok(fields([("SnapshotGroupId", Value::from(id.as_str()))]))
}

/// The disks that are named, or else all of an instance but those that are left out.
fn chosen(work: &Work<'_>) -> Result<Vec<Disk>, Refusal> {
    let parameters = work.parameters;
    let named = parameters.numbered("DiskId");
    let left_out = parameters.numbered("ExcludeDiskId");
    if !named.is_empty() && !left_out.is_empty() {
        let message = "The use of parameter 'ExcludeDiskIds' and 'DiskIds' at the same time is not supported.";
        let code = "InvalidParam.ExcludeDiskIdsAndDiskIds.Conflict";
        return Err(Refusal::bad(code, message));
    }
    if !named.is_empty() {
        let disk = |id: &&str| work.cloud.disk(&DiskId::from(*id)).cloned();
        return named.iter().map(disk).collect();
    }
    let Some(instance) = parameters.text("InstanceId").map(InstanceId::from) else {
        // Spelled so.
        let message = "The specified InstanceId should not be null.";
        return Err(Refusal::bad("MissingParamter.InstanceId", message));
    };
    work.cloud.instance(&instance)?;
    let is_wanted = |disk: &&Disk| {
        disk.attachment(&instance).is_some() && !left_out.contains(&disk.id.as_str())
    };
    Ok(work
        .cloud
        .disks
        .values()
        .filter(is_wanted)
        .cloned()
        .collect())
}

fn check_together(disks: &[Disk]) -> Result<(), Refusal> {
    if disks.is_empty() {
        let message = "There is no disk mounted on the instance.";
        return Err(Refusal::denied("InvalidInstance.NoDisk", message));
    }
    if disks.len() > MOST_DISKS {
        let message = "The number of all disks in the request exceeds.";
        return Err(Refusal::denied("NumberExceed.TooManyDisks", message));
    }
    let capacity: u64 = disks.iter().map(|disk| disk.size.0).sum();
    if Gib(capacity) > MOST_CAPACITY {
        let message = "The capacity of all disks in the request exceeds.";
        return Err(Refusal::denied("CapacityExceed.TooManyDisks", message));
    }
    let zones: BTreeSet<_> = disks.iter().map(|disk| &disk.zone).collect();
    if zones.len() > 1 {
        let message = "The specified disks are not in the same availability zone.";
        return Err(Refusal::bad("InvalidDiskIds.NotInSameZone", message));
    }
    disks.iter().try_for_each(check_kind)
}

fn check_kind(disk: &Disk) -> Result<(), Refusal> {
    let is_essd = matches!(
        disk.category,
        Category::CloudEssd | Category::CloudAuto | Category::CloudEssdEntry
    );
    if !is_essd {
        let message =
            "The operation is not supported to the specified disk due to its disk category.";
        let code = "DiskCategory.OperationNotSupported";
        return Err(Refusal::bad(code, message));
    }
    match disk.sharing {
        Sharing::Disabled => Ok(()),
        Sharing::Enabled => {
            let message = "Multi attach disk does not support this operation.";
            Err(Refusal::denied("InvalidOperation.MultiAttachDisk", message))
        }
    }
}

fn design(work: &mut Work<'_>, disks: &[Disk]) -> Result<SnapshotGroup, Refusal> {
    let parameters = work.parameters;
    let name = parameters.owned("Name").unwrap_or_default();
    if !name.is_empty() && shape::check_name(&name).is_err() {
        let message = "The specified Name is invalid.";
        return Err(Refusal::bad("InvalidParameter.Name", message));
    }
    Ok(SnapshotGroup {
        id: SnapshotGroupId::from(chance::id("ssg")),
        sequence: work.cloud.next(),
        name,
        description: parameters.owned("Description").unwrap_or_default(),
        instance: common_instance(disks),
        members: Vec::new(),
        cut: None,
        resource_group: work.check_resource_group()?,
        tags: Tags::read(&parameters.tags())?,
    })
}

fn common_instance(disks: &[Disk]) -> Option<InstanceId> {
    let of = |disk: &Disk| disk.attachments.first().map(|it| it.instance.clone());
    let first = of(disks.first()?)?;
    let is_common = disks.iter().all(|disk| of(disk).as_ref() == Some(&first));
    is_common.then_some(first)
}

/// What becomes of each of that many snapshots: a group that fails leaves a part behind, until it is deleted.
fn fates(work: &Work<'_>, count: usize) -> Vec<Fate> {
    let mut fates = vec![Fate::Succeed; count];
    if let Some(last) = fates.last_mut() {
        *last = work.cloud.knobs.snapshot_groups;
    }
    fates
}

/// Its name tells the group it belongs to, as no other field of a snapshot does.
fn member(work: &mut Work<'_>, group: &SnapshotGroup, disk: &Disk, fate: Fate) -> Snapshot {
    let name = format!("Created_from_{}", group.id);
    let mut tags = Tags::default();
    if let Some(attachment) = disk.attachments.first() {
        let instance = attachment.instance.to_string();
        tags.0.insert("acs:ecs:createFrom".to_owned(), instance);
    }
    Snapshot {
        id: SnapshotId::from(chance::id("s")),
        sequence: work.cloud.next(),
        description: name.clone(),
        name,
        source: disk.id.clone(),
        size: disk.size,
        progress: Progress::Progressing,
        fate,
        cut: None,
        changed: work.now,
        encrypted: disk.encrypted,
        kms_key: disk.kms_key.clone(),
        retention_days: None,
        resource_group: group.resource_group.clone(),
        tags,
    }
}

pub(crate) fn describe(work: &mut Work<'_>) -> Outcome {
    work.check_region()?;
    let wanted = work.parameters.numbered("Status");
    let is_known = |status: &&str| Stage::ALL.iter().any(|stage| stage.name() == *status);
    if !wanted.iter().all(is_known) {
        let message = "The specified parameter status is not valid. The expected status is progressing, accomplished or failed.";
        return Err(Refusal::denied("InvalidStatus.ValueNotSupported", message));
    }
    if work.parameters.numbered("SnapshotGroupId").len() > MOST_IDS {
        return Err(Refusal::invalid_parameter("SnapshotGroupId"));
    }
    let mut groups = visible(work);
    groups.retain(|group| matches(work, group));
    let page = Page::cut_by_token(groups, |group| group.sequence, work.parameters, LIMITS)?;
    Ok(
        page.shown_by_token("SnapshotGroups", "SnapshotGroup", |group| {
            shown(work, group)
        }),
    )
}

fn visible(work: &Work<'_>) -> Vec<SnapshotGroup> {
    let mut groups = BTreeMap::clone(&work.cloud.snapshot_groups);
    if work.view == View::Stale {
        for (id, earlier) in work.cloud.earlier_snapshot_groups.clone() {
            match earlier {
                Some(group) => groups.insert(id, group),
                None => groups.remove(&id),
            };
        }
    }
    groups.into_values().collect()
}

fn matches(work: &Work<'_>, group: &SnapshotGroup) -> bool {
    let parameters = work.parameters;
    let among = |name: &str, own: &str| {
        let wanted = parameters.numbered(name);
        wanted.is_empty() || wanted.contains(&own)
    };
    let is = |name: &str, own: &str| {
        let wanted = parameters.text(name);
        wanted.is_none_or(|wanted| wanted == own)
    };
    let instance = group.instance.as_ref().map_or("", InstanceId::as_str);
    among("SnapshotGroupId", group.id.as_str())
        && among("Status", group.stage(work.cloud).name())
        && is("InstanceId", instance)
        && is("Name", &group.name)
        && is("ResourceGroupId", &group.resource_group)
        && group.tags.contain(&parameters.tags())
}

fn shown(work: &Work<'_>, group: &SnapshotGroup) -> Value {
    let members = group.snapshots(work.cloud);
    let instance = group.instance.as_ref().map_or("", InstanceId::as_str);
    json!({
        "SnapshotGroupId": group.id,
        "Status": group.stage(work.cloud).name(),
        "ProgressStatus": "",
        "Name": group.name,
        "Description": group.description,
        "InstanceId": instance,
        "CreationTime": group.cut.map(time).unwrap_or_default(),
        "ResourceGroupId": group.resource_group,
        "Snapshots": { "Snapshot": members.map(shown_member).collect::<Vec<_>>() },
        "Tags": key_and_value(&group.tags),
    })
}

/// Less than a snapshot's own description tells: neither its size nor its moment.
fn shown_member(snapshot: &Snapshot) -> Value {
    let is_ready = snapshot.is_usable();
    json!({
        "SnapshotId": snapshot.id,
        "SourceDiskId": snapshot.source,
        "SourceDiskType": "data",
        "Progress": if is_ready { "100%" } else { "0%" },
        "Available": is_ready,
        "InstantAccess": false,
        "InstantAccessRetentionDays": 0,
        "Tags": key_and_value(&snapshot.tags),
    })
}

/// This description has them so alone, unlike the older ones.
fn key_and_value(tags: &Tags) -> Value {
    let pair = |(key, value): (&String, &String)| json!({ "Key": key, "Value": value });
    json!({ "Tag": tags.0.iter().map(pair).collect::<Vec<_>>() })
}

/// Also with disks made from its snapshots: they have their content.
pub(crate) fn delete(work: &mut Work<'_>) -> Outcome {
    work.check_region()?;
    let id = SnapshotGroupId::from(work.parameters.required("SnapshotGroupId")?);
    let Some(group) = work.cloud.snapshot_groups.remove(&id) else {
        let message = "The SnapshotGroupId provided does not exist in our records.";
        return Err(Refusal::missing("InvalidSnapshotGroup.NotFound", message));
    };
    let mut done = Vec::new();
    for member in &group.members {
        if let Some(snapshot) = work.cloud.snapshots.get(member).cloned() {
            snapshots::remove(work, &snapshot)?;
            done.push(deleted(member));
        }
    }
    work.cloud.earlier_snapshot_groups.insert(id, Some(group));
    let set = json!({ "OperationProgress": done });
    Ok(fields([("OperationProgressSet", set)]))
}

fn deleted(id: &SnapshotId) -> Value {
    json!({
        "OperationStatus": "Success",
        "ErrorCode": "",
        "ErrorMsg": "",
        "RelatedItemSet": { "RelatedItem": [{ "Name": "SnapshotId", "Value": id }] },
    })
}
