//! TagResources and its kin.

use serde_json::{Value, json};

use crate::actions::{Outcome, Work, fields};
use crate::cloud::tags::Tags;
use crate::error::Refusal;
use crate::wire::answer::Fields;
use crate::words::{DiskId, SnapshotId};

/// Resources one request may name.
const MOST_RESOURCES: usize = 50;

/// What is tagged.
#[derive(Clone, Debug)]
enum Resource {
    Disk(DiskId),
    Snapshot(SnapshotId),
}

pub(crate) fn tag(work: &mut Work<'_>) -> Outcome {
    work.check_region()?;
    let resources = resources(work)?;
    add_to_all(work, &resources)
}

/// The older action, which names one resource.
pub(crate) fn add(work: &mut Work<'_>) -> Outcome {
    work.check_region()?;
    let resource = one_resource(work)?;
    add_to_all(work, &[resource])
}

fn add_to_all(work: &mut Work<'_>, resources: &[Resource]) -> Outcome {
    let tags = Tags::read(&work.parameters.tags())?;
    if tags.0.is_empty() {
        return Err(Refusal::missing_parameter("Tag.1.Key"));
    }
    for resource in resources {
        tags_of(work, resource)?.add(&tags)?;
    }
    Ok(Fields::new())
}

pub(crate) fn untag(work: &mut Work<'_>) -> Outcome {
    work.check_region()?;
    let keys: Vec<String> = owned(&work.parameters.numbered("TagKey"));
    let all = work.parameters.flag("All")?.unwrap_or(false) && keys.is_empty();
    if keys.is_empty() && !all {
        return Err(Refusal::missing_parameter("TagKey.1"));
    }
    for resource in resources(work)? {
        let tags = tags_of(work, &resource)?;
        tags.0.retain(|key, _| !all && !keys.contains(key));
    }
    Ok(Fields::new())
}

/// The older action, which names one resource and whole tags.
pub(crate) fn remove(work: &mut Work<'_>) -> Outcome {
    work.check_region()?;
    let resource = one_resource(work)?;
    let keys: Vec<String> = work
        .parameters
        .tags()
        .iter()
        .map(|(key, _)| (*key).to_owned())
        .collect();
    tags_of(work, &resource)?
        .0
        .retain(|key, _| !keys.contains(key));
    Ok(Fields::new())
}

pub(crate) fn list(work: &mut Work<'_>) -> Outcome {
    work.check_region()?;
    let kind = resource_type(work)?.to_owned();
    let ids = work.parameters.numbered("ResourceId");
    let wanted = work.parameters.tags();
    let tagged: Vec<(&str, &Tags)> = match kind.as_str() {
        "disk" => work
            .cloud
            .disks
            .values()
            .map(|disk| (disk.id.as_str(), &disk.tags))
            .collect(),
        _ => work
            .cloud
            .snapshots
            .values()
            .map(|it| (it.id.as_str(), &it.tags))
            .collect(),
    };
    let chosen = tagged
        .into_iter()
        .filter(|(id, tags)| (ids.is_empty() || ids.contains(id)) && tags.contain(&wanted));
    let shown: Vec<Value> = chosen
        .flat_map(|(id, tags)| tags.0.iter().map(move |(key, value)| (id, key, value)))
        .map(|(id, key, value)| {
            json!({ "ResourceId": id, "ResourceType": kind, "TagKey": key, "TagValue": value })
        })
        .collect();
    Ok(fields([
        ("NextToken", Value::from("")),
        ("TagResources", json!({ "TagResource": shown })),
    ]))
}

fn resource_type<'a>(work: &'a Work<'_>) -> Result<&'a str, Refusal> {
    let kind = work.parameters.required("ResourceType")?;
    if ["disk", "snapshot"].contains(&kind) {
        return Ok(kind);
    }
    let message = "The specified ResourceType is not supported.";
    Err(Refusal::bad("InvalidResourceType.NotSupported", message))
}

fn resources(work: &Work<'_>) -> Result<Vec<Resource>, Refusal> {
    let kind = resource_type(work)?;
    let ids = work.parameters.numbered("ResourceId");
    if ids.is_empty() {
        return Err(Refusal::missing_parameter("ResourceId.1"));
    }
    if ids.len() > MOST_RESOURCES {
        return Err(Refusal::invalid_parameter("ResourceId"));
    }
    ids.into_iter().map(|id| find(work, kind, id)).collect()
}

fn one_resource(work: &Work<'_>) -> Result<Resource, Refusal> {
    let kind = resource_type(work)?;
    find(work, kind, work.parameters.required("ResourceId")?)
}

fn find(work: &Work<'_>, kind: &str, id: &str) -> Result<Resource, Refusal> {
    let (disk, snapshot) = (DiskId::from(id), SnapshotId::from(id));
    if kind == "disk" && work.cloud.disks.contains_key(&disk) {
        return Ok(Resource::Disk(disk));
    }
    if kind == "snapshot" && work.cloud.snapshots.contains_key(&snapshot) {
        return Ok(Resource::Snapshot(snapshot));
    }
    let message = "The specified ResourceId is not found in our records.";
    Err(Refusal::missing("InvalidResourceId.NotFound", message))
}

fn tags_of<'a>(work: &'a mut Work<'_>, resource: &Resource) -> Result<&'a mut Tags, Refusal> {
    match resource {
        Resource::Disk(id) => work.cloud.change_disk(id).map(|disk| &mut disk.tags),
        Resource::Snapshot(id) => {
            let before = work.cloud.snapshot(id)?.clone();
            work.cloud
                .earlier_snapshots
                .insert(id.clone(), Some(before));
            let snapshot = work.cloud.snapshots.get_mut(id);
            let snapshot = snapshot.ok_or_else(|| Refusal::invalid_parameter("ResourceId"))?;
            Ok(&mut snapshot.tags)
        }
    }
}

fn owned(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}
