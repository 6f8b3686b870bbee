//! DescribeAvailableResource, DescribeRegions and DescribeZones: what can be had where.

use serde_json::{Value, json};

use crate::actions::{Outcome, Work, fields};
use crate::cloud::category::{CATEGORIES, Category};
use crate::cloud::instance::InstanceType;
use crate::cloud::{Cloud, Zone};
use crate::error::Refusal;
use crate::words::{InstanceTypeId, ZoneId};

pub(crate) fn describe(work: &mut Work<'_>) -> Outcome {
    work.check_region()?;
    let wanted = work.parameters.required("DestinationResource")?;
    if !["DataDisk", "SystemDisk"].contains(&wanted) {
        return Err(Refusal::invalid_parameter("DestinationResource"));
    }
    let asked = work.parameters.text("ZoneId");
    let kind = instance_type(work)?;
    let zones: Vec<Value> = match work.parameters.text("Scope") {
        // What is in all zones at once is told in one that has no name.
        Some("region") => {
            let all = resources(&Zone::default(), kind, wanted, Reach::Region);
            vec![shown(work.cloud, &ZoneId::from(""), &all)]
        }
        _ => work
            .cloud
            .zones
            .iter()
            .filter(|(id, _)| asked.is_none_or(|asked| asked == id.as_str()))
            .map(|(id, zone)| {
                let its = resources(zone, kind, wanted, Reach::Zone);
                shown(work.cloud, id, &its)
            })
            .collect(),
    };
    Ok(fields([(
        "AvailableZones",
        json!({ "AvailableZone": zones }),
    )]))
}

fn instance_type<'a>(work: &'a Work<'_>) -> Result<Option<&'a InstanceType>, Refusal> {
    let Some(name) = work.parameters.text("InstanceType") else {
        return Ok(None);
    };
    let kind = work.cloud.instance_types.get(&InstanceTypeId::from(name));
    kind.map(Some).ok_or_else(|| {
        let message = "The specified InstanceType does not exist.";
        Refusal::bad("InvalidInstanceType.ValueNotSupported", message)
    })
}

/// Where disks of a category can be attached.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Reach {
    Zone,
    Region,
}

impl Reach {
    fn of(category: Category) -> Self {
        if category == Category::CloudRegionalDiskAuto {
            Self::Region
        } else {
            Self::Zone
        }
    }
}

/// All categories of that reach that the zone has and the instance type takes.
fn resources(zone: &Zone, kind: Option<&InstanceType>, wanted: &str, reach: Reach) -> Value {
    let available = |category: &Category| {
        Reach::of(*category) == reach
            && !zone.lacks.contains(category)
            && kind.is_none_or(|kind| !kind.lacks.contains(category))
    };
    let one = |category: Category| {
        let sizes = category.sizes(None);
        json!({
            "Value": category,
            "Status": "Available",
            "StatusCategory": "WithStock",
            "Min": sizes.start(),
            "Max": sizes.end(),
            "Unit": "GiB",
        })
    };
    let list: Vec<Value> = CATEGORIES.into_iter().filter(available).map(one).collect();
    json!({ "AvailableResource": [{
        "Type": wanted,
        "SupportedResources": { "SupportedResource": list },
    }] })
}

fn shown(cloud: &Cloud, id: &ZoneId, resources: &Value) -> Value {
    json!({
        "ZoneId": id,
        "RegionId": cloud.region,
        "Status": "Available",
        "StatusCategory": "WithStock",
        "AvailableResources": resources,
    })
}

pub(crate) fn describe_regions(work: &mut Work<'_>) -> Outcome {
    let region = &work.cloud.region;
    let shown = json!({
        "RegionId": region,
        "LocalName": region,
        "RegionEndpoint": format!("ecs.{region}.aliyuncs.com"),
        "Status": "available",
    });
    Ok(fields([("Regions", json!({ "Region": [shown] }))]))
}

pub(crate) fn describe_zones(work: &mut Work<'_>) -> Outcome {
    work.check_region()?;
    let verbose = work.parameters.flag("Verbose")?.unwrap_or(true);
    let types: Vec<&InstanceTypeId> = work.cloud.instance_types.keys().collect();
    let shown = |(id, zone): (&ZoneId, &Zone)| {
        let mut shown = json!({ "ZoneId": id, "LocalName": id, "ZoneType": "AvailabilityZone" });
        if verbose {
            let on_sale = |category: &Category| !zone.lacks.contains(category);
            let categories: Vec<Category> = CATEGORIES.into_iter().filter(on_sale).collect();
            shown["AvailableDiskCategories"] = json!({ "DiskCategories": categories });
            shown["AvailableInstanceTypes"] = json!({ "InstanceTypes": types });
            let kinds = [
                "VSwitch",
                "IoOptimized",
                "Instance",
                "DedicatedHost",
                "Disk",
            ];
            shown["AvailableResourceCreation"] = json!({ "ResourceTypes": kinds });
        }
        shown
    };
    let zones: Vec<Value> = work.cloud.zones.iter().map(shown).collect();
    Ok(fields([("Zones", json!({ "Zone": zones }))]))
}
