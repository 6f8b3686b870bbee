//! What cannot be right is left as it is, with its reason.

use drivebay_tests::becomes;
use serde_json::{Value, json};

use crate::migration::{Migration, NODE};
use crate::site::VOLUMES;

/// Tries it; the volume is what it was.
#[track_caller]
fn is_left(migration: &Migration, name: &str, parts: &[&str]) {
    let before = migration.volume(name);
    for arguments in [&[name][..], &["--apply", name]] {
        migration.run(arguments).is_left(parts);
    }
    assert_eq!(migration.volume(name), before);
    assert!(migration.records().is_empty());
}

#[test]
fn a_volume_in_use_is_left_and_its_pod_is_named() {
    let migration = Migration::with_csi_driver("migrate-used");
    migration.disk("migrate-used-a", &json!({}));
    migration.pod("web-0", "migrate-used-a", Some(NODE));
    is_left(
        &migration,
        "migrate-used-a",
        &["pod migrate-used/web-0 on node a-node", "scaling down"],
    );
    migration.remove_pod("web-0");
    migration.pod("waits", "migrate-used-a", None);
    is_left(
        &migration,
        "migrate-used-a",
        &["pod migrate-used/waits, which has no node yet"],
    );
    let ended = json!({ "status": { "phase": "Succeeded" } });
    migration.api().patch(
        &format!("{}/status", migration.path("pods", "waits")),
        &ended,
    );
    migration
        .run(&["--apply", "migrate-used-a"])
        .is_done("1 done");
    migration.is_of_csi("migrate-used-a");
}

#[test]
fn a_volume_that_is_attached_is_left_and_the_node_is_named() {
    let migration = Migration::with_csi_driver("migrate-attached");
    migration.disk("migrate-attached-a", &json!({}));
    migration.node("migrate-attached");
    let attached = |volumes: Value| migration.has_attached("migrate-attached", &volumes);
    attached(
        json!([{ "name": "flexvolume-migrate-attached/disk/migrate-attached-a", "devicePath": "" }]),
    );
    is_left(
        &migration,
        "migrate-attached-a",
        &["node migrate-attached, which has it attached"],
    );
    attached(json!([]));
    migration
        .run(&["--apply", "migrate-attached-a"])
        .is_done("1 done");
    let attachment = json!({
        "metadata": { "name": "migrate-attached" },
        "spec": {
            "attacher": migration.csi_driver(),
            "nodeName": "migrate-attached",
            "source": { "persistentVolumeName": "migrate-attached-a" },
        },
    });
    migration
        .api()
        .create("/apis/storage.k8s.io/v1/volumeattachments", &attachment);
    let undone = migration.run(&["--undo", "--apply", "migrate-attached-a"]);
    undone.is_left(&["VolumeAttachment migrate-attached to node migrate-attached"]);
    migration.is_of_csi("migrate-attached-a");
}

#[test]
fn an_option_that_is_not_known_is_left_by_name() {
    let migration = Migration::with_csi_driver("migrate-option");
    let unknown = |options: Value| json!({ "flexVolume": { "driver": "migrate-option/disk", "options": options } });
    migration.disk(
        "migrate-option-a",
        &unknown(json!({ "VolumeId": "d-1", "speed": "high" })),
    );
    is_left(
        &migration,
        "migrate-option-a",
        &["option \"speed\" is not known"],
    );
    migration.disk("migrate-option-b", &unknown(json!({ "VolumeId": "data" })));
    is_left(
        &migration,
        "migrate-option-b",
        &["\"data\" is no disk's id"],
    );
}

#[test]
fn a_disk_of_two_volumes_is_left_and_the_other_one_is_named() {
    let migration = Migration::with_csi_driver("migrate-twice");
    let same = json!({ "flexVolume": { "driver": "migrate-twice/disk", "options": { "volumeid": "d-twice" } } });
    for name in ["migrate-twice-a", "migrate-twice-b"] {
        migration.disk(name, &same);
    }
    is_left(
        &migration,
        "migrate-twice-a",
        &["PersistentVolume migrate-twice-b is of disk d-twice too"],
    );
}

#[test]
fn without_the_csi_driver_and_without_a_claim_nothing_is_done() {
    let migration = Migration::new("migrate-none");
    migration.disk("migrate-none-a", &json!({}));
    is_left(
        &migration,
        "migrate-none-a",
        &["no CSIDriver migrate-none.csi.test is in this cluster"],
    );
    migration.install_csi_driver();
    let claim = migration.path("persistentvolumeclaims", "migrate-none-a");
    let keep = json!({ "spec": { "persistentVolumeReclaimPolicy": "Retain" } });
    migration
        .api()
        .patch(&format!("{}/migrate-none-a", VOLUMES), &keep);
    migration.api().delete(&claim);
    let is_released = || migration.volume("migrate-none-a")["status"]["phase"] == "Released";
    assert!(becomes(is_released));
    is_left(&migration, "migrate-none-a", &["it is Released, not Bound"]);
    migration
        .run(&["--apply", "nowhere"])
        .is_left(&["nowhere: left: there is no such PersistentVolume"]);
}

#[test]
fn what_the_api_server_would_refuse_is_left_before_anything_is_changed() {
    let migration = Migration::with_csi_driver("migrate-refused");
    migration.disk("migrate-refused-a", &json!({}));
    migration.forbid_new(
        "migrate-refused",
        "has(object.spec.csi) && object.spec.csi.driver == 'migrate-refused.csi.test'",
    );
    let before = migration.volume("migrate-refused-a");
    migration
        .run(&["--apply", "migrate-refused-a"])
        .is_left(&["would not take", "not in this cluster"]);
    assert_eq!(migration.volume("migrate-refused-a"), before);
    assert!(migration.records().is_empty());
}

#[test]
fn flexvolumes_in_pods_themselves_are_named() {
    let migration = Migration::with_csi_driver("migrate-inline");
    migration.disk("migrate-inline-a", &json!({}));
    let template = json!({
        "metadata": { "labels": { "app": "web" } },
        "spec": {
            "containers": [{ "name": "c", "image": "none" }],
            "volumes": [{ "name": "data", "flexVolume": {
                "driver": "migrate-inline/nfs", "options": { "server": "s", "share": "/a" },
            } }],
        },
    });
    let deployment = json!({
        "metadata": { "name": "web" },
        "spec": { "replicas": 0, "selector": { "matchLabels": { "app": "web" } }, "template": template },
    });
    migration.api().create(
        "/apis/apps/v1/namespaces/migrate-inline/deployments",
        &deployment,
    );
    let ended = migration.run(&["migrate-inline-a"]);
    ended.is_done("Deployment migrate-inline/web: volume data is a FlexVolume of migrate-inline/nfs in the pod itself");
}
