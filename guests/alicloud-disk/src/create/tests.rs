//! One disk for each name, whatever gets lost.

use drivebay_guest::capacity::GIB;
use drivebay_guest::prelude::*;

use super::*;
use crate::fake::{self, FakeCloud, Fault, node};
use crate::zone;

fn request(name: &str, gib: u64, parameters: &[(&str, &str)]) -> CreateRequest {
    fake::request(name, gib, parameters, vec![zone::place("cn-test-a")])
}

fn create(cloud: &FakeCloud, request: &CreateRequest) -> Result<VolumeInfo, Error> {
    create_volume(Ecs { cloud }, request)
}

const TWO: [(&str, &str); 2] = [
    ("type", "cloud_essd,cloud_efficiency"),
    ("performanceLevel", "PL1"),
];

#[test]
fn a_disk_is_made_as_asked_for() {
    let cloud = FakeCloud::new();
    let parameters = [
        ("type", "cloud_auto"),
        ("provisionedIops", "100"),
        ("burstingEnabled", "true"),
        ("mkfsOptions", "-m 0"),
    ];
    let info = create(&cloud, &request("pvc-1", 20, &parameters)).expect("made");
    let disk = &cloud.disks()[0];
    assert_eq!((disk.iops, disk.bursting, disk.gib), (100, true, 20));
    assert_eq!(
        (info.capacity_bytes, &info.accessible_topology),
        (20 * GIB, &vec![zone::place("cn-test-a")])
    );
    let context = [
        ("volumeId".into(), disk.id.clone()),
        ("mkfsOptions".into(), "-m 0".into()),
    ];
    assert_eq!(info.context, context);
    let sent = cloud.last(Action::CreateDisk);
    assert!(sent.contains(&("DiskName".into(), "pvc-1".into())));
}

#[test]
fn whatever_gets_lost_there_is_one_disk() {
    let faults = [
        (Action::CreateDisk, Fault::Drop),
        (Action::CreateDisk, Fault::LoseAnswer),
        (Action::CreateDisk, Fault::Refuse("InternalError")),
        (Action::CreateDisk, Fault::Refuse("ServiceUnavailable")),
        (Action::CreateDisk, Fault::Refuse("Throttling")),
        (Action::CreateDisk, Fault::Refuse("LastTokenProcessing")),
        (Action::DescribeDisks, Fault::Drop),
        (Action::DescribeDisks, Fault::Stale),
    ];
    for (action, fault) in faults {
        let cloud = FakeCloud::new();
        cloud.fault(action, fault);
        let first = create(&cloud, &request("pvc-1", 20, &TWO)).expect("made");
        cloud.fault(action, fault);
        let second = create(&cloud, &request("pvc-1", 20, &TWO)).expect("found");
        assert_eq!((first.id, cloud.disks().len()), (second.id, 1), "{fault:?}");
    }
}

#[test]
fn an_answer_that_stays_lost_ends_the_call_and_not_in_another_category() {
    let cloud = FakeCloud::new();
    for _ in 0..6 {
        cloud.fault(Action::CreateDisk, Fault::LoseAnswer);
    }
    let error = create(&cloud, &request("pvc-1", 20, &TWO));
    assert!(matches!(error, Err(Error::Unavailable(_))));
    // The next call does not find it yet, and is told by its token.
    cloud.fault(Action::DescribeDisks, Fault::Stale);
    create(&cloud, &request("pvc-1", 20, &TWO)).expect("found");
    let disks = cloud.disks();
    assert_eq!((disks.len(), disks[0].category.as_str()), (1, "cloud_essd"));
}

#[test]
fn how_far_a_disk_is_and_whether_it_has_a_twin_is_one_question() {
    let cloud = FakeCloud::new();
    create(&cloud, &request("pvc-1", 20, &TWO)).expect("made");
    // Whether there is one, and twice how far it is: the fake's are on their way for one look.
    let asked = cloud.all(Action::DescribeDisks);
    assert_eq!((asked.len(), cloud.count(Action::CreateDisk)), (3, 1));
    let by_name = |query: &Vec<(String, String)>| query.iter().any(|(key, _)| key == "Tag.1.Key");
    assert!(asked.iter().all(by_name), "{asked:?}");
    create(&cloud, &request("pvc-1", 20, &TWO)).expect("found");
    assert_eq!(cloud.count(Action::DescribeDisks), 4);
}

#[test]
fn a_disk_that_searches_do_not_show_yet_is_found_by_its_id_and_not_made_again() {
    let cloud = FakeCloud::new();
    cloud.hide_from_searches();
    create(&cloud, &request("pvc-1", 20, &TWO)).expect("made");
    assert_eq!(cloud.count(Action::CreateDisk), 1);
    assert_eq!(cloud.disks().len(), 1);
}

#[test]
fn an_older_disk_on_its_way_is_waited_for_before_the_younger_one_goes() {
    let cloud = FakeCloud::new();
    create(&cloud, &request("pvc-1", 20, &TWO)).expect("made");
    let first = cloud.disks()[0].id.clone();
    cloud.forget_tokens();
    cloud.fault(Action::DescribeDisks, Fault::Stale);
    cloud.stays_creating(&first, 3);
    let kept = create(&cloud, &request("pvc-1", 20, &TWO)).expect("found");
    assert_eq!((kept.id, cloud.disks().len()), (first, 1));
}

#[test]
fn a_refused_category_leads_to_the_next_and_a_retry_finds_that_disk() {
    let cloud = FakeCloud::new();
    cloud.fault(
        Action::CreateDisk,
        Fault::Refuse("InvalidDataDiskCategory.NotSupported"),
    );
    let first = create(&cloud, &request("pvc-1", 20, &TWO)).expect("made");
    let second = create(&cloud, &request("pvc-1", 20, &TWO)).expect("found");
    assert_eq!((first.id, cloud.disks().len()), (second.id, 1));
    assert_eq!(cloud.disks()[0].category, "cloud_efficiency");
}

#[test]
fn a_disk_that_lags_while_stock_comes_back_is_not_kept_twice() {
    let cloud = FakeCloud::new();
    cloud.fault(
        Action::CreateDisk,
        Fault::Refuse("InvalidDataDiskCategory.NotSupported"),
    );
    let first = create(&cloud, &request("pvc-1", 20, &TWO)).expect("made");
    cloud.fault(Action::DescribeDisks, Fault::Stale);
    let second = create(&cloud, &request("pvc-1", 20, &TWO)).expect("found");
    assert_eq!((&first.id, cloud.disks().len()), (&second.id, 1));
    assert!(
        cloud
            .notes()
            .iter()
            .any(|line| line.contains("it was deleted again"))
    );
}

#[test]
fn a_forgotten_token_makes_no_second_disk() {
    let cloud = FakeCloud::new();
    create(&cloud, &request("pvc-1", 20, &TWO)).expect("made");
    cloud.forget_tokens();
    create(&cloud, &request("pvc-1", 20, &TWO)).expect("found");
    // Not even while descriptions lag: the younger one never was attached, and goes.
    cloud.forget_tokens();
    cloud.fault(Action::DescribeDisks, Fault::Stale);
    create(&cloud, &request("pvc-1", 20, &TWO)).expect("found");
    assert_eq!(cloud.disks().len(), 1);
}

#[test]
fn a_name_can_be_used_again_after_its_disk_was_deleted() {
    let cloud = FakeCloud::new();
    let first = create(&cloud, &request("pvc-1", 20, &TWO))
        .expect("made")
        .id;
    cloud.delete_disk(&first);
    let second = create(&cloud, &request("pvc-1", 20, &TWO))
        .expect("made anew")
        .id;
    assert_ne!(first, second);
    assert_eq!(
        create(&cloud, &request("pvc-1", 20, &TWO))
            .expect("found")
            .id,
        second
    );
    cloud.delete_disk(&second);
    create(&cloud, &request("pvc-1", 20, &TWO)).expect("made a third time");
    assert_eq!(cloud.disks().len(), 1);
}

#[test]
fn a_token_used_up_by_a_failed_try_with_other_words_is_got_over() {
    let cloud = FakeCloud::new();
    let disk = create(&cloud, &request("pvc-1", 20, &TWO))
        .expect("made")
        .id;
    cloud.delete_disk(&disk);
    // ECS remembers 20 GiB.
    create(&cloud, &request("pvc-1", 30, &TWO)).expect("made with 30");
    assert_eq!((cloud.disks().len(), cloud.disks()[0].gib), (1, 30));
}

#[test]
fn a_name_taken_by_other_properties_is_refused_with_what_differs() {
    let cloud = FakeCloud::new();
    create(&cloud, &request("pvc-1", 20, &TWO)).expect("made");
    for (gib, parameters, what) in [
        (30, &TWO[..], "size is 20 GiB"),
        (
            20,
            &[("type", "cloud_ssd")][..],
            "category is cloud_essd PL1",
        ),
        (20, &[TWO[0], ("encrypted", "true")][..], "encryption"),
        (20, &[TWO[0], ("multiAttach", "true")][..], "multiAttach"),
    ] {
        let error = create(&cloud, &request("pvc-1", gib, parameters)).expect_err(what);
        assert!(
            matches!(&error, Error::AlreadyExists(m) if m.contains(what)),
            "{error:?}"
        );
    }
    // ECS notices by its token, also before the disk is described.
    cloud.fault(Action::DescribeDisks, Fault::Stale);
    let error = create(&cloud, &request("pvc-1", 30, &TWO));
    assert!(matches!(error, Err(Error::AlreadyExists(_))));
    assert_eq!(cloud.disks().len(), 1);
}

#[test]
fn a_deadline_in_the_middle_is_in_progress_and_the_next_call_joins_in() {
    let cloud = FakeCloud::new();
    cloud.lag(3);
    cloud.deadline_in(300);
    assert!(matches!(
        create(&cloud, &request("pvc-1", 20, &TWO)),
        Err(Error::InProgress(_))
    ));
    cloud.deadline_in(u64::MAX);
    create(&cloud, &request("pvc-1", 20, &TWO)).expect("found");
    assert_eq!(cloud.disks().len(), 1);
}

#[test]
fn no_way_to_make_it_tells_size_from_stock() {
    let cloud = FakeCloud::new();
    let error = create(&cloud, &request("pvc-1", 5, &TWO));
    assert!(matches!(error, Err(Error::OutOfRange(m)) if m.contains("at least 20 GiB")));
    assert_eq!(cloud.count(Action::CreateDisk), 0);
    for code in ["Zone.NotOnSale", "InvalidDataDiskCategory.NotSupported"] {
        cloud.fault(Action::CreateDisk, Fault::Refuse(code));
    }
    assert!(matches!(
        create(&cloud, &request("pvc-1", 20, &TWO)),
        Err(Error::Exhausted(_))
    ));
}

#[test]
fn a_final_refusal_tries_nothing_else() {
    let cloud = FakeCloud::new();
    cloud.fault(
        Action::CreateDisk,
        Fault::Refuse("QuotaExceed.PostPaidDisk"),
    );
    assert!(matches!(
        create(&cloud, &request("pvc-1", 20, &TWO)),
        Err(Error::Exhausted(_))
    ));
    cloud.fault(Action::CreateDisk, Fault::Refuse("Forbidden.RAM"));
    assert!(matches!(
        create(&cloud, &request("pvc-1", 20, &TWO)),
        Err(Error::Denied(_))
    ));
    assert_eq!(cloud.count(Action::CreateDisk), 2);
}

#[test]
fn a_small_size_is_rounded_up_where_the_class_says_so() {
    let cloud = FakeCloud::new();
    let parameters = [("volumeSizeAutoAvailable", "true"), TWO[0]];
    let info = create(&cloud, &request("pvc-1", 5, &parameters)).expect("made");
    assert_eq!(info.capacity_bytes, 20 * GIB);
}

#[test]
fn without_any_zone_it_is_the_nodes_own_or_an_explanation() {
    let cloud = FakeCloud::new();
    let anywhere = CreateRequest {
        accessibility_requirements: Vec::new(),
        ..request("pvc-1", 20, &TWO)
    };
    let error = create(&cloud, &anywhere);
    assert!(matches!(error, Err(Error::InvalidArgument(m)) if m.contains("WaitForFirstConsumer")));
    cloud.grant_metadata("i-1", "host");
    create(&cloud, &anywhere).expect("made");
    assert_eq!(cloud.disks()[0].zone, "cn-test-a");
}

#[test]
fn a_disk_starts_with_a_snapshot_if_there_is_one() {
    let cloud = FakeCloud::new();
    let disk = cloud.add_disk("cloud_essd", 40);
    let snapshot = drivebay_guest::exports::snapshots::CreateRequest {
        name: "snap".into(),
        source_volume_id: disk,
        parameters: Vec::new(),
    };
    let snapshot = crate::snapshot::create_snapshot(Ecs { cloud: &cloud }, &snapshot)
        .expect("cut")
        .id;
    let from = |source| CreateRequest {
        source_snapshot_id: Some(source),
        ..request("pvc-1", 20, &TWO)
    };
    let info = create(&cloud, &from(snapshot.clone())).expect("made");
    assert!(matches!(info.source, Some(VolumeSource::Snapshot(id)) if id == snapshot));
    assert_eq!(info.capacity_bytes, 40 * GIB);
    let without = create(&cloud, &request("pvc-1", 20, &TWO));
    assert!(matches!(without, Err(Error::AlreadyExists(m)) if m.contains("source")));
    for missing in ["s-gone", "fake"] {
        let missing = CreateRequest {
            name: "pvc-2".into(),
            ..from(missing.into())
        };
        assert!(matches!(create(&cloud, &missing), Err(Error::NotFound(_))));
    }
}

#[test]
fn a_long_name_and_a_strange_one_get_a_disk() {
    let cloud = FakeCloud::new();
    for name in ["x".repeat(128), "1 é*+~".into()] {
        create(&cloud, &request(&name, 20, &TWO)).expect("made");
    }
    assert_eq!(
        (disk_name("1 é"), disk_name("a"), disk_name("pvc-1")),
        (None, None, Some("pvc-1"))
    );
}

#[test]
fn the_first_category_that_the_chosen_node_takes_is_made() {
    let cloud = FakeCloud::new();
    let mut request = request("pvc-1", 20, &TWO);
    request.accessibility_requirements = vec![
        node("cn-test-a", "i-1", &["cloud_efficiency"]),
        node("cn-test-a", "i-2", &["cloud_essd"]),
    ];
    let info = create(&cloud, &request).expect("made");
    assert_eq!(cloud.disks()[0].category, "cloud_efficiency");
    assert_eq!(info.accessible_topology, [zone::place("cn-test-a")]);
    request.name = "pvc-2".into();
    request.accessibility_requirements = vec![node("cn-test-a", "i-3", &["cloud_ssd"])];
    let error = create(&cloud, &request).expect_err("no category is left");
    assert!(matches!(error, Error::Exhausted(m) if m.contains("i-3")));
    assert_eq!(cloud.disks().len(), 1);
}

#[test]
fn an_ephemeral_disk_belongs_to_the_chosen_instance_from_the_first_answer_on() {
    let cloud = FakeCloud::new();
    let class = [("type", "elastic_ephemeral_disk_premium")];
    let mut request = request("pvc-1", 64, &class);
    request.accessibility_requirements = vec![node("cn-test-a", "i-1", &[])];
    for _ in 0..2 {
        let info = create(&cloud, &request).expect("made");
        assert_eq!(info.accessible_topology, [node("cn-test-a", "i-1", &[])]);
    }
    cloud.attach(&cloud.disks()[0].id, "i-2");
    let info = create(&cloud, &request).expect("found");
    assert_eq!(info.accessible_topology, [node("cn-test-a", "i-2", &[])]);
}

#[test]
fn a_regional_disk_can_be_reached_from_its_region() {
    let cloud = FakeCloud::new();
    let class = [("type", "cloud_regional_disk_auto")];
    let info = create(&cloud, &request("pvc-1", 20, &class)).expect("made");
    assert_eq!(
        info.accessible_topology,
        [[(zone::REGION.into(), "cn-test".into())]]
    );
}

#[test]
fn the_csi_drivers_word_for_a_snapshot_makes_a_disk_from_it() {
    let cloud = FakeCloud::new();
    let source = cloud.add_disk("cloud_essd", 20);
    let cut = Call::new(Action::CreateSnapshot, "a snapshot")
        .with("DiskId", &source)
        .with("ClientToken", "t");
    Ecs { cloud: &cloud }.call(&cut).expect("cut");
    let snapshot = cloud.snapshots()[0].id.clone();
    let class = [
        ("type", "cloud_essd"),
        ("csi.alibabacloud.com/disk-snapshot-id", snapshot.as_str()),
    ];
    let mut wanted = request("pvc-1", 20, &class);
    let info = create(&cloud, &wanted).expect("made");
    assert!(matches!(info.source, Some(VolumeSource::Snapshot(id)) if id == snapshot));
    wanted.source_snapshot_id = Some("s-other".into());
    let error = create(&cloud, &wanted).expect_err("which of them?");
    assert!(matches!(error, Error::InvalidArgument(m) if m.contains("s-other")));
    assert_eq!(cloud.disks().len(), 2);
}

#[test]
fn a_disk_that_exists_becomes_the_volume_if_it_is_what_is_asked_for() {
    let cloud = FakeCloud::new();
    let id = cloud.add_disk("cloud_essd", 40);
    let word = ("volume.alibabacloud.com/disk-id", id.as_str());
    for _ in 0..2 {
        let class = [word, ("diskTags/team", "a")];
        let info = create(&cloud, &request("pvc-1", 40, &class)).expect("taken");
        assert_eq!((&info.id, info.capacity_bytes), (&id, 40 * GIB));
    }
    let tags = cloud.disk(&id).expect("a disk").tags;
    assert!(tags.contains(&("team".into(), "a".into())));
    assert_eq!(cloud.count(Action::TagResources), 1);
    for (gib, more, said) in [
        (41, ("type", "cloud_essd"), "its size is 40 GiB"),
        (40, ("type", "cloud_ssd"), "its category is cloud_essd PL1"),
        (40, ("encrypted", "true"), "its encryption is off"),
    ] {
        let error = create(&cloud, &request("pvc-2", gib, &[word, more]));
        assert!(
            matches!(&error, Err(Error::InvalidArgument(m)) if m.contains(said)),
            "{error:?}"
        );
    }
    let mut elsewhere = request("pvc-2", 40, &[word]);
    elsewhere.accessibility_requirements = vec![zone::place("cn-test-b")];
    assert!(matches!(
        create(&cloud, &elsewhere),
        Err(Error::Exhausted(_))
    ));
    for (missing, is_no_id) in [("d-gone", false), ("pv-1", true)] {
        let class = [("volume.alibabacloud.com/disk-id", missing)];
        let error = create(&cloud, &request("pvc-3", 40, &class)).expect_err(missing);
        assert_eq!(matches!(error, Error::InvalidArgument(_)), is_no_id);
    }
    assert_eq!(cloud.disks().len(), 1);
}

#[test]
fn a_disk_of_another_volume_is_not_taken() {
    let cloud = FakeCloud::new();
    let id = create(&cloud, &request("pvc-1", 20, &TWO))
        .expect("made")
        .id;
    let word = [("volume.alibabacloud.com/disk-id", id.as_str())];
    let error = create(&cloud, &request("pvc-2", 20, &word)).expect_err("not its own");
    assert!(
        matches!(&error, Error::InvalidArgument(m) if m.contains("pvc-1")),
        "{error:?}"
    );
    assert_eq!(cloud.count(Action::TagResources), 0);
    // An operator hands it over.
    cloud.change(&id, |disk| disk.tags.clear());
    let info = create(&cloud, &request("pvc-2", 20, &word)).expect("taken");
    assert_eq!(info.id, id);
}

#[test]
fn no_disk_goes_to_this_nodes_zone_where_only_a_region_is_said() {
    let cloud = FakeCloud::new();
    cloud.grant_metadata("i-1", "node");
    let mut request = request("pvc-1", 20, &TWO);
    request.accessibility_requirements = vec![vec![(zone::REGION.into(), "cn-test".into())]];
    let error = create(&cloud, &request).expect_err("in which zone?");
    assert!(
        matches!(&error, Error::InvalidArgument(m) if m.contains(zone::STANDARD_ZONE)),
        "{error:?}"
    );
    assert!(cloud.disks().is_empty());
    request.accessibility_requirements.clear();
    create(&cloud, &request).expect("as asked for by hand");
    request.name = "pvc-2".into();
    request.accessibility_requirements = vec![vec![(zone::REGION.into(), "cn-test".into())]];
    request
        .parameters
        .push(("zoneId".into(), "cn-test-b".into()));
    create(&cloud, &request).expect("the class names the zone");
    assert_eq!(cloud.disks()[1].zone, "cn-test-b");
}

#[test]
fn without_a_pod_a_node_that_does_not_take_the_category_is_no_obstacle() {
    let cloud = FakeCloud::new();
    let mut request = request("pvc-1", 20, &[("type", "cloud_essd")]);
    request.accessibility_requirements = vec![
        node("cn-test-a", "i-1", &["cloud_ssd"]),
        node("cn-test-a", "i-2", &["cloud_essd"]),
    ];
    let info = create(&cloud, &request).expect("made for another node of the zone");
    assert_eq!(info.accessible_topology, [zone::place("cn-test-a")]);
}
