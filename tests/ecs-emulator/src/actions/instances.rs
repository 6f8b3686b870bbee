//! DescribeInstances and DescribeInstanceTypes.

use serde_json::{Value, json};

use crate::actions::list::{Limits, Page};
use crate::actions::{Outcome, Work, fields, show};
use crate::cloud::Cloud;
use crate::cloud::instance::{Instance, InstanceType};
use crate::words::InstanceTypeId;

const LIMITS: Limits = Limits {
    least_results: 10,
    most_results: 100,
    most_per_page: 100,
};

pub(crate) fn describe(work: &mut Work<'_>) -> Outcome {
    work.check_region()?;
    let ids = work.parameters.array("InstanceIds")?;
    let zone = work.parameters.text("ZoneId");
    let status = work.parameters.text("Status");
    let wanted = |instance: &&Instance| {
        ids.as_ref()
            .is_none_or(|ids| ids.iter().any(|id| id == instance.id.as_str()))
            && zone.is_none_or(|zone| zone == instance.zone.as_str())
            && status.is_none_or(|status| status == instance.status)
    };
    let chosen: Vec<(u64, &Instance)> = (0..)
        .zip(work.cloud.instances.values().filter(wanted))
        .collect();
    let page = Page::cut(chosen, |(order, _)| *order, work.parameters, LIMITS)?;
    Ok(page.shown("Instances", "Instance", |(_, instance)| {
        shown(work.cloud, instance)
    }))
}

fn shown(cloud: &Cloud, instance: &Instance) -> Value {
    let lock = |reason: &String| json!({ "LockReason": reason });
    let locks: Vec<Value> = instance.locks.iter().map(lock).collect();
    json!({
        "InstanceId": instance.id,
        "InstanceName": instance.id,
        "HostName": instance.id.as_str().replace("i-", "iz"),
        "Status": instance.status,
        "RegionId": cloud.region,
        "ZoneId": instance.zone,
        "InstanceType": instance.instance_type,
        "InstanceChargeType": "PostPaid",
        "InstanceNetworkType": "vpc",
        "CreationTime": show::time(instance.created),
        "OperationLocks": { "LockReason": locks },
        "AdditionalInfo": { "EnableHighDensityMode": false },
        "Tags": { "Tag": [] },
    })
}

pub(crate) fn describe_types(work: &mut Work<'_>) -> Outcome {
    let names = work.parameters.numbered("InstanceTypes");
    // Without this, answers have no attributes; the official CSI driver sends it for that.
    let attributes = work.parameters.number::<u32>("MaxResults")?;
    let types = &work.cloud.instance_types;
    let wanted = |(id, _): &(&InstanceTypeId, &InstanceType)| {
        names.is_empty() || names.contains(&id.as_str())
    };
    let mut list = Vec::new();
    for (id, kind) in types.iter().filter(wanted) {
        let mut shown = json!({
            "InstanceTypeId": id,
            "DiskQuantity": kind.disk_quantity,
            "NvmeSupport": kind.nvme.name(),
            "CpuCoreCount": 4,
            "MemorySize": 16.0,
        });
        if attributes.is_some() {
            shown["Attributes"] = attributes_of(kind);
        }
        list.push(shown);
    }
    Ok(fields([
        ("NextToken", Value::from("")),
        ("InstanceTypes", json!({ "InstanceType": list })),
    ]))
}

fn attributes_of(kind: &InstanceType) -> Value {
    let dense = kind
        .dense_disk_quantity
        .map(|quantity| json!({ "Name": "DensityDiskQuantity", "Value": quantity.to_string() }));
    json!({ "Attribute": dense.into_iter().collect::<Vec<Value>>() })
}
