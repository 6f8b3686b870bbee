//! Whoever migrates is killed at whatever step, and pods and claims come and go meanwhile: who comes next brings it to the
//! end, and the volume is usable.

use drivebay_tests::becomes;
use serde_json::json;

use crate::crashes::DELETED;
use crate::gate::{Moment, Request};
use crate::migration::{Migration, NODE};
use crate::site::{Site, VOLUMES};

/// Fewer than a migration has, so that a test that kills nobody is found.
const LEAST_WRITES: usize = 9;

/// Requests before the one that creates the new volume: whether it would be, and the old one again, the record, Retain, that it
/// is deleted, the deletion, the finalizers.
pub(crate) const WRITES_BEFORE_CREATION: usize = 7;

/// Kills at each request that changes something, before and after the API server has carried it out, each time on the way
/// of another volume; `then` brings it to an end. How many requests there were.
fn killed_everywhere(
    migration: &Migration,
    begin: impl Fn(&str),
    arguments: &[&str],
    then: impl Fn(&str),
) -> usize {
    for writes in 0.. {
        for (moment, word) in [(Moment::Before, "before"), (Moment::After, "after")] {
            let name = format!("{}-{writes}-{word}", migration.name());
            begin(&name);
            let sprung = migration.gate.trap_write_after(moment, writes);
            let was_killed = migration.is_killed(&[arguments, &[&name]].concat(), &sprung);
            then(&name);
            if !was_killed {
                return writes;
            }
        }
    }
    0
}

#[test]
fn whoever_comes_after_one_that_was_killed_ends_it() {
    let migration = Migration::with_csi_driver("migrate-killed");
    let begin = |name: &str| drop(migration.disk(name, &json!({})));
    let writes = killed_everywhere(&migration, begin, &["--apply"], |name| {
        migration.run(&["--apply", name]).is_done("1 done");
        migration.is_of_csi(name);
    });
    assert!(writes >= LEAST_WRITES, "{writes}");
}

#[test]
fn whoever_was_killed_on_the_way_back_is_followed_too() {
    let migration = Migration::with_csi_driver("migrate-back");
    let begin = |name: &str| {
        migration.disk(name, &json!({}));
        migration.run(&["--apply", name]).is_done("1 done");
    };
    let writes = killed_everywhere(&migration, begin, &["--undo", "--apply"], |name| {
        migration
            .run(&["--undo", "--apply", name])
            .is_done("1 done");
        migration.is_flexvolume(name);
    });
    assert!(writes >= LEAST_WRITES, "{writes}");
}

#[test]
fn what_was_begun_and_killed_can_be_taken_back_at_each_step() {
    let migration = Migration::with_csi_driver("migrate-turned");
    let begin = |name: &str| drop(migration.disk(name, &json!({})));
    let writes = killed_everywhere(&migration, begin, &["--apply"], |name| {
        migration
            .run(&["--undo", "--apply", name])
            .is_done("1 done");
        migration.is_flexvolume(name);
    });
    assert!(writes >= LEAST_WRITES, "{writes}");
}

/// Kills it there.
#[track_caller]
pub(crate) fn killed_at(migration: &Migration, name: &str, moment: Moment, request: Request) {
    let sprung = migration.gate.trap(moment, request);
    assert!(
        migration.is_killed(&["--apply", name], &sprung),
        "the request comes"
    );
}

#[test]
fn a_pod_that_comes_before_the_volume_is_deleted_has_it_as_it_was() {
    let migration = Migration::with_csi_driver("migrate-early");
    let name = "migrate-early-a";
    migration.disk(name, &json!({}));
    killed_at(&migration, name, Moment::Before, DELETED);
    assert_eq!(
        migration.volume(name)["spec"]["persistentVolumeReclaimPolicy"],
        "Retain"
    );
    migration.pod("web-0", name, Some(NODE));
    migration
        .run(&["--apply", name])
        .is_left(&["pod migrate-early/web-0 on node a-node"]);
    migration.is_flexvolume(name);
    migration.remove_pod("web-0");
    migration.run(&["--apply", name]).is_done("1 done");
    migration.is_of_csi(name);
}

#[test]
fn a_pod_on_a_node_when_the_volume_is_gone_gets_the_old_one_back() {
    let migration = Migration::with_csi_driver("migrate-midst");
    let name = "migrate-midst-a";
    migration.disk(name, &json!({}));
    let before = migration.volume(name);
    gone(&migration, name);
    migration.pod("web-0", name, Some(NODE));
    migration.run(&["--apply", name]).is_left(&[
        "pod migrate-midst/web-0 on node a-node came",
        "the old volume is back",
    ]);
    migration.is_flexvolume(name);
    assert_eq!(
        migration.volume(name)["spec"]["flexVolume"],
        before["spec"]["flexVolume"]
    );
    migration.remove_pod("web-0");
    migration.run(&["--apply", name]).is_done("1 done");
    migration.is_of_csi(name);
}

#[test]
fn a_pod_without_a_node_gets_the_new_volume_and_is_told() {
    let migration = Migration::with_csi_driver("migrate-late");
    let name = "migrate-late-a";
    migration.disk(name, &json!({}));
    gone(&migration, name);
    migration.pod("web-0", name, None);
    migration.run(&["--apply", name]).is_done("1 done");
    migration.is_of_csi(name);
    let told = migration.events_of("web-0");
    assert!(
        told.iter().any(|note| note.contains("of CSI driver")),
        "{told:?}"
    );
}

/// Kills it between the deletion of the old volume and the creation of the new one.
#[track_caller]
pub(crate) fn gone(migration: &Migration, name: &str) {
    let sprung = migration
        .gate
        .trap_write_after(Moment::Before, WRITES_BEFORE_CREATION);
    assert!(
        migration.is_killed(&["--apply", name], &sprung),
        "the request comes"
    );
    assert!(!migration.has_volume(name));
    let is_lost = || migration.claim(name)["status"]["phase"] == "Lost";
    assert!(becomes(is_lost), "nobody has the volume");
}

#[test]
fn a_claim_that_is_deleted_in_the_midst_leaves_a_volume_that_is_kept_and_told() {
    let migration = Migration::with_csi_driver("migrate-deleted");
    let name = "migrate-deleted-a";
    migration.disk(name, &json!({}));
    gone(&migration, name);
    let claim = migration.path("persistentvolumeclaims", name);
    migration.api().delete(&claim);
    assert!(becomes(|| migration.api().find(&claim).is_none()));
    let ended = migration.run(&["--apply", name]);
    assert_eq!(ended.code, Some(3), "{}", ended.said);
    assert!(ended.said.contains("is Delete no more"), "{}", ended.said);
    let volume = migration.volume(name);
    assert_eq!(volume["status"]["phase"], "Released", "{volume}");
    assert_eq!(
        volume["spec"]["persistentVolumeReclaimPolicy"], "Retain",
        "{volume}"
    );
    assert!(migration.records().is_empty());
}

/// With the provisioner at work all the time: it deletes the disk when somebody says so, and not before.
#[test]
fn a_disk_whose_claim_goes_in_the_midst_is_kept_until_its_policy_is_set_again() {
    let site = Site::with_class("migrate-orphan");
    let migration = Migration::of("migrate-orphans", "migrate-orphan/disk");
    migration.install_csi_driver();
    let _provisioner = site.provisioner();
    site.claim("data", &json!({}));
    let volume = site.is_bound("data");
    let name = volume["metadata"]["name"].as_str().expect("a name");
    site.eventually("what was written down to go", || site.intents().is_empty());
    killed_at(&migration, name, Moment::After, DELETED);
    site.delete_claim("data");
    site.claim("another", &json!({}));
    site.is_bound("another");
    assert_eq!(
        (site.disks().len(), site.cloud.requests("DeleteDisk")),
        (2, 0)
    );
    site.delete_claim("another");
    site.eventually("the other disk to go", || site.disks().len() == 1);
    migration.run(&["--undo", "--apply", name]);
    let records = migration.records();
    assert!(records.is_empty(), "{records:?}");
    assert_eq!(site.disks().len(), 1);
    let delete = json!({ "spec": { "persistentVolumeReclaimPolicy": "Delete" } });
    site.api().patch(&format!("{VOLUMES}/{name}"), &delete);
    site.nothing_is_left();
}

#[test]
fn a_volume_that_another_made_meanwhile_is_let_alone() {
    let migration = Migration::with_csi_driver("migrate-foreign");
    let name = "migrate-foreign-a";
    migration.disk(name, &json!({}));
    gone(&migration, name);
    let foreign = json!({
        "metadata": { "name": name },
        "spec": {
            "capacity": { "storage": "1Gi" },
            "accessModes": ["ReadOnlyMany"],
            "storageClassName": "another",
            // Of nobody's, the binder would take it for the claim's.
            "claimRef": {
                "apiVersion": "v1", "kind": "PersistentVolumeClaim", "namespace": "default", "name": "gone",
                "uid": "00000000-0000-4000-8000-000000000000",
            },
            "csi": { "driver": "another", "volumeHandle": "another" },
        },
    });
    migration.api().create(VOLUMES, &foreign);
    let ended = migration.run(&["--apply", name]);
    assert_eq!(ended.code, Some(1), "{}", ended.said);
    assert!(
        ended.said.contains("neither the old one nor the new one"),
        "{}",
        ended.said
    );
    migration.api().delete(&format!("{}/{name}", VOLUMES));
    assert!(becomes(|| !migration.has_volume(name)));
    migration.run(&["--apply", name]).is_done("1 done");
    migration.is_of_csi(name);
}
