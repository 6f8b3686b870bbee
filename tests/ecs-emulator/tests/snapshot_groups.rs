//! The life of groups of snapshots as clients see it, without devices.

#![expect(
    clippy::expect_used,
    reason = "in tests, a panic is how a broken promise is reported"
)]

mod support;

use serde_json::{Value, json};
use support::{Emulator, REGION, Reply, eventually, text};
use tempfile::TempDir;

fn emulator(arguments: &[&str]) -> (Emulator, TempDir) {
    let state = tempfile::tempdir().expect("writable");
    let emulator = Emulator::start(state.path(), arguments);
    // So that disks need not be attached first.
    let allowed = json!({ "snapshot_of_never_attached": "allowed" });
    emulator.control("POST", "/settings", &allowed);
    (emulator, state)
}

fn create(emulator: &Emulator, disks: &[&str], more: &[(&str, &str)]) -> Reply {
    let numbers: Vec<String> = (1..=disks.len()).map(|n| format!("DiskId.{n}")).collect();
    let numbered = numbers
        .iter()
        .map(String::as_str)
        .zip(disks.iter().copied());
    let pairs: Vec<(&str, &str)> = numbered
        .chain([REGION])
        .chain(more.iter().copied())
        .collect();
    emulator.call("CreateSnapshotGroup", &pairs)
}

fn describe(emulator: &Emulator, more: &[(&str, &str)]) -> Value {
    let pairs = [&[REGION], more].concat();
    let answer = emulator.call("DescribeSnapshotGroups", &pairs).succeeds();
    answer["SnapshotGroups"]["SnapshotGroup"].clone()
}

fn delete(emulator: &Emulator, id: &str) -> Reply {
    emulator.call("DeleteSnapshotGroup", &[REGION, ("SnapshotGroupId", id)])
}

fn snapshots(emulator: &Emulator) -> Vec<Value> {
    let answer = emulator.call("DescribeSnapshots", &[REGION]).succeeds();
    answer["Snapshots"]["Snapshot"]
        .as_array()
        .cloned()
        .unwrap_or_default()
}

#[test]
fn group_is_accomplished_after_a_while_and_goes_with_its_snapshots() {
    let (emulator, _state) = emulator(&[]);
    let (one, other) = (emulator.new_disk(&[]), emulator.new_disk(&[("Size", "30")]));
    emulator.hold();
    let tagged = [
        ("Name", "group-1"),
        ("Tag.1.Key", "k"),
        ("Tag.1.Value", "v"),
    ];
    let made = create(&emulator, &[&one, &other], &tagged).succeeds();
    let id = text(&made["SnapshotGroupId"]);
    assert!(id.starts_with("ssg-"), "{id}");
    let by_id = [("SnapshotGroupId.1", id.as_str())];
    assert_eq!(describe(&emulator, &by_id)[0]["Status"], "progressing");
    let seen = || {
        let group = describe(&emulator, &by_id)[0].clone();
        let is_cut = !text(&group["CreationTime"]).is_empty();
        (is_cut, text(&group["Status"]))
    };
    assert_eq!(seen(), (false, "progressing".to_owned()));
    emulator.step();
    assert_eq!(seen(), (true, "progressing".to_owned()));
    emulator.step();
    assert_eq!(seen(), (true, "accomplished".to_owned()));
    let group = describe(&emulator, &by_id)[0].clone();
    for member in group["Snapshots"]["Snapshot"].as_array().expect("a list") {
        assert_eq!(
            (&member["Available"], &member["Progress"]),
            (&json!(true), &json!("100%"))
        );
    }
    assert_eq!(group["Name"], "group-1");
    assert_eq!(
        group["Tags"],
        json!({ "Tag": [{ "Key": "k", "Value": "v" }] })
    );
    let members = group["Snapshots"]["Snapshot"].as_array().expect("a list");
    let sources: Vec<&Value> = members.iter().map(|it| &it["SourceDiskId"]).collect();
    assert_eq!(sources, [one.as_str(), &other]);
    for snapshot in snapshots(&emulator) {
        assert_eq!(snapshot["SnapshotName"], format!("Created_from_{id}"));
        assert_eq!(snapshot["Status"], "accomplished");
        assert_eq!(snapshot["CreationTime"], group["CreationTime"]);
    }
    let gone = delete(&emulator, &id).succeeds();
    let progress = &gone["OperationProgressSet"]["OperationProgress"];
    assert_eq!(progress.as_array().map(Vec::len), Some(2));
    assert!(snapshots(&emulator).is_empty());
    assert_eq!(describe(&emulator, &by_id), json!([]));
    delete(&emulator, &id).refused_with(404, "InvalidSnapshotGroup.NotFound");
}

#[test]
fn groups_are_found_by_name_status_and_tag_in_pages_of_any_size() {
    let (emulator, _state) = emulator(&["--delay-ms", "0"]);
    let disk = emulator.new_disk(&[]);
    for name in ["group-1", "group-2", "group-3"] {
        eventually("the last snapshot", || {
            let named = [("Name", name), ("Tag.1.Key", name)];
            create(&emulator, &[&disk], &named).status == 200
        });
    }
    let names = |more: &[(&str, &str)]| -> Vec<String> {
        let found = describe(&emulator, more);
        let found = found.as_array().cloned().unwrap_or_default();
        found.iter().map(|group| text(&group["Name"])).collect()
    };
    assert_eq!(names(&[]), ["group-3", "group-2", "group-1"]);
    assert_eq!(names(&[("Name", "group-2")]), ["group-2"]);
    assert_eq!(names(&[("Tag.1.Key", "group-1")]), ["group-1"]);
    assert_eq!(names(&[("Status.1", "failed")]), Vec::<String>::new());
    emulator
        .call("DescribeSnapshotGroups", &[REGION, ("Status.1", "done")])
        .refused_with(403, "InvalidStatus.ValueNotSupported");
    let (mut seen, mut token) = (Vec::new(), String::new());
    loop {
        let asked = [REGION, ("MaxResults", "2"), ("NextToken", &token)];
        let answer = emulator.call("DescribeSnapshotGroups", &asked).succeeds();
        let page = answer["SnapshotGroups"]["SnapshotGroup"].as_array();
        let page = page.cloned().unwrap_or_default();
        assert!((1..=2).contains(&page.len()), "{answer}");
        seen.extend(page.iter().map(|group| text(&group["Name"])));
        token = text(&answer["NextToken"]);
        if token.is_empty() {
            break;
        }
    }
    assert_eq!(seen, names(&[]));
}

#[test]
fn disks_that_cannot_be_cut_together_are_refused() {
    let (emulator, _state) = emulator(&["--delay-ms", "0"]);
    let essd = emulator.new_disk(&[]);
    let slower = emulator.new_disk(&[("DiskCategory", "cloud_efficiency")]);
    let shared = emulator.new_disk(&[("MultiAttach", "Enabled")]);
    for (other, status, code) in [
        (slower.as_str(), 400, "DiskCategory.OperationNotSupported"),
        (&shared, 403, "InvalidOperation.MultiAttachDisk"),
        ("d-00000000000000000000", 404, "InvalidDiskId.NotFound"),
    ] {
        create(&emulator, &[&essd, other], &[]).refused_with(status, code);
    }
    let nothing = create(&emulator, &[], &[]);
    nothing.refused_with(400, "MissingParamter.InstanceId");
    let both = create(&emulator, &[&essd], &[("ExcludeDiskId.1", &slower)]);
    both.refused_with(400, "InvalidParam.ExcludeDiskIdsAndDiskIds.Conflict");
    assert!(snapshots(&emulator).is_empty());
}

#[test]
fn all_disks_of_an_instance_but_those_left_out_are_cut_where_none_is_named() {
    let (emulator, _state) = emulator(&["--delay-ms", "0"]);
    let (one, other) = (emulator.new_disk(&[]), emulator.new_disk(&[]));
    for disk in [&one, &other] {
        emulator.attach(disk);
        emulator.becomes(disk, "In_use");
    }
    let here = emulator.here();
    let attached = [REGION, ("InstanceId", &here)];
    let disks = emulator.call("DescribeDisks", &attached).succeeds();
    let disks = disks["Disks"]["Disk"]
        .as_array()
        .cloned()
        .unwrap_or_default();
    let system = disks.iter().find(|disk| disk["Type"] == "system");
    let system = text(&system.expect("it boots from one")["DiskId"]);
    let asked = [
        ("InstanceId", here.as_str()),
        ("ExcludeDiskId.1", &system),
        ("ExcludeDiskId.2", &other),
    ];
    let id = text(&create(&emulator, &[], &asked).succeeds()["SnapshotGroupId"]);
    let group = describe(&emulator, &[("SnapshotGroupId.1", &id)])[0].clone();
    assert_eq!(group["InstanceId"], here);
    assert_eq!(group["Snapshots"]["Snapshot"][0]["SourceDiskId"], one);
    assert_eq!(group["Snapshots"]["Snapshot"][1], Value::Null);
}

#[test]
fn token_answers_the_same_group_and_refuses_other_disks() {
    let (emulator, _state) = emulator(&[]);
    let (one, other) = (emulator.new_disk(&[]), emulator.new_disk(&[]));
    let token = [("ClientToken", "t")];
    let made = create(&emulator, &[&one, &other], &token).succeeds();
    let again = create(&emulator, &[&one, &other], &token).succeeds();
    assert_eq!(made["SnapshotGroupId"], again["SnapshotGroupId"]);
    create(&emulator, &[&one], &token).refused_with(403, "IdempotentParameterMismatch");
    assert_eq!(snapshots(&emulator).len(), 2);
}

#[test]
fn group_that_is_told_to_fail_has_cut_a_part_and_comes_to_its_end_after_a_kill() {
    let (first, state) = emulator(&[]);
    let (one, other) = (first.new_disk(&[]), first.new_disk(&[]));
    first.hold();
    first.control("POST", "/settings", &json!({ "snapshot_groups": "fail" }));
    let id = text(&create(&first, &[&one, &other], &[]).succeeds()["SnapshotGroupId"]);
    first.kill();
    let again = Emulator::start(state.path(), &[]);
    assert_eq!(describe(&again, &[])[0]["Status"], "progressing");
    again.run();
    eventually("the group to fail", || {
        describe(&again, &[("SnapshotGroupId.1", &id)])[0]["Status"] == "failed"
    });
    let shown = snapshots(&again);
    let states: Vec<&Value> = shown.iter().map(|it| &it["Status"]).collect();
    assert_eq!(states, ["failed", "accomplished"]);
    delete(&again, &id).succeeds();
    assert!(snapshots(&again).is_empty());
}
