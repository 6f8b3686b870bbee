use drivebay_guest::capacity::GIB;
use drivebay_guest::exports::snapshot_listing::Filter;

use super::*;
use crate::fake::{FakeCloud, Fault};
use crate::snapshot::{delete_snapshot, get_snapshot, list_snapshots};

fn create(cloud: &FakeCloud, name: &str, disks: &[&str]) -> Result<GroupSnapshot, Error> {
    create_with(cloud, name, disks, &[])
}

fn create_with(
    cloud: &FakeCloud,
    name: &str,
    disks: &[&str],
    parameters: &[(&str, &str)],
) -> Result<GroupSnapshot, Error> {
    let pair = |(key, value): &(&str, &str)| ((*key).into(), (*value).into());
    let request = CreateRequest {
        name: name.into(),
        source_volume_ids: disks.iter().map(|disk| (*disk).into()).collect(),
        parameters: parameters.iter().map(pair).collect(),
    };
    create_group_snapshot(Ecs { cloud }, &request)
}

fn two_disks(cloud: &FakeCloud) -> [String; 2] {
    [
        cloud.add_disk("cloud_essd", 20),
        cloud.add_disk("cloud_essd", 40),
    ]
}

fn ids(group: &GroupSnapshot) -> Vec<String> {
    let snapshots = group.snapshots.iter();
    snapshots.map(|snapshot| snapshot.id.clone()).collect()
}

fn delete(cloud: &FakeCloud, group: &GroupSnapshot) -> Result<(), Error> {
    delete_group_snapshot(Ecs { cloud }, &group.id, &ids(group))
}

fn get(cloud: &FakeCloud, id: &str, snapshots: &[String]) -> Result<GroupSnapshot, Error> {
    get_group_snapshot(Ecs { cloud }, id, snapshots)
}

#[test]
fn a_group_is_cut_once_whatever_gets_lost() {
    for fault in [
        Fault::Drop,
        Fault::LoseAnswer,
        Fault::Refuse("Throttling"),
        Fault::Refuse("IdempotentProcessing"),
    ] {
        let cloud = FakeCloud::new();
        let [one, other] = two_disks(&cloud);
        cloud.fault(Action::CreateSnapshotGroup, fault);
        let first = create(&cloud, "group", &[&one, &other]).expect("cut");
        let again = create(&cloud, "group", &[&one, &other]).expect("the same");
        assert_eq!(
            (&first.id, ids(&first), first.created_at_seconds),
            (&again.id, ids(&again), again.created_at_seconds)
        );
        assert_eq!((cloud.groups().len(), cloud.snapshots().len()), (1, 2));
    }
}

#[test]
fn each_snapshot_tells_its_disk_its_size_and_its_group() {
    let cloud = FakeCloud::new();
    let [one, other] = two_disks(&cloud);
    let group = create(&cloud, "group", &[&one, &other]).expect("cut");
    let sizes: Vec<_> = group
        .snapshots
        .iter()
        .map(|snapshot| (snapshot.source_volume_id.as_str(), snapshot.size_bytes))
        .collect();
    assert_eq!(sizes, [(one.as_str(), 20 * GIB), (&other, 40 * GIB)]);
    let ecs = Ecs { cloud: &cloud };
    for snapshot in &group.snapshots {
        assert!(snapshot.ready_to_use);
        assert_eq!(snapshot.group_id.as_ref(), Some(&group.id));
        let alone = get_snapshot(ecs, &snapshot.id).expect("there");
        assert_eq!(alone.group_id.as_ref(), Some(&group.id));
        assert_eq!(alone.created_at_seconds, snapshot.created_at_seconds);
    }
    let filter = Filter {
        snapshot_id: None,
        source_volume_id: Some(other),
    };
    let listed = list_snapshots(ecs, &filter, 0, None).expect("a page");
    assert_eq!(listed.snapshots[0].group_id.as_ref(), Some(&group.id));
}

#[test]
fn a_group_that_shows_only_a_part_is_waited_for() {
    let cloud = FakeCloud::new();
    let [one, other] = two_disks(&cloud);
    cloud.lag(3);
    let group = create(&cloud, "group", &[&one, &other]).expect("cut");
    assert_eq!(group.snapshots.len(), 2);
    assert!(cloud.count(Action::DescribeSnapshotGroups) > 3);
}

#[test]
fn a_lagging_description_makes_no_second_group() {
    let cloud = FakeCloud::new();
    let [one, other] = two_disks(&cloud);
    create(&cloud, "group", &[&one, &other]).expect("cut");
    cloud.fault(Action::DescribeSnapshotGroups, Fault::Stale);
    create(&cloud, "group", &[&one, &other]).expect("the same");
    assert_eq!(cloud.groups().len(), 1);
}

#[test]
fn a_name_taken_by_a_group_of_other_disks_is_refused() {
    let cloud = FakeCloud::new();
    let [one, other] = two_disks(&cloud);
    let third = cloud.add_disk("cloud_essd", 20);
    create(&cloud, "group", &[&one, &other]).expect("cut");
    for disks in [
        &[one.as_str()][..],
        &[&one, &third],
        &[&one, &other, &third],
    ] {
        let refused = create(&cloud, "group", disks);
        assert!(matches!(refused, Err(Error::AlreadyExists(_))), "{disks:?}");
        // ECS notices by its token, also before the first one is described.
        cloud.fault(Action::DescribeSnapshotGroups, Fault::Stale);
        let refused = create(&cloud, "group", disks);
        assert!(matches!(refused, Err(Error::AlreadyExists(_))), "{disks:?}");
    }
    assert_eq!(cloud.groups().len(), 1);
}

#[test]
fn what_was_cut_of_a_group_that_failed_is_removed_and_the_next_try_succeeds() {
    for polls in [0, 2] {
        let cloud = FakeCloud::new();
        let [one, other] = two_disks(&cloud);
        cloud.fail_group(polls);
        let failed = create(&cloud, "group", &[&one, &other]);
        assert!(matches!(failed, Err(Error::Unavailable(_))), "{failed:?}");
        assert_eq!((cloud.groups().len(), cloud.snapshots().len()), (0, 0));
        create(&cloud, "group", &[&one, &other]).expect("cut");
        assert_eq!((cloud.groups().len(), cloud.snapshots().len()), (1, 2));
    }
}

#[test]
fn a_group_that_failed_after_its_caller_had_gone_is_removed_by_the_next() {
    let cloud = FakeCloud::new();
    let [one, other] = two_disks(&cloud);
    cloud.fail_group(1);
    cloud.deadline_in(100);
    assert!(create(&cloud, "group", &[&one, &other]).is_err());
    cloud.deadline_in(u64::MAX);
    assert!(create(&cloud, "group", &[&one, &other]).is_err());
    create(&cloud, "group", &[&one, &other]).expect("cut");
    assert_eq!((cloud.groups().len(), cloud.snapshots().len()), (1, 2));
}

#[test]
fn disks_that_cannot_be_cut_together_and_disks_that_are_not_there_are_told_apart() {
    let cloud = FakeCloud::new();
    let essd = cloud.add_disk("cloud_essd", 20);
    let ssd = cloud.add_disk("cloud_ssd", 20);
    let refused = create(&cloud, "group", &[&essd, &ssd]);
    assert!(matches!(refused, Err(Error::FailedPrecondition(m)) if m.contains("ESSD")));
    for missing in ["d-gone", "fake"] {
        let refused = create(&cloud, "group", &[&essd, missing]);
        assert!(matches!(refused, Err(Error::NotFound(_))), "{missing}");
    }
    assert!(cloud.groups().is_empty());
}

#[test]
fn tags_and_names_are_passed_on() {
    let cloud = FakeCloud::new();
    let [one, other] = two_disks(&cloud);
    let parameters = [("snapshotTags/a", "b"), ("resourceGroupId", "rg-1")];
    create_with(&cloud, "group", &[&one, &other], &parameters).expect("cut");
    let sent = cloud.last(Action::CreateSnapshotGroup);
    for pair in [
        ("DiskId.1", one.as_str()),
        ("DiskId.2", &other),
        ("Name", "group"),
        ("ResourceGroupId", "rg-1"),
        ("Tag.1.Key", tags::GROUP_SNAPSHOT_NAME),
        ("Tag.4.Key", "a"),
        ("Tag.4.Value", "b"),
        ("RegionId", "cn-test"),
    ] {
        assert!(sent.contains(&(pair.0.into(), pair.1.into())), "{pair:?}");
    }
}

#[test]
fn a_group_goes_with_its_snapshots_and_twice_is_once() {
    for fault in [Fault::LoseAnswer, Fault::Drop, Fault::Refuse("Throttling")] {
        let cloud = FakeCloud::new();
        let [one, other] = two_disks(&cloud);
        let group = create(&cloud, "group", &[&one, &other]).expect("cut");
        cloud.fault(Action::DeleteSnapshotGroup, fault);
        delete(&cloud, &group).expect("deleted");
        delete(&cloud, &group).expect("still deleted");
        assert_eq!((cloud.groups().len(), cloud.snapshots().len()), (0, 0));
    }
}

#[test]
fn a_group_that_is_described_late_is_deleted_all_the_same() {
    let cloud = FakeCloud::new();
    let [one, other] = two_disks(&cloud);
    let group = create(&cloud, "group", &[&one, &other]).expect("cut");
    cloud.fault(Action::DescribeSnapshotGroups, Fault::Stale);
    delete(&cloud, &group).expect("deleted");
    assert!(cloud.groups().is_empty());
}

#[test]
fn a_snapshot_that_an_image_was_made_from_is_named_until_it_can_go() {
    let cloud = FakeCloud::new();
    let [one, other] = two_disks(&cloud);
    let group = create(&cloud, "group", &[&one, &other]).expect("cut");
    let kept = group.snapshots[1].id.clone();
    cloud.make_image(&kept);
    for _ in 0..2 {
        let refused = delete(&cloud, &group);
        let is_named = matches!(&refused, Err(Error::FailedPrecondition(m)) if m.contains(&kept));
        assert!(is_named, "{refused:?}");
        assert_eq!((cloud.groups().len(), cloud.snapshots().len()), (0, 1));
    }
    cloud.delete_images();
    delete(&cloud, &group).expect("deleted");
    assert!(cloud.snapshots().is_empty());
}

#[test]
fn snapshots_that_are_not_the_groups_are_refused_and_nothing_is_deleted() {
    let cloud = FakeCloud::new();
    let [one, other] = two_disks(&cloud);
    let group = create(&cloud, "group", &[&one, &other]).expect("cut");
    let stranger = create(&cloud, "another", &[&one]).expect("cut");
    let own = ids(&group);
    let foreign = stranger.snapshots[0].id.clone();
    for wrong in [
        vec![],
        vec![own[0].clone()],
        vec![own[0].clone(), foreign.clone()],
        vec![own[0].clone(), own[1].clone(), foreign],
        vec![own[0].clone(), own[1].clone(), "nonsense".into()],
    ] {
        let ecs = Ecs { cloud: &cloud };
        let refused = delete_group_snapshot(ecs, &group.id, &wrong);
        assert!(
            matches!(refused, Err(Error::InvalidArgument(_))),
            "{wrong:?}"
        );
        let refused = get(&cloud, &group.id, &wrong);
        assert!(
            matches!(refused, Err(Error::InvalidArgument(_))),
            "{wrong:?}"
        );
    }
    assert_eq!((cloud.groups().len(), cloud.snapshots().len()), (2, 3));
}

#[test]
fn a_snapshot_that_somebody_deleted_may_still_be_named() {
    let cloud = FakeCloud::new();
    let [one, other] = two_disks(&cloud);
    let group = create(&cloud, "group", &[&one, &other]).expect("cut");
    cloud.delete_snapshot(&group.snapshots[0].id);
    let left = get(&cloud, &group.id, &ids(&group)).expect("there");
    assert_eq!(ids(&left), [group.snapshots[1].id.clone()]);
    delete(&cloud, &group).expect("deleted");
    assert!(cloud.snapshots().is_empty());
}

#[test]
fn a_snapshot_of_a_group_is_not_deleted_alone() {
    let cloud = FakeCloud::new();
    let [one, other] = two_disks(&cloud);
    let group = create(&cloud, "group", &[&one, &other]).expect("cut");
    let ecs = Ecs { cloud: &cloud };
    let refused = delete_snapshot(ecs, &group.snapshots[0].id);
    assert!(matches!(refused, Err(Error::InvalidArgument(m)) if m.contains(&group.id)));
    assert_eq!(cloud.snapshots().len(), 2);
}

#[test]
fn a_snapshot_whose_group_is_gone_is_deleted_alone() {
    let cloud = FakeCloud::new();
    let [one, other] = two_disks(&cloud);
    let group = create(&cloud, "group", &[&one, &other]).expect("cut");
    let kept = &group.snapshots[0].id;
    cloud.make_image(kept);
    assert!(delete(&cloud, &group).is_err());
    cloud.delete_images();
    delete_snapshot(Ecs { cloud: &cloud }, kept).expect("deleted");
    assert!(cloud.snapshots().is_empty());
}

#[test]
fn what_is_no_group_is_not_found_and_deleted_already() {
    let cloud = FakeCloud::new();
    for id in ["ssg-gone", "fake", "s-1", ""] {
        assert!(
            matches!(get(&cloud, id, &[]), Err(Error::NotFound(_))),
            "{id}"
        );
        delete_group_snapshot(Ecs { cloud: &cloud }, id, &[]).expect("nothing to do");
    }
}
