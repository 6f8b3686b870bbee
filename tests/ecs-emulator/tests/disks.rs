//! The life of disks, snapshots and tags as clients see it, without devices.

#![expect(
    clippy::expect_used,
    reason = "in tests, a panic is how a broken promise is reported"
)]

mod support;

use std::collections::BTreeSet;

use serde_json::{Value, json};
use support::{Emulator, REGION, eventually, text};
use tempfile::TempDir;

fn emulator(arguments: &[&str]) -> (Emulator, TempDir) {
    let state = tempfile::tempdir().expect("writable");
    (Emulator::start(state.path(), arguments), state)
}

fn in_zone<'a>(more: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    [&[REGION, ("ZoneId", "cn-hangzhou-g")], more].concat()
}

#[test]
fn disk_is_created_attached_detached_and_deleted() {
    let (emulator, _state) = emulator(&[]);
    let disk = emulator.new_disk(&[("DiskName", "pvc-1")]);
    let shown = emulator.describe(&disk);
    assert_eq!(shown["SerialNumber"], disk[2..]);
    assert_eq!(shown["Size"], 20);
    assert_eq!(shown["MultiAttach"], "Disabled");
    assert_eq!(shown["PerformanceLevel"], "PL1");
    emulator.attach(&disk);
    emulator.becomes(&disk, "In_use");
    assert_eq!(emulator.describe(&disk)["InstanceId"], emulator.here());
    let busy = emulator.call("DeleteDisk", &[("DiskId", &disk)]);
    busy.refused_with(403, "IncorrectDiskStatus");
    emulator.detach(&disk);
    emulator.becomes(&disk, "Available");
    emulator.call("DeleteDisk", &[("DiskId", &disk)]).succeeds();
    assert_eq!(emulator.describe(&disk), Value::Null);
}

#[test]
fn whoever_controls_it_learns_of_every_disk_that_was_made() {
    let (emulator, _state) = emulator(&[]);
    let gone = emulator.new_disk(&[("DiskName", "pvc-1")]);
    emulator.call("DeleteDisk", &[("DiskId", &gone)]).succeeds();
    let kept = emulator.new_disk(&[("DiskName", "pvc-1")]);
    let made = emulator.control("GET", "/disks-made", &Value::Null);
    let made = made.as_array().expect("a list");
    let ids: Vec<&Value> = made.iter().map(|disk| &disk["id"]).collect();
    assert_eq!(ids, [gone.as_str(), kept.as_str()]);
    assert!(made.iter().all(|disk| disk["name"] == "pvc-1"), "{made:?}");
    assert!(made[0]["deleted"].as_u64() < made[1]["made"].as_u64());
    assert_eq!(made[1]["deleted"], Value::Null);
}

#[test]
fn attached_disk_is_described_as_available_once_more() {
    let (emulator, _state) = emulator(&[]);
    let disk = emulator.new_disk(&[]);
    emulator.hold();
    emulator.attach(&disk);
    assert_eq!(emulator.status(&disk), "Available");
    let shown = emulator.describe(&disk);
    assert_eq!(shown["Status"], "Attaching");
    assert_eq!(shown["Attachments"]["Attachment"], json!([]));
    let pairs = [("DiskId", disk.as_str()), ("InstanceId", &emulator.here())];
    emulator
        .call("AttachDisk", &pairs)
        .refused_with(403, "IncorrectDiskStatus");
    emulator.step();
    assert_eq!(emulator.status(&disk), "In_use");
}

#[test]
fn attaching_what_is_being_detached_is_accepted_and_comes_to_nothing() {
    let (emulator, _state) = emulator(&[]);
    let disk = emulator.new_disk(&[]);
    emulator.attach(&disk);
    emulator.becomes(&disk, "In_use");
    emulator.hold();
    emulator.detach(&disk);
    emulator.attach(&disk);
    assert_eq!(emulator.status(&disk), "Detaching");
    emulator.step();
    assert_eq!(emulator.status(&disk), "Available");
}

#[test]
fn detaching_tells_apart_why_it_cannot() {
    let (emulator, _state) = emulator(&[]);
    let disk = emulator.new_disk(&[]);
    let other = "i-bp1drivebaynode00002";
    let detach = |instance: &str| {
        emulator.call("DetachDisk", &[("DiskId", &disk), ("InstanceId", instance)])
    };
    detach(other).refused_with(404, "InvalidDisk.AlreadyDetached");
    detach("i-none").refused_with(404, "InvalidInstanceId.NotFound");
    emulator.attach(&disk);
    emulator.becomes(&disk, "In_use");
    detach(other).refused_with(403, "DependencyViolation");
}

#[test]
fn same_client_token_makes_one_disk_and_a_changed_wish_none() {
    let (emulator, _state) = emulator(&[]);
    let create = |size: &str| {
        let pairs = [
            ("DiskCategory", "cloud_essd"),
            ("Size", size),
            ("ClientToken", "n:pvc-1"),
        ];
        emulator.call("CreateDisk", &in_zone(&pairs))
    };
    let first = create("20").succeeds();
    assert_eq!(create("20").succeeds()["DiskId"], first["DiskId"]);
    create("21").refused_with(400, "IdempotentParameterMismatch");
    let all = emulator
        .call("DescribeDisks", &[REGION, ("DiskType", "data")])
        .succeeds();
    assert_eq!(all["TotalCount"], 1);
}

#[test]
fn what_a_zone_lacks_or_a_size_forbids_is_refused_for_its_reason() {
    let (emulator, _state) = emulator(&[]);
    let create = |pairs: &[(&str, &str)]| emulator.call("CreateDisk", pairs);
    let ssd = [("DiskCategory", "cloud_ssd"), ("Size", "20")];
    create(&in_zone(&ssd)).refused_with(400, "InvalidDataDiskCategory.NotSupported");
    create(&[REGION, ("ZoneId", "cn-hangzhou-h"), ssd[0], ssd[1]]).succeeds();
    create(&[REGION, ("ZoneId", "cn-hangzhou-x"), ssd[0], ssd[1]])
        .refused_with(404, "InvalidZoneId.NotFound");
    let essd = ("DiskCategory", "cloud_essd");
    create(&in_zone(&[essd, ("Size", "19")])).refused_with(400, "InvalidDiskSize.NotSupported");
    create(&in_zone(&[
        essd,
        ("Size", "20"),
        ("PerformanceLevel", "PL2"),
    ]))
    .refused_with(403, "OperationDenied.PerformanceLevelNotMatch");
    create(&in_zone(&[essd, ("Size", "20"), ("KMSKeyId", "k")]))
        .refused_with(400, "InvalidEncrypted.NotMatchKmsKeyId");
    let regional = [("DiskCategory", "cloud_regional_disk_auto"), ("Size", "20")];
    create(&in_zone(&regional)).refused_with(400, "InvalidParameter");
    create(&[REGION, regional[0], regional[1]]).succeeds();
    create(&[ssd[0]]).refused_with(400, "MissingParameter");
}

#[test]
fn instance_takes_as_many_disks_as_its_type_says_with_the_system_disk() {
    let (emulator, _state) = emulator(&["--delay-ms", "0"]);
    let types = json!({ "instance_types": { "ecs.g7.xlarge": { "disk_quantity": 3 } } });
    emulator.control("POST", "/settings", &types);
    let disks: Vec<String> = (0..3).map(|_| emulator.new_disk(&[])).collect();
    for disk in &disks[..2] {
        emulator.attach(disk);
    }
    let pairs = [
        ("DiskId", disks[2].as_str()),
        ("InstanceId", &emulator.here()),
    ];
    emulator
        .call("AttachDisk", &pairs)
        .refused_with(403, "InstanceDiskLimitExceeded");
    let asked = [("InstanceTypes.1", "ecs.g7.xlarge")];
    let types = emulator.call("DescribeInstanceTypes", &asked).succeeds();
    assert_eq!(types["InstanceTypes"]["InstanceType"][0]["DiskQuantity"], 3);
}

#[test]
fn shared_disk_is_attached_to_several_instances_and_names_them_in_its_list_only() {
    let (emulator, _state) = emulator(&[]);
    let disk = emulator.new_disk(&[("MultiAttach", "Enabled")]);
    let other = "i-bp1drivebaynode00002";
    emulator.attach(&disk);
    emulator.becomes(&disk, "In_use");
    emulator
        .call("AttachDisk", &[("DiskId", &disk), ("InstanceId", other)])
        .succeeds();
    let list = || emulator.describe(&disk)["Attachments"]["Attachment"].clone();
    eventually("both attachments", || {
        list().as_array().map(Vec::len) == Some(2)
    });
    let shown = emulator.describe(&disk);
    assert_eq!(
        (&shown["InstanceId"], &shown["MultiAttach"]),
        (&json!(""), &json!("Enabled"))
    );
    emulator.detach(&disk);
    eventually("one attachment", || {
        list().as_array().map(Vec::len) == Some(1)
    });
    assert_eq!(emulator.status(&disk), "In_use");
}

#[test]
fn disk_grows_a_little_after_the_order_and_never_shrinks() {
    let (emulator, _state) = emulator(&[]);
    let disk = emulator.new_disk(&[]);
    emulator.hold();
    let resize = |size: &str| emulator.call("ResizeDisk", &[("DiskId", &disk), ("NewSize", size)]);
    resize("10").refused_with(403, "InvalidDiskSize.TooSmall");
    resize("20").refused_with(403, "InvalidDiskSize");
    // What is paid as it goes has no order with an id.
    assert_eq!(resize("30").succeeds()["OrderId"], Value::Null);
    assert_eq!(emulator.describe(&disk)["Size"], 20);
    resize("40").refused_with(400, "LastOrderProcessing");
    emulator.step();
    assert_eq!(emulator.describe(&disk)["Size"], 30);
    resize("30").refused_with(403, "InvalidDiskSize");
}

#[test]
fn change_of_category_is_tried_dry_then_done_as_a_task() {
    let (emulator, _state) = emulator(&[]);
    let disk = emulator.new_disk(&[("Size", "500")]);
    let modify = |more: (&str, &str)| {
        let pairs = [
            ("DiskId", disk.as_str()),
            ("DiskCategory", "cloud_auto"),
            more,
        ];
        emulator.call("ModifyDiskSpec", &pairs)
    };
    modify(("DryRun", "true")).refused_with(400, "DryRunOperation");
    let changed = modify(("DryRun", "false")).succeeds();
    assert_eq!(changed["OrderId"], Value::Null);
    let task = text(&changed["TaskId"]);
    let asked = [REGION, ("TaskIds", &task)];
    eventually("the task to finish", || {
        let tasks = emulator.call("DescribeTasks", &asked).succeeds();
        tasks["TaskSet"]["Task"][0]["TaskStatus"] == "Finished"
    });
    assert_eq!(emulator.describe(&disk)["Category"], "cloud_auto");
    modify(("DryRun", "true")).refused_with(403, "NoChangeInDiskCategoryAndPerformanceLevel");
}

#[test]
fn change_of_level_alone_has_no_task_and_never_leads_down_to_pl0() {
    let (emulator, _state) = emulator(&[]);
    let disk = emulator.new_disk(&[("Size", "500")]);
    let modify = |level: &str| {
        let pairs = [("DiskId", disk.as_str()), ("PerformanceLevel", level)];
        emulator.call("ModifyDiskSpec", &pairs)
    };
    let becomes = |level: &str| {
        assert_eq!(modify(level).succeeds()["TaskId"], Value::Null);
        eventually("the level to change", || {
            emulator.describe(&disk)["PerformanceLevel"] == level
        });
    };
    becomes("PL2");
    becomes("PL1");
    modify("PL0").refused_with(403, "InvalidPerformanceLevel.TooLow");
    let tasks = emulator.call("DescribeTasks", &[REGION]).succeeds();
    assert_eq!(tasks["TaskSet"]["Task"], json!([]));
}

#[test]
fn categories_change_only_from_and_to_those_that_can() {
    let (emulator, _state) = emulator(&[]);
    let new = |category: &str| {
        let wanted = [REGION, ("DiskCategory", category), ("Size", "100")];
        let zone = ("ZoneId", "cn-hangzhou-h");
        let zoned = [&wanted[..], &[zone]].concat();
        let regional = category == "cloud_regional_disk_auto";
        let pairs = if regional { &wanted[..] } else { &zoned };
        let disk = text(&emulator.call("CreateDisk", pairs).succeeds()["DiskId"]);
        emulator.becomes(&disk, "Available");
        disk
    };
    let modify = |disk: &str, category: &str| {
        let pairs = [("DiskId", disk), ("DiskCategory", category)];
        emulator.call("ModifyDiskSpec", &pairs)
    };
    for fixed in [
        "cloud",
        "cloud_regional_disk_auto",
        "elastic_ephemeral_disk_standard",
    ] {
        let refused = modify(&new(fixed), "cloud_essd");
        refused.refused_with(403, "InvalidDiskCategory.ValueNotSupported");
        let refused = modify(&new("cloud_essd"), fixed);
        refused.refused_with(400, "InvalidDiskCategory.ValueNotSupported");
    }
    let entry = new("cloud_essd_entry");
    modify(&entry, "cloud_ssd").refused_with(403, "InvalidDiskCategory.NotSupported");
    modify(&entry, "cloud_auto").succeeds();
}

#[test]
fn disks_are_found_by_whether_they_go_with_their_instance_and_a_dry_run_finds_none() {
    let (emulator, _state) = emulator(&[]);
    let disk = emulator.new_disk(&[]);
    let found = |wanted: &str| {
        let asked = [REGION, ("DeleteWithInstance", wanted)];
        let answer = emulator.call("DescribeDisks", &asked).succeeds();
        answer["Disks"].to_string().contains(&disk)
    };
    assert_eq!((found("true"), found("false")), (false, true));
    let pairs = [("DiskId", disk.as_str()), ("DeleteWithInstance", "true")];
    emulator.call("ModifyDiskAttribute", &pairs).succeeds();
    assert_eq!((found("true"), found("false")), (true, false));
    emulator
        .call("DescribeDisks", &[REGION, ("DeleteWithInstance", "maybe")])
        .refused_with(400, "InvalidParameter");
    emulator
        .call("DescribeDisks", &[REGION, ("DryRun", "true")])
        .refused_with(400, "DryRunOperation");
    emulator
        .call("DescribeDisks", &[("DryRun", "true")])
        .refused_with(400, "MissingParamter.RegionId");
}

#[test]
fn disk_that_was_never_attached_has_no_snapshots_unless_a_test_says_so() {
    let (emulator, _state) = emulator(&[]);
    let disk = emulator.new_disk(&[]);
    let cut = || emulator.call("CreateSnapshot", &[("DiskId", &disk)]);
    cut().refused_with(403, "IncorrectDiskStatus.NeverAttached");
    emulator
        .call("CreateSnapshotGroup", &[REGION, ("DiskId.1", &disk)])
        .refused_with(403, "IncorrectDiskStatus.NeverAttached");
    let allowed = json!({ "snapshot_of_never_attached": "allowed" });
    emulator.control("POST", "/settings", &allowed);
    cut().succeeds();
}

#[test]
fn categories_of_financial_and_private_clouds_are_known_and_sold_where_a_zone_has_them() {
    let (emulator, _state) = emulator(&[]);
    let create = |category: &str, size: &str| {
        let pairs = [("DiskCategory", category), ("Size", size)];
        emulator.call("CreateDisk", &in_zone(&pairs))
    };
    let restricted = [
        "cloud_essd_xc0",
        "cloud_essd_xc1",
        "cloud_pperf",
        "cloud_sperf",
    ];
    for category in restricted {
        create(category, "40").refused_with(400, "InvalidDataDiskCategory.NotSupported");
    }
    let zone = json!({ "zones": { "cn-hangzhou-g": { "lacks": [] } } });
    emulator.control("POST", "/settings", &zone);
    for category in restricted {
        let disk = text(&create(category, "40").succeeds()["DiskId"]);
        assert_eq!(emulator.describe(&disk)["Category"], category);
    }
    create("cloud_essd_xc0", "39").refused_with(400, "InvalidDiskSize.NotSupported");
    create("cloud_pperf", "1").succeeds();
}

#[test]
fn zones_are_listed_with_the_categories_that_they_have() {
    let (emulator, _state) = emulator(&[]);
    let zones = |more: &[(&str, &str)]| {
        let pairs = [&[REGION], more].concat();
        emulator.call("DescribeZones", &pairs).succeeds()["Zones"]["Zone"].clone()
    };
    let all = zones(&[]);
    let categories = |index: usize| all[index]["AvailableDiskCategories"].to_string();
    assert_eq!(
        (&all[0]["ZoneId"], &all[1]["ZoneId"]),
        (&json!("cn-hangzhou-g"), &json!("cn-hangzhou-h"))
    );
    assert!(!categories(0).contains("\"cloud_ssd\"") && categories(1).contains("\"cloud_ssd\""));
    assert!(!categories(1).contains("cloud_pperf"));
    let short = zones(&[("Verbose", "false")]);
    assert_eq!(short[0]["AvailableDiskCategories"], Value::Null);
}

#[test]
fn history_of_instances_is_what_a_test_told_and_only_what_is_over_unless_asked_for_more() {
    let (emulator, _state) = emulator(&[]);
    let here = emulator.here();
    let events = json!([
        { "event_type": "SystemMaintenance.Reboot", "status": "Scheduled", "reason": "soon" },
        { "event_type": "SystemFailure.Reboot", "status": "Executed", "reason": "a fault" },
    ]);
    let told = json!({ "instances": { &here: { "events": events } } });
    emulator.control("POST", "/settings", &told);
    let reasons = |more: &[(&str, &str)]| -> Vec<String> {
        let pairs = [&[REGION], more].concat();
        let answer = emulator.call("DescribeInstanceHistoryEvents", &pairs);
        let set = answer.succeeds()["InstanceSystemEventSet"]["InstanceSystemEventType"].clone();
        let events = set.as_array().cloned().unwrap_or_default();
        events.iter().map(|event| text(&event["Reason"])).collect()
    };
    assert_eq!(reasons(&[]), ["a fault"]);
    let scheduled = ("InstanceEventCycleStatus.1", "Scheduled");
    let both = [scheduled, ("InstanceEventCycleStatus.2", "Executed")];
    assert_eq!(reasons(&both), ["a fault", "soon"]);
    assert_eq!(reasons(&[scheduled, ("ResourceId.1", &here)]), ["soon"]);
    let elsewhere = ("ResourceId.1", "i-bp1drivebaynode00002");
    assert_eq!(reasons(&[elsewhere]), Vec::<String>::new());
    let late = ("EventPublishTime.Start", "2999-01-01T00:00:00Z");
    assert_eq!(reasons(&[late]), Vec::<String>::new());
}

#[test]
fn snapshot_is_cut_and_then_ready_after_a_while_and_makes_disks_that_are_large_enough() {
    let (emulator, _state) = emulator(&[]);
    let disk = emulator.new_disk(&[("Size", "25")]);
    emulator.attach(&disk);
    emulator.becomes(&disk, "In_use");
    emulator.detach(&disk);
    emulator.becomes(&disk, "Available");
    emulator.hold();
    let made = emulator.call(
        "CreateSnapshot",
        &[("DiskId", &disk), ("RetentionDays", "3")],
    );
    let snapshot = text(&made.succeeds()["SnapshotId"]);
    let from = [
        ("DiskCategory", "cloud_essd"),
        ("Size", "20"),
        ("SnapshotId", &snapshot),
    ];
    emulator
        .call("CreateDisk", &in_zone(&from))
        .refused_with(403, "InvalidSnapshotId.NotReady");
    emulator
        .call("DeleteDisk", &[("DiskId", &disk)])
        .refused_with(403, "DiskCreatingSnapshot");
    let ids = json!([snapshot]).to_string();
    let shown = || {
        let asked = [REGION, ("SnapshotIds", &ids)];
        let shown = emulator.call("DescribeSnapshots", &asked).succeeds();
        let snapshot = &shown["Snapshots"]["Snapshot"][0];
        let is_cut = !text(&snapshot["CreationTime"]).is_empty();
        (is_cut, text(&snapshot["Status"]))
    };
    assert_eq!(shown(), (false, "progressing".to_owned()));
    emulator.step();
    assert_eq!(shown(), (true, "progressing".to_owned()));
    emulator.step();
    assert_eq!(shown(), (true, "accomplished".to_owned()));
    emulator.run();
    let restored = emulator.new_disk(&from);
    assert_eq!(emulator.describe(&restored)["Size"], 25);
    let delete = |force| {
        emulator.call(
            "DeleteSnapshot",
            &[("SnapshotId", &snapshot), ("Force", force)],
        )
    };
    delete("false").refused_with(403, "SnapshotCreatedDisk");
    delete("true").succeeds();
    delete("true").refused_with(404, "InvalidSnapshotId.NotFound");
}

#[test]
fn pages_lead_to_every_disk_both_ways() {
    let (emulator, _state) = emulator(&["--delay-ms", "0"]);
    let made: BTreeSet<String> = (0..23).map(|_| emulator.new_disk(&[])).collect();
    let ids = |answer: &Value| -> Vec<String> {
        let disks = answer["Disks"]["Disk"]
            .as_array()
            .cloned()
            .unwrap_or_default();
        disks.iter().map(|disk| text(&disk["DiskId"])).collect()
    };
    let mut by_number = BTreeSet::new();
    for number in ["1", "2", "3"] {
        let asked = [REGION, ("DiskType", "data"), ("PageNumber", number)];
        by_number.extend(ids(&emulator.call("DescribeDisks", &asked).succeeds()));
    }
    assert_eq!(by_number, made);
    let (mut by_token, mut token) = (BTreeSet::new(), String::new());
    loop {
        let asked = [
            REGION,
            ("DiskType", "data"),
            ("MaxResults", "10"),
            ("NextToken", &token),
        ];
        let answer = emulator.call("DescribeDisks", &asked).succeeds();
        by_token.extend(ids(&answer));
        token = text(&answer["NextToken"]);
        if token.is_empty() {
            break;
        }
    }
    assert_eq!(by_token, made);
    let none = emulator
        .call("DescribeDisks", &[REGION, ("DiskIds", "[]")])
        .succeeds();
    assert_eq!(none["TotalCount"], 0);
}

#[test]
fn tags_find_disks_and_are_listed_changed_and_removed() {
    let (emulator, _state) = emulator(&[]);
    let disk = emulator.new_disk(&[("Tag.1.Key", "k1"), ("Tag.1.Value", "v1")]);
    let on_disk = [REGION, ("ResourceType", "disk"), ("ResourceId.1", &disk)];
    let with = |more: &[(&'static str, &'static str)]| [&on_disk, more].concat();
    let tag = with(&[("Tag.1.Key", "k2"), ("Tag.1.Value", "v 2")]);
    emulator.call("TagResources", &tag).succeeds();
    emulator
        .call("UntagResources", &with(&[("TagKey.1", "k1")]))
        .succeeds();
    let listed = emulator.call("ListTagResources", &on_disk).succeeds();
    let expected =
        json!([{ "ResourceId": disk, "ResourceType": "disk", "TagKey": "k2", "TagValue": "v 2" }]);
    assert_eq!(listed["TagResources"]["TagResource"], expected);
    let found = |key: &str| {
        let asked = [REGION, ("Tag.1.Key", key)];
        emulator.call("DescribeDisks", &asked).succeeds()["TotalCount"].clone()
    };
    assert_eq!((found("k1"), found("k2")), (json!(0), json!(1)));
}

#[test]
fn stock_says_what_a_zone_and_an_instance_type_take() {
    let (emulator, _state) = emulator(&[]);
    let categories = |zone: &str, kind: &str| {
        let asked = [
            REGION,
            ("DestinationResource", "DataDisk"),
            ("ResourceType", "disk"),
            ("ZoneId", zone),
            ("InstanceType", kind),
        ];
        let answer = emulator
            .call("DescribeAvailableResource", &asked)
            .succeeds();
        let resource = &answer["AvailableZones"]["AvailableZone"][0]["AvailableResources"];
        resource["AvailableResource"][0]["SupportedResources"].to_string()
    };
    assert!(!categories("cn-hangzhou-g", "ecs.g7.xlarge").contains("\"cloud_ssd\""));
    assert!(categories("cn-hangzhou-h", "ecs.g7.xlarge").contains("\"cloud_ssd\""));
    assert!(!categories("cn-hangzhou-h", "ecs.sn1.large").contains("\"cloud_essd\""));
    let regional = "\"cloud_regional_disk_auto\"";
    assert!(!categories("cn-hangzhou-h", "ecs.g7.xlarge").contains(regional));
    let of_region = [
        REGION,
        ("DestinationResource", "DataDisk"),
        ("InstanceType", "ecs.g7.xlarge"),
        ("Scope", "region"),
    ];
    let answer = emulator
        .call("DescribeAvailableResource", &of_region)
        .succeeds();
    let zones = &answer["AvailableZones"]["AvailableZone"];
    assert_eq!(zones[0]["ZoneId"], "");
    assert!(zones[0].to_string().contains(regional) && !zones.to_string().contains("cloud_essd\""));
}

#[test]
fn an_ephemeral_disk_has_to_be_said_to_end_with_its_instance_each_time() {
    let (emulator, _state) = emulator(&[]);
    let kind = ("DiskCategory", "elastic_ephemeral_disk_premium");
    let disk = emulator.new_disk(&[kind, ("Size", "64")]);
    let here = emulator.here();
    let pair = [("DiskId", disk.as_str()), ("InstanceId", &here)];
    let said = [&pair[..], &[("DeleteWithInstance", "true")]].concat();
    let otherwise = [&pair[..], &[("DeleteWithInstance", "false")]].concat();
    for (action, status) in [("AttachDisk", "In_use"), ("DetachDisk", "Available")] {
        for wrong in [&pair[..], &otherwise] {
            emulator
                .call(action, wrong)
                .refused_with(403, "DeleteWithInstance.Conflict");
        }
        emulator.call(action, &said).succeeds();
        emulator.becomes(&disk, status);
    }
}
