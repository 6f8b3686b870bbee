//! Tags of disks that exist are set and taken away.

use crate::bindings::drivebay::driver::types::Error;
use crate::call::{Action, Call};
use crate::disk::{Disk, has_tag};
use crate::ecs::Ecs;
use crate::tags::Tag;

/// Have these tags on a disk, and none with those keys. Both calls say what should be: twice is the same as once.
pub(crate) fn reach(
    ecs: Ecs<'_>,
    disk: &Disk,
    wanted: &[Tag],
    unwanted: &[&str],
) -> Result<(), Error> {
    let call = |action| {
        Call::new(action, format!("disk {}", disk.id))
            .with("ResourceType", "disk")
            .with("ResourceId.1", disk.id.as_str())
    };
    // First: there is room for so many.
    if unwanted.iter().any(|key| has_tag(disk.tags, key, None)) {
        ecs.call_in_region(call(Action::UntagResources).with_numbered("TagKey", unwanted))?;
    }
    let is_missing = |(key, value): &Tag| !has_tag(disk.tags, key, Some(value));
    if wanted.iter().any(is_missing) {
        ecs.call_in_region(call(Action::TagResources).with_tags(wanted))?;
    }
    Ok(())
}
