//! Disks grow.

use drivebay_guest::prelude::*;

use crate::api_request::{Action, Call};
use crate::disk::{Disk, Status};
use crate::ecs::{Api, Ecs, Step};
use crate::id::DiskId;
use crate::size;

/// Make the disk large enough; returns its size in bytes.
///
/// Without a token, though ECS takes one: the new size says all, ECS refuses what is no growth, and a remembered
/// refusal would be repeated long after its reason is gone.
#[inline(never)]
pub(crate) fn expand_volume(
    ecs: Ecs<'_>,
    volume: &Volume,
    capacity: &CapacityRange,
) -> Result<u64, Error> {
    let id = DiskId::of(volume)?;
    let mut bytes = 0;
    ecs.reconcile(&mut || {
        let disk = ecs.existing_disk(id)?;
        bytes = disk.bytes();
        let size = size::to_grow(capacity, disk.gib, disk.kind())?;
        Ok(size.map_or(Step::Done, |gib| Step::Ask(resize_call(&disk, gib))))
    })?;
    Ok(bytes)
}

fn resize_call(disk: &Disk, gib: u64) -> Call {
    // Online, the node sees the new size at once; ECS takes that for disks in use only.
    let how = match disk.status {
        Status::InUse => "online",
        Status::Creating
        | Status::Available
        | Status::Attaching
        | Status::Detaching
        | Status::Other(_) => "offline",
    };
    Call::new(Action::ResizeDisk, format!("disk {} to {gib} GiB", disk.id))
        .with("DiskId", disk.id.as_str())
        .with_number("NewSize", gib)
        .with("Type", how)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fake::{FakeCloud, Fault};
    use drivebay_guest::capacity::GIB;

    fn expand(cloud: &FakeCloud, id: &str, gib: u64) -> Result<u64, Error> {
        let volume = Volume {
            id: id.into(),
            context: Vec::new(),
            publish_context: Vec::new(),
        };
        let capacity = CapacityRange {
            required_bytes: Some(gib * GIB),
            limit_bytes: None,
        };
        expand_volume(Ecs { cloud }, &volume, &capacity)
    }

    #[test]
    fn a_disk_grows_online_where_it_is_in_use() {
        let cloud = FakeCloud::new();
        let id = cloud.add_disk("cloud_ssd", 20);
        assert_eq!(expand(&cloud, &id, 30).expect("grown"), 30 * GIB);
        assert!(
            cloud
                .last(Action::ResizeDisk)
                .contains(&("Type".into(), "offline".into()))
        );
        cloud.attach(&id, "i-1");
        assert_eq!(expand(&cloud, &id, 40).expect("grown"), 40 * GIB);
        assert!(
            cloud
                .last(Action::ResizeDisk)
                .contains(&("Type".into(), "online".into()))
        );
    }

    #[test]
    fn a_disk_large_enough_is_left_alone() {
        let cloud = FakeCloud::new();
        let id = cloud.add_disk("cloud_ssd", 20);
        assert_eq!(expand(&cloud, &id, 10).expect("there"), 20 * GIB);
        assert_eq!(cloud.count(Action::ResizeDisk), 0);
    }

    #[test]
    fn lost_answers_and_running_orders_are_waited_out() {
        for fault in [
            Fault::Drop,
            Fault::LoseAnswer,
            Fault::Refuse("LastOrderProcessing"),
        ] {
            let cloud = FakeCloud::new();
            let id = cloud.add_disk("cloud_ssd", 20);
            cloud.fault(Action::ResizeDisk, fault);
            assert_eq!(expand(&cloud, &id, 30).expect("grown"), 30 * GIB);
        }
    }

    #[test]
    fn a_lagging_description_ends_well() {
        let cloud = FakeCloud::new();
        let id = cloud.add_disk("cloud_ssd", 20);
        cloud.fault(Action::ResizeDisk, Fault::LoseAnswer);
        cloud.lag(3);
        assert_eq!(expand(&cloud, &id, 30).expect("grown"), 30 * GIB);
    }

    /// Somebody else's order shows in the refusal before it shows in the description.
    #[test]
    fn a_refusal_of_what_is_no_growth_is_a_reason_to_look_again() {
        for code in ["InvalidDiskSize", "InvalidDiskSize.TooSmall"] {
            let cloud = FakeCloud::new();
            let id = cloud.add_disk("cloud_ssd", 20);
            cloud.fault(Action::ResizeDisk, Fault::Refuse(code));
            assert_eq!(expand(&cloud, &id, 30).expect("grown"), 30 * GIB, "{code}");
        }
    }

    #[test]
    fn an_order_that_does_not_end_is_in_progress() {
        let cloud = FakeCloud::new();
        let id = cloud.add_disk("cloud_ssd", 20);
        for _ in 0..20 {
            cloud.fault(Action::ResizeDisk, Fault::Refuse("LastOrderProcessing"));
        }
        cloud.deadline_in(5000);
        assert!(matches!(expand(&cloud, &id, 30), Err(Error::InProgress(_))));
    }

    #[test]
    fn a_size_that_the_disk_has_already_is_not_called_impossible_while_that_does_not_show() {
        let cloud = FakeCloud::new();
        let id = cloud.add_disk("cloud_ssd", 20);
        for _ in 0..20 {
            let code = "InvalidDiskSize.TooSmall";
            cloud.fault(Action::ResizeDisk, Fault::Refuse(code));
        }
        cloud.deadline_in(5000);
        assert!(matches!(expand(&cloud, &id, 30), Err(Error::InProgress(_))));
    }

    #[test]
    fn missing_disks_and_stopped_instances_are_told_apart() {
        let cloud = FakeCloud::new();
        assert!(matches!(
            expand(&cloud, "d-gone", 30),
            Err(Error::NotFound(_))
        ));
        let id = cloud.add_disk("cloud_ssd", 20);
        cloud.fault(
            Action::ResizeDisk,
            Fault::Refuse("InvalidInstanceStatus.NotRunning"),
        );
        assert!(
            matches!(expand(&cloud, &id, 30), Err(Error::FailedPrecondition(m)) if m.contains("start"))
        );
    }
}
