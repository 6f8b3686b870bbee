//! Tags of disks that exist are set and taken away. Both calls say what should be: twice is the same as once.

use drivebay_guest::prelude::*;

use crate::api_request::{Action, Call};
use crate::disk::{Disk, has_tag};
use crate::ecs::{Ecs, Reached};
use crate::tags::Tag;

/// Have these tags on a disk.
pub(crate) fn set(ecs: Ecs<'_>, disk: &Disk, wanted: &[Tag]) -> Result<Reached, Error> {
    let is_there = |(key, value): &Tag| has_tag(disk.tags, key, Some(value));
    if wanted.iter().all(is_there) {
        return Ok(Reached::Already);
    }
    ecs.call_in_region(call(Action::TagResources, disk).with_tags(wanted))?;
    Ok(Reached::Now)
}

/// Have no tags with these keys on a disk.
pub(crate) fn remove(ecs: Ecs<'_>, disk: &Disk, unwanted: &[&str]) -> Result<Reached, Error> {
    if !unwanted.iter().any(|key| has_tag(disk.tags, key, None)) {
        return Ok(Reached::Already);
    }
    ecs.call_in_region(call(Action::UntagResources, disk).with_numbered("TagKey", unwanted))?;
    Ok(Reached::Now)
}

fn call(action: Action, disk: &Disk) -> Call {
    Call::new(action, format!("disk {}", disk.id))
        .with("ResourceType", "disk")
        .with("ResourceId.1", disk.id.as_str())
}
