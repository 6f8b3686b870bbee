//! Disks are tied to nodes and untied.
//!
//! AttachDisk and DetachDisk take no token, answer before anything has happened, and descriptions lag behind them: see
//! `Ecs::reconcile`.

use drivebay_guest::log::Level;
use drivebay_guest::parameters::{Count, Word};
use drivebay_guest::prelude::*;

use crate::api_request::{Action, Call};
use crate::disk::{Disk, MultiAttach, Status};
use crate::ecs::{Api, Ecs, Step};
use crate::id::{DiskId, InstanceId};
use crate::instance;
use crate::parameter_names;

/// In the publish context: how the node recognises the disk. The name is the CSI driver's.
pub(crate) const SERIAL: Word = Word::new("serialNumber");

/// In the publish context: how large the disk was when it was attached.
pub(crate) const SIZE: Count = Count::new("sizeBytes");

/// What to do when another node has the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum FromOthers {
    /// It may be writing: a disk that is torn off loses what was not written yet.
    Never,
    /// The volume's owner asked for it.
    Take,
}

/// Attach, wait until it is so, and tell how to recognise the disk.
#[inline(never)]
pub(crate) fn attach_volume(
    ecs: Ecs<'_>,
    volume: &Volume,
    node_id: &str,
) -> Result<Parameters, Error> {
    let id = DiskId::of(volume)?;
    let from_others = match Params(&volume.context).get(parameter_names::DETACH_FROM_OTHER_NODE)? {
        Some(true) => FromOthers::Take,
        Some(false) | None => FromOthers::Never,
    };
    // Before the node, so that a volume that does not exist is the first thing said.
    let mut disk = ecs.existing_disk(id)?;
    let node = instance::of_node(ecs.cloud, node_id)?;
    let (mut is_first, mut is_said) = (true, false);
    ecs.reconcile(&mut || {
        if !is_first {
            disk = ecs.existing_disk(id)?;
        }
        is_first = false;
        let step = to_attach(&disk, node, from_others)?;
        if let Step::Ask(call) = &step
            && call.action == Action::DetachDisk
            && !is_said
        {
            is_said = true;
            let subject = &call.subject;
            let line = format!(
                "detaching {subject}, which did not ask for it: {node} does, and detachFromOtherNode is set"
            );
            ecs.host().note(Level::Warn, &line);
        }
        Ok(step)
    })?;
    Ok(publish_context(&disk))
}

/// Detach from one node, or from all where the id is empty, and wait until it is so.
#[inline(never)]
pub(crate) fn detach_volume(ecs: Ecs<'_>, volume: &Volume, node_id: &str) -> Result<(), Error> {
    // What cannot be named cannot be called detached either: it may well be attached.
    let id = DiskId::of(volume).map_err(|error| {
        let Error::NotFound(reason) = error else {
            return error;
        };
        error!(FailedPrecondition: "cannot tell which disk to detach: {reason}")
    })?;
    ecs.reconcile(&mut || match ecs.disk(id)? {
        None => Ok(Step::Done),
        Some(disk) => to_detach(ecs, &disk, node_id),
    })
}

/// Whether the disk is attached to the node.
#[inline(never)]
pub(crate) fn is_attached(ecs: Ecs<'_>, volume: &Volume, node_id: &str) -> Result<bool, Error> {
    let Some(disk) = ecs.disk(DiskId::of(volume)?)? else {
        return Ok(false);
    };
    if disk.nodes.is_empty() {
        return Ok(false);
    }
    Ok(disk.is_attached_to(instance::of_node(ecs.cloud, node_id)?))
}

/// The list of attachments decides, and the status says whether it is about to change.
fn to_attach(disk: &Disk, node: InstanceId<'_>, from_others: FromOthers) -> Result<Step, Error> {
    match (disk.status, disk.nodes.first(), disk.multi_attach) {
        (Status::Creating | Status::Attaching | Status::Detaching | Status::Other(_), ..) => {
            Ok(wait(disk))
        }
        _ if disk.is_attached_to(node) => Ok(Step::Done),
        (Status::Available | Status::InUse, _, MultiAttach::Enabled)
        | (Status::Available, None, MultiAttach::Disabled) => {
            Ok(Step::Ask(attach_call(disk, node)))
        }
        // The two halves of the description are of different moments.
        (Status::InUse, None, MultiAttach::Disabled)
        | (Status::Available, Some(_), MultiAttach::Disabled) => Ok(wait(disk)),
        (Status::InUse, Some(other), MultiAttach::Disabled) => match from_others {
            FromOthers::Take => Ok(Step::Ask(detach_call(disk, *other))),
            FromOthers::Never => Err(
                error!(FailedPrecondition: "disk {} cannot be attached to {node}: it is attached \
                to {}; it has to be detached there first, or the volume's parameter detachFromOtherNode set to true",
                disk.id, disk.node_names()),
            ),
        },
    }
}

fn to_detach(ecs: Ecs<'_>, disk: &Disk, node_id: &str) -> Result<Step, Error> {
    let is_moving = matches!(disk.status, Status::Attaching | Status::Detaching);
    let Some(first) = disk.nodes.first() else {
        // While it is being attached ECS does not say to whom; it may be the very node.
        return Ok(if is_moving { wait(disk) } else { Step::Done });
    };
    let node = match node_id {
        "" => *first,
        name => instance::of_node(ecs.cloud, name)?,
    };
    if disk.is_attached_to(node) {
        return Ok(if is_moving {
            wait(disk)
        } else {
            Step::Ask(detach_call(disk, node))
        });
    }
    let may_become_so =
        disk.status == Status::Attaching && disk.multi_attach == MultiAttach::Enabled;
    Ok(if may_become_so {
        wait(disk)
    } else {
        Step::Done
    })
}

fn wait(disk: &Disk) -> Step {
    Step::Wait(format!(
        "disk {} is {}; ask again",
        disk.id,
        disk.status.name()
    ))
}

fn attach_call(disk: &Disk, node: InstanceId<'_>) -> Call {
    let subject = format!("disk {} to {node}", disk.id);
    of_both(Call::new(Action::AttachDisk, subject), disk, node)
}

fn detach_call(disk: &Disk, node: InstanceId<'_>) -> Call {
    let subject = format!("disk {} from {node}", disk.id);
    of_both(Call::new(Action::DetachDisk, subject), disk, node)
}

fn of_both(call: Call, disk: &Disk, node: InstanceId<'_>) -> Call {
    // Such a disk ends with its instance, whether attached or not, and ECS wants that said each time.
    call.with("DiskId", disk.id.as_str())
        .with("InstanceId", node.as_str())
        .with_some("DeleteWithInstance", disk.is_ephemeral().then_some("true"))
}

fn publish_context(disk: &Disk) -> Parameters {
    vec![
        (SERIAL.into(), disk.serial().into()),
        (SIZE.into(), disk.bytes().to_string()),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fake::{FakeCloud, Fault};

    fn volume(id: &str, context: &[(&str, &str)]) -> Volume {
        let owned = |(key, value): &(&str, &str)| ((*key).into(), (*value).into());
        Volume {
            id: id.into(),
            context: context.iter().map(owned).collect(),
            publish_context: Vec::new(),
        }
    }

    fn attach(cloud: &FakeCloud, id: &str, node: &str) -> Result<Parameters, Error> {
        attach_volume(Ecs { cloud }, &volume(id, &[]), node)
    }

    fn detach(cloud: &FakeCloud, id: &str, node: &str) -> Result<(), Error> {
        detach_volume(Ecs { cloud }, &volume(id, &[]), node)
    }

    #[test]
    fn attaching_tells_serial_and_size_and_a_second_time_changes_nothing() {
        let cloud = FakeCloud::new();
        let id = cloud.add_disk("cloud_ssd", 20);
        for _ in 0..2 {
            let context = attach(&cloud, &id, "i-1").expect("attached");
            let serial = id.trim_start_matches("d-");
            assert_eq!(
                context,
                [
                    (SERIAL.into(), serial.into()),
                    (SIZE.into(), "21474836480".into())
                ]
            );
        }
        assert_eq!(cloud.count(Action::AttachDisk), 1);
    }

    #[test]
    fn an_ephemeral_disk_is_said_to_end_with_its_instance_when_it_comes_and_when_it_goes() {
        let cloud = FakeCloud::new();
        let id = cloud.add_disk("elastic_ephemeral_disk_premium", 64);
        attach(&cloud, &id, "i-1").expect("attached");
        detach(&cloud, &id, "i-1").expect("detached");
        assert!(cloud.disk(&id).expect("a disk").nodes.is_empty());
    }

    #[test]
    fn a_disk_elsewhere_is_left_there_and_the_node_is_named() {
        let cloud = FakeCloud::new();
        let id = cloud.add_disk("cloud_ssd", 20);
        cloud.attach(&id, "i-2");
        let error = attach(&cloud, &id, "i-1").expect_err("elsewhere");
        assert!(matches!(error, Error::FailedPrecondition(m) if m.contains("i-2")));
        assert_eq!(cloud.count(Action::DetachDisk), 0);
    }

    #[test]
    fn a_disk_elsewhere_is_taken_only_where_the_volume_says_so_and_aloud() {
        let cloud = FakeCloud::new();
        let id = cloud.add_disk("cloud_ssd", 20);
        cloud.attach(&id, "i-2");
        let volume = volume(&id, &[("detachFromOtherNode", "true")]);
        attach_volume(Ecs { cloud: &cloud }, &volume, "i-1").expect("taken");
        assert_eq!(cloud.disk(&id).expect("a disk").nodes, ["i-1"]);
        assert!(cloud.notes().iter().any(|line| line.contains("from i-2")));
    }

    #[test]
    fn a_shared_disk_is_attached_to_one_more() {
        let cloud = FakeCloud::new();
        let id = cloud.add_disk("cloud_essd", 20);
        cloud.change(&id, |disk| disk.multi_attach = true);
        attach(&cloud, &id, "i-1").expect("one");
        attach(&cloud, &id, "i-2").expect("another");
        detach(&cloud, &id, "i-1").expect("one less");
        assert_eq!(cloud.disk(&id).expect("a disk").nodes, ["i-2"]);
        detach(&cloud, &id, "").expect("none");
        assert!(cloud.disk(&id).expect("a disk").nodes.is_empty());
    }

    #[test]
    fn what_gets_lost_shows_in_the_next_look() {
        for fault in [
            Fault::Drop,
            Fault::LoseAnswer,
            Fault::Refuse("OperationConflict"),
            Fault::Refuse("IncorrectDiskStatus"),
        ] {
            let cloud = FakeCloud::new();
            let id = cloud.add_disk("cloud_ssd", 20);
            cloud.fault(Action::AttachDisk, fault);
            attach(&cloud, &id, "i-1").expect("attached");
            cloud.fault(Action::DetachDisk, fault);
            detach(&cloud, &id, "i-1").expect("detached");
            assert!(cloud.disk(&id).expect("a disk").nodes.is_empty());
        }
    }

    #[test]
    fn an_accepted_call_is_not_repeated_while_descriptions_lag() {
        let cloud = FakeCloud::new();
        let id = cloud.add_disk("cloud_ssd", 20);
        cloud.lag(4);
        attach(&cloud, &id, "i-1").expect("attached");
        detach(&cloud, &id, "i-1").expect("detached");
        let counts = (
            cloud.count(Action::AttachDisk),
            cloud.count(Action::DetachDisk),
        );
        assert_eq!(counts, (1, 1));
    }

    #[test]
    fn a_node_that_is_full_exhausts_and_a_missing_one_is_not_found() {
        let cloud = FakeCloud::new();
        let id = cloud.add_disk("cloud_ssd", 20);
        cloud.fault(
            Action::AttachDisk,
            Fault::Refuse("InstanceDiskLimitExceeded"),
        );
        assert!(matches!(
            attach(&cloud, &id, "i-1"),
            Err(Error::Exhausted(_))
        ));
        cloud.fault(
            Action::AttachDisk,
            Fault::Refuse("InvalidInstanceId.NotFound"),
        );
        assert!(matches!(
            attach(&cloud, &id, "i-1"),
            Err(Error::NotFound(_))
        ));
    }

    #[test]
    fn what_takes_too_long_is_in_progress_and_the_next_call_joins_in() {
        let cloud = FakeCloud::new();
        let id = cloud.add_disk("cloud_ssd", 20);
        cloud.lag(10);
        cloud.deadline_in(3000);
        assert!(matches!(
            attach(&cloud, &id, "i-1"),
            Err(Error::InProgress(_))
        ));
        cloud.deadline_in(u64::MAX);
        attach(&cloud, &id, "i-1").expect("attached");
        assert_eq!(cloud.disk(&id).expect("a disk").nodes, ["i-1"]);
    }

    #[test]
    fn detaching_what_is_not_attached_there_is_success() {
        let cloud = FakeCloud::new();
        let id = cloud.add_disk("cloud_ssd", 20);
        detach(&cloud, &id, "some-host").expect("attached to nobody");
        detach(&cloud, "d-gone", "i-1").expect("no such disk");
        cloud.attach(&id, "i-2");
        detach(&cloud, &id, "i-1").expect("attached to another");
        assert_eq!(cloud.disk(&id).expect("a disk").nodes, ["i-2"]);
    }

    #[test]
    fn a_volume_that_names_no_disk_is_never_called_detached() {
        let cloud = FakeCloud::new();
        let error = detach(&cloud, "pv-data", "i-1").expect_err("which disk?");
        assert!(matches!(error, Error::FailedPrecondition(m) if m.contains("volumeId")));
    }

    #[test]
    fn whether_a_disk_is_attached_is_asked_for_one_node() {
        let cloud = FakeCloud::new();
        let id = cloud.add_disk("cloud_ssd", 20);
        let asked = |node: &str| {
            is_attached(Ecs { cloud: &cloud }, &volume(&id, &[]), node).expect("an answer")
        };
        assert!(!asked("i-1") && !asked("some-host"));
        cloud.attach(&id, "i-1");
        assert!(asked("i-1") && asked("cn-test.i-1") && !asked("i-2"));
    }

    #[test]
    fn a_missing_volume_is_said_before_a_missing_node() {
        let cloud = FakeCloud::new();
        for id in ["fake-vol-id", "d-gone"] {
            assert!(
                matches!(attach(&cloud, id, "fake-node"), Err(Error::NotFound(m)) if m.contains(id))
            );
        }
    }
}
