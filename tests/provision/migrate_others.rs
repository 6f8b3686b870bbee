//! Whoever migrates is not alone: a second run goes the other way, people change volumes and records, the API server goes.

use drivebay_tests::becomes;
use serde_json::{Value, json};

use crate::crashes::{DELETED, RELEASED, REMOVED};
use crate::gate::{Gate, Held, Moment, Request};
use crate::migrate_crashes::{WRITES_BEFORE_CREATION, gone, killed_at};
use crate::migration::{Migration, NODE};
use crate::site::VOLUMES;

/// The finalizers are taken off after it.
const WRITES_BEFORE_DELETION: usize = WRITES_BEFORE_CREATION - 2;

/// What marks a volume.
const MARKED: Request = RELEASED;

/// What forgets a record.
const FORGOTTEN: Request = REMOVED;

/// One run is about to send a request that is held, about a volume with that policy, and another one, which goes back, works to its end
/// first. The volume is one or the other afterwards, and whole.
#[track_caller]
fn overtaken(name: &'static str, policy: &str, hold: impl FnOnce(&Gate) -> Held) {
    let migration = Migration::with_csi_driver(name);
    let volume = format!("{name}-a");
    migration.disk(&volume, &json!({ "persistentVolumeReclaimPolicy": policy }));
    let held = hold(&migration.gate);
    let run = migration.start(&["--apply", &volume]);
    held.has_come.recv().expect("the request comes");
    migration
        .run(&["--undo", "--apply", &volume])
        .is_done("1 done");
    held.let_go();
    let ended = run.wait_with_output().expect("it ends");
    let said = String::from_utf8_lossy(&ended.stdout);
    assert_eq!(ended.status.code(), Some(0), "{said}");
    migration.is_bound(&volume);
    let found = migration.volume(&volume);
    assert_eq!(
        found["spec"]["csi"]["driver"],
        migration.csi_driver().as_str(),
        "whoever was there last decides: {found}"
    );
    assert_eq!(found["spec"]["persistentVolumeReclaimPolicy"], policy);
    let records = migration.records();
    assert!(records.is_empty(), "{records:?}");
}

#[test]
fn a_run_that_is_overtaken_by_one_the_other_way_deletes_no_volume_of_which_nothing_is_written() {
    overtaken("migrate-race-deleted", "Retain", |gate| gate.hold(DELETED));
}

#[test]
fn a_run_that_is_overtaken_before_it_marks_a_volume_loses_no_policy() {
    overtaken("migrate-race-marked", "Delete", |gate| gate.hold(MARKED));
}

#[test]
fn a_run_that_is_overtaken_before_it_creates_a_volume_finds_what_is_there() {
    overtaken("migrate-race-created", "Delete", |gate| {
        gate.hold_write_after(WRITES_BEFORE_CREATION)
    });
}

/// The run was cut off when all was done but for what is written down.
#[test]
fn a_policy_that_is_set_once_a_volume_is_whole_stays() {
    let migration = Migration::with_csi_driver("migrate-policy");
    let name = "migrate-policy-a";
    migration.disk(name, &json!({}));
    killed_at(&migration, name, Moment::Before, FORGOTTEN);
    let policy = |volume: Value| volume["spec"]["persistentVolumeReclaimPolicy"].clone();
    assert_eq!(policy(migration.volume(name)), "Delete");
    let retain = json!({ "spec": { "persistentVolumeReclaimPolicy": "Retain" } });
    migration.api().patch(&format!("{VOLUMES}/{name}"), &retain);
    migration.run(&["--apply", name]).is_done("1 done");
    assert_eq!(policy(migration.volume(name)), "Retain");
    assert!(migration.records().is_empty());
}

#[test]
fn a_record_that_a_person_deletes_takes_no_policy_with_it() {
    let migration = Migration::with_csi_driver("migrate-erased");
    for (name, request) in [
        ("migrate-erased-a", DELETED),
        ("migrate-erased-b", FORGOTTEN),
    ] {
        migration.disk(name, &json!({}));
        killed_at(&migration, name, Moment::Before, request);
        let record = migration.path("configmaps", &format!("drivebay-migration.{name}"));
        let released = json!({ "metadata": { "finalizers": [] } });
        migration.api().patch(&record, &released);
        migration.api().delete(&record);
        migration.run(&["--apply", name]).is_done("1 done");
        migration.is_of_csi(name);
    }
}

#[test]
fn an_api_server_that_is_away_for_a_moment_ends_nothing() {
    let migration = Migration::with_csi_driver("migrate-away");
    for (name, writes_before) in [
        ("migrate-away-a", WRITES_BEFORE_DELETION),
        ("migrate-away-b", WRITES_BEFORE_CREATION),
    ] {
        migration.disk(name, &json!({}));
        let sprung = migration.gate.trap_write_after(Moment::Cut, writes_before);
        let ended = migration.run(&["--apply", name]);
        sprung.try_recv().expect("the request came");
        ended.is_done("1 done");
        assert!(ended.said.contains("it is tried again"), "{}", ended.said);
        migration.is_of_csi(name);
    }
}

#[test]
fn a_node_that_has_the_old_volume_when_it_is_gone_gets_it_back() {
    let migration = Migration::with_csi_driver("migrate-node");
    let name = "migrate-node-a";
    migration.disk(name, &json!({}));
    migration.node("migrate-node");
    gone(&migration, name);
    let attached = |volumes: Value| migration.has_attached("migrate-node", &volumes);
    attached(json!([{ "name": "flexvolume-migrate-node/disk/migrate-node-a", "devicePath": "" }]));
    migration.run(&["--apply", name]).is_left(&[
        "node migrate-node, which has it attached or mounted",
        "the old volume is back",
    ]);
    migration.is_flexvolume(name);
    attached(json!([]));
    migration.run(&["--apply", name]).is_done("1 done");
    migration.is_of_csi(name);
}

#[test]
fn a_pod_that_has_ended_on_a_node_may_have_left_its_disk_there() {
    let migration = Migration::with_csi_driver("migrate-ended");
    let name = "migrate-ended-a";
    migration.disk(name, &json!({}));
    migration.pod("job", name, Some(NODE));
    let ended = json!({ "status": { "phase": "Succeeded" } });
    let status = format!("{}/status", migration.path("pods", "job"));
    migration.api().patch(&status, &ended);
    migration
        .run(&["--apply", name])
        .is_left(&["pod migrate-ended/job, which has ended on node a-node"]);
    migration.remove_pod("job");
    migration.run(&["--apply", name]).is_done("1 done");
    migration.is_of_csi(name);
}

#[test]
fn a_pod_that_has_the_disk_itself_uses_it() {
    let migration = Migration::with_csi_driver("migrate-itself");
    let name = "migrate-itself-a";
    migration.disk(name, &json!({}));
    let source =
        json!({ "driver": "migrate-itself/disk", "options": { "volumeId": "d-migrateitselfa" } });
    let pod = json!({ "metadata": { "name": "itself" }, "spec": {
        "containers": [{ "name": "c", "image": "none" }],
        "volumes": [{ "name": "data", "flexVolume": source }],
    } });
    migration.api().create(&migration.path("pods", ""), &pod);
    migration
        .run(&["--apply", name])
        .is_left(&["pod migrate-itself/itself", "is the disk itself"]);
    migration.remove_pod("itself");
    migration.run(&["--apply", name]).is_done("1 done");
}

#[test]
fn a_volume_that_waited_for_nobody_when_it_went_does_not_after_it_came_back() {
    let migration = Migration::with_csi_driver("migrate-bare");
    let name = "migrate-bare-a";
    migration.disk(name, &json!({}));
    let path = format!("{VOLUMES}/{name}");
    let bare = json!({ "metadata": { "finalizers": ["kubernetes.io/pv-protection"] } });
    migration.api().patch(&path, &bare);
    let before = migration.volume(name)["metadata"]["finalizers"].clone();
    migration.run(&["--apply", name]).is_done("1 done");
    migration.is_of_csi(name);
    migration
        .run(&["--undo", "--apply", name])
        .is_done("1 done");
    assert_eq!(migration.volume(name)["metadata"]["finalizers"], before);
}

/// As a person does who finds it gone and has a copy of it.
#[test]
fn an_old_volume_that_a_person_brought_back_by_hand_is_taken_for_it() {
    let migration = Migration::with_csi_driver("migrate-byhand");
    let name = "migrate-byhand-a";
    let mut copy = migration.disk(name, &json!({}));
    gone(&migration, name);
    let metadata = json!({ "name": name, "annotations": copy["metadata"]["annotations"] });
    copy["metadata"] = metadata;
    let reference = copy["spec"]["claimRef"].as_object_mut().expect("an object");
    reference.retain(|field, _| !["uid", "resourceVersion"].contains(&field.as_str()));
    migration.api().create(VOLUMES, &copy);
    migration.run(&["--apply", name]).is_done("1 done");
    migration.is_of_csi(name);
}

#[test]
fn a_volume_that_could_not_come_back_does_not_go() {
    let migration = Migration::with_csi_driver("migrate-oneway");
    let name = "migrate-oneway-a";
    migration.disk(name, &json!({}));
    migration.forbid_new(
        "migrate-oneway",
        "has(object.spec.flexVolume) && object.spec.flexVolume.driver == 'migrate-oneway/disk'",
    );
    let before = migration.volume(name);
    migration
        .run(&["--apply", name])
        .is_left(&["would not take the volume back", "not in this cluster"]);
    assert_eq!(migration.volume(name), before);
    assert!(becomes(|| migration.records().is_empty()));
}

/// An administrator sees that the policy is Retain, and deletes the claim, which a pod still has.
#[test]
fn a_policy_stays_retain_where_the_claim_is_being_deleted_meanwhile() {
    let migration = Migration::with_csi_driver("migrate-going");
    let name = "migrate-going-a";
    migration.disk(name, &json!({}));
    killed_at(&migration, name, Moment::Before, DELETED);
    migration.pod("web-0", name, Some(NODE));
    let claim = migration.path("persistentvolumeclaims", name);
    migration.api().delete(&claim);
    let is_going = || migration.claim(name)["metadata"]["deletionTimestamp"].is_string();
    assert!(becomes(is_going), "{}", migration.claim(name));
    migration
        .run(&["--apply", name])
        .is_left(&["is Delete no more"]);
    let volume = migration.volume(name);
    assert_eq!(volume["spec"]["persistentVolumeReclaimPolicy"], "Retain");
    assert_eq!(volume["spec"]["flexVolume"]["driver"], "migrate-going/disk");
    assert!(migration.records().is_empty());
    migration.remove_pod("web-0");
}

#[test]
fn a_volume_that_others_deleted_before_it_was_touched_is_not_created_again() {
    let migration = Migration::with_csi_driver("migrate-vanished");
    let name = "migrate-vanished-a";
    migration.disk(name, &json!({}));
    killed_at(&migration, name, Moment::Before, MARKED);
    migration
        .api()
        .delete(&migration.path("persistentvolumeclaims", name));
    // As provisioners do once the disk is gone.
    let path = format!("{VOLUMES}/{name}");
    migration.api().delete(&path);
    migration
        .api()
        .patch(&path, &json!({ "metadata": { "finalizers": [] } }));
    assert!(becomes(|| !migration.has_volume(name)));
    migration
        .run(&["--apply", name])
        .is_left(&["others deleted it before it was replaced"]);
    assert!(!migration.has_volume(name));
    assert!(migration.records().is_empty());
    migration
        .run(&["--apply", name])
        .is_left(&["there is no such PersistentVolume"]);
}

#[test]
fn a_disk_that_was_brought_in_by_another_volume_in_between_is_not_given_to_both() {
    let migration = Migration::with_csi_driver("migrate-taken");
    let name = "migrate-taken-a";
    migration.disk(name, &json!({}));
    gone(&migration, name);
    let rescued = json!({ "metadata": { "name": "migrate-taken-rescued" }, "spec": {
        "capacity": { "storage": "20Gi" },
        "accessModes": ["ReadWriteOnce"],
        "persistentVolumeReclaimPolicy": "Retain",
        "storageClassName": "another",
        "csi": { "driver": migration.csi_driver(), "volumeHandle": "d-migratetakena" },
    } });
    migration.api().create(VOLUMES, &rescued);
    for arguments in [&["--apply", name][..], &["--undo", "--apply", name]] {
        let ended = migration.run(arguments);
        assert_eq!(ended.code, Some(1), "{}", ended.said);
        let words = "PersistentVolume migrate-taken-rescued is of disk d-migratetakena too";
        assert!(ended.said.contains(words), "{}", ended.said);
        assert!(!migration.has_volume(name));
    }
    migration
        .api()
        .delete(&format!("{VOLUMES}/migrate-taken-rescued"));
    assert!(becomes(|| !migration.has_volume("migrate-taken-rescued")));
    migration.run(&["--apply", name]).is_done("1 done");
    migration.is_of_csi(name);
}
