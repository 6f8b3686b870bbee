//! Disks as DescribeDisks shows them.

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use crate::cloud::Cloud;
use crate::cloud::disk::{Attachment, Disk, Phase, Sharing, Status, Usage};

/// A time the way the API writes it, to the second.
pub(crate) fn time(time: Timestamp) -> String {
    time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// When pay-as-you-go resources expire.
const NEVER: &str = "2999-09-08T16:00Z";

pub(crate) fn disk(cloud: &Cloud, disk: &Disk) -> Value {
    let mut shown = what_it_is(cloud, disk);
    shown.append(&mut where_it_is(disk));
    Value::Object(shown)
}

fn what_it_is(cloud: &Cloud, disk: &Disk) -> Map<String, Value> {
    let usage = match disk.usage {
        Usage::System => "system",
        Usage::Data => "data",
    };
    let zone = disk
        .zone
        .as_ref()
        .map(ToString::to_string)
        .unwrap_or_default();
    let source = disk
        .source
        .as_ref()
        .map(ToString::to_string)
        .unwrap_or_default();
    super::fields([
        ("DiskId", json!(disk.id)),
        ("SerialNumber", json!(disk.id.serial())),
        ("DiskName", json!(disk.name)),
        ("Description", json!(disk.description)),
        ("RegionId", json!(cloud.region)),
        ("ZoneId", json!(zone)),
        ("Category", json!(disk.category)),
        (
            "PerformanceLevel",
            json!(disk.level.map(|level| level.name()).unwrap_or_default()),
        ),
        ("Size", json!(disk.size)),
        ("Type", json!(usage)),
        ("MultiAttach", json!(disk.sharing.name())),
        ("Encrypted", json!(disk.encrypted)),
        ("KMSKeyId", json!(disk.kms_key.clone().unwrap_or_default())),
        ("SourceSnapshotId", json!(source)),
        ("SourceDiskId", json!("")),
        ("ImageId", json!("")),
        ("ProductCode", json!("")),
        ("ResourceGroupId", json!(disk.resource_group)),
        ("ProvisionedIops", json!(disk.provisioned_iops.unwrap_or(0))),
        ("BurstingEnabled", json!(disk.bursting)),
        ("Tags", disk.tags.shown()),
        (
            "OperationLocks",
            json!({ "OperationLock": disk.locks.iter().map(|reason| json!({ "LockReason": reason })).collect::<Vec<_>>() }),
        ),
        ("Placement", json!({ "ZoneIds": "" })),
        ("DiskChargeType", json!("PostPaid")),
        ("Portable", json!(disk.usage == Usage::Data)),
        ("ExpiredTime", json!(NEVER)),
        ("CreationTime", json!(time(disk.created))),
        ("DeleteAutoSnapshot", json!(true)),
        ("EnableAutoSnapshot", json!(true)),
        ("EnableAutomatedSnapshotPolicy", json!(false)),
        ("AutoSnapshotPolicyId", json!("")),
        ("StorageSetId", json!("")),
    ])
}

fn where_it_is(disk: &Disk) -> Map<String, Value> {
    let status = disk.shown_status();
    let tied = |phase| matches!(phase, Phase::Attached | Phase::Detaching);
    let attachments: Vec<&Attachment> = disk
        .attachments
        .iter()
        .filter(|attachment| tied(attachment.phase))
        .collect();
    // A shared disk's instances are in the list alone.
    let only = match disk.sharing {
        Sharing::Disabled => attachments.first(),
        Sharing::Enabled => None,
    };
    let list: Vec<Value> = attachments
        .iter()
        .map(|attachment| tie(attachment))
        .collect();
    let filled = [Status::InUse, Status::Detaching].contains(&status);
    let only = only.filter(|_| filled);
    let optional = |at: Option<Timestamp>| at.map(time).unwrap_or_default();
    super::fields([
        ("Status", json!(status.name())),
        (
            "InstanceId",
            json!(
                only.map(|only| only.instance.to_string())
                    .unwrap_or_default()
            ),
        ),
        (
            "Device",
            json!(only.map(|only| only.device.clone()).unwrap_or_default()),
        ),
        ("DeleteWithInstance", json!(disk.delete_with_instance)),
        ("AttachedTime", json!(optional(disk.attached))),
        ("DetachedTime", json!(optional(disk.detached))),
        ("MountInstanceNum", json!(list.len())),
        ("MountInstances", json!({ "MountInstance": list.clone() })),
        ("Attachments", json!({ "Attachment": list })),
    ])
}

fn tie(attachment: &Attachment) -> Value {
    json!({
        "InstanceId": attachment.instance,
        "Device": attachment.device,
        "AttachedTime": time(attachment.since),
    })
}
