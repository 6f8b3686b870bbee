//! How many disks instances take, by their types.
//!
//! ECS counts all disks of an instance, the system disk among them.

use drivebay_guest::exports::attach_limit::TypeLimit;
use drivebay_guest::json::Json;
use drivebay_guest::prelude::*;

use crate::api_request::{Action, Call};
use crate::disk::{Disk, has_tag, read_list};
use crate::ecs::Ecs;
use crate::instance::document;
use crate::tags;

/// Each instance has one.
const SYSTEM_DISKS: u64 = 1;

/// The type of the instance this runs on; the metadata service asks for no key.
#[inline(never)]
pub(crate) fn instance_type(ecs: Ecs<'_>) -> Result<String, Error> {
    Ok(document(ecs.cloud)?.instance_type.into())
}

/// What the type takes, less what is attached and was not made here: the system disk, and disks of the operator.
#[inline(never)]
pub(crate) fn of_this_instance(ecs: Ecs<'_>) -> Result<u32, Error> {
    let document = document(ecs.cloud)?;
    let name = document.instance_type;
    let call = Call::new(
        Action::DescribeInstanceTypes,
        format!("instance type {name}"),
    );
    let json = ecs.call_in_region(call.with("InstanceTypes.1", name))?;
    let mut types = types(json).filter(|(found, _)| *found == name);
    let Some((_, all)) = types.next() else {
        bail!(FailedPrecondition: "ECS does not say how many disks instance type {name} takes");
    };
    let call = Call::new(Action::DescribeDisks, format!("disks of {}", document.id));
    let call = call
        .with("InstanceId", document.id.as_str())
        .with_number("MaxResults", 100);
    let attached = read_list(ecs.call_in_region(call)?)?;
    let others = attached.iter().filter(|disk| !is_ours(disk)).count();
    Ok(left(all, u64::try_from(others).unwrap_or(u64::MAX)))
}

/// What all types of the region take beside their system disk.
#[inline(never)]
pub(crate) fn of_all_types(ecs: Ecs<'_>) -> Result<Vec<TypeLimit>, Error> {
    let mut limits = Vec::new();
    let mut next: Option<&str> = None;
    loop {
        let call = Call::new(Action::DescribeInstanceTypes, "instance types")
            .with_number("MaxResults", 100)
            .with_some("NextToken", next);
        let json = ecs.call_in_region(call)?;
        limits.extend(types(json).map(|(name, all)| TypeLimit {
            instance_type: name.into(),
            max_volumes: left(all, SYSTEM_DISKS),
        }));
        let following = json.some_text("NextToken");
        if following.is_none() || following == next {
            return Ok(limits);
        }
        next = following;
    }
}

fn types(json: &'static Json) -> impl Iterator<Item = (&'static str, u64)> {
    let types = json.list("InstanceTypes", "InstanceType").iter();
    types.filter_map(|one| {
        Some((
            one.some_text("InstanceTypeId")?,
            one.number("DiskQuantity")?,
        ))
    })
}

/// 0 would say that there is no limit.
fn left(all: u64, others: u64) -> u32 {
    u32::try_from(all.saturating_sub(others))
        .unwrap_or(u32::MAX)
        .max(1)
}

fn is_ours(disk: &Disk) -> bool {
    has_tag(disk.tags, tags::VOLUME_NAME, None)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fake::{FakeCloud, Fault};

    fn cloud() -> FakeCloud {
        let cloud = FakeCloud::new();
        cloud.grant_metadata("i-5", "worker-5");
        cloud
    }

    #[test]
    fn an_instance_takes_what_its_type_takes_less_disks_that_were_not_made_here() {
        let cloud = cloud();
        let system = cloud.add_disk("cloud_essd", 40);
        let ours = cloud.add_disk("cloud_essd", 20);
        cloud.change(&ours, |disk| {
            disk.tags.push((tags::VOLUME_NAME.into(), "pvc-1".into()))
        });
        for id in [&system, &ours] {
            cloud.attach(id, "i-5");
        }
        let ecs = Ecs { cloud: &cloud };
        assert_eq!(of_this_instance(ecs).expect("a limit"), 16);
        assert_eq!(instance_type(ecs).expect("a type"), "ecs.g7.large");
    }

    #[test]
    fn a_key_that_may_not_ask_is_said_and_no_limit_is_made_up() {
        let cloud = cloud();
        let refuse = Fault::Refuse("Forbidden.RAM");
        cloud.fault(Action::DescribeInstanceTypes, refuse);
        let error = of_this_instance(Ecs { cloud: &cloud }).expect_err("refused");
        assert!(matches!(error, Error::Denied(m) if m.contains("ecs:DescribeInstanceTypes")));
    }

    #[test]
    fn all_types_are_told_with_the_system_disk_taken_off() {
        let limits = of_all_types(Ecs { cloud: &cloud() }).expect("told");
        let told = limits
            .iter()
            .map(|one| (one.instance_type.as_str(), one.max_volumes));
        assert_eq!(told.collect::<Vec<_>>(), [("ecs.g7.large", 16)]);
    }

    #[test]
    fn a_full_instance_still_has_a_limit() {
        assert_eq!((left(17, 1), left(1, 1), left(1, 5)), (16, 1, 1));
    }
}
