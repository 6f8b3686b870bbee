//! FlexVolume volumes become those of CSI and back, while their claims stay what they are.

use serde_json::{Value, json};

use crate::migration::Migration;
use crate::site::{Site, VOLUMES};

/// A claim without what the API server counts.
fn lasting(mut claim: Value) -> Value {
    let metadata = claim["metadata"].as_object_mut().expect("an object");
    metadata.retain(|field, _| !["resourceVersion", "managedFields"].contains(&field.as_str()));
    claim
}

#[test]
fn a_disk_becomes_a_volume_of_csi_and_its_claim_stays_what_it_is() {
    let migration = Migration::with_csi_driver("migrate-disk");
    let before = migration.disk("migrate-disk-a", &json!({}));
    let claim = migration.claim("migrate-disk-a");
    migration
        .run(&["--apply", "migrate-disk-a"])
        .is_done("is volume d-migratediska of CSI driver");
    migration.is_of_csi("migrate-disk-a");
    assert_eq!(lasting(migration.claim("migrate-disk-a")), lasting(claim));
    let after = migration.volume("migrate-disk-a");
    assert_ne!(after["metadata"]["uid"], before["metadata"]["uid"]);
    assert_eq!(after["metadata"]["labels"], before["metadata"]["labels"]);
    assert_eq!(after["spec"]["csi"]["fsType"], "ext4");
    for field in [
        "capacity",
        "accessModes",
        "storageClassName",
        "nodeAffinity",
        "volumeMode",
    ] {
        assert_eq!(after["spec"][field], before["spec"][field], "{field}");
    }
    assert_eq!(
        after["spec"]["claimRef"]["uid"],
        before["spec"]["claimRef"]["uid"]
    );
    let events = migration.events_of("migrate-disk-a");
    assert!(
        events.iter().any(|note| note.contains("d-migratediska")),
        "{events:?}"
    );
    migration
        .run(&["--apply", "migrate-disk-a"])
        .is_done("already");
}

#[test]
fn a_dry_run_says_what_would_be_done_and_changes_nothing() {
    let migration = Migration::with_csi_driver("migrate-dry");
    let before = migration.disk("migrate-dry-a", &json!({}));
    let ended = migration.run(&["migrate-dry-a"]);
    ended.is_done(
        "migrate-dry-a: would become volume d-migratedrya of CSI driver migrate-dry.csi.test",
    );
    ended.is_done("Nothing was changed");
    assert_eq!(migration.volume("migrate-dry-a"), before);
    assert_eq!(migration.gate.writes(), [""; 0]);
    migration
        .run(&["--undo", "migrate-dry-a"])
        .is_done("a FlexVolume of migrate-dry/disk already");
}

#[test]
fn all_volumes_of_a_class_are_migrated_by_its_name() {
    let migration = Migration::with_csi_driver("migrate-class");
    for name in ["migrate-class-a", "migrate-class-b"] {
        migration.disk(name, &json!({}));
    }
    let ended = migration.run(&["--apply", "--class", "migrate-class"]);
    ended.is_done("2 done, 0 to do, 0 left, 0 failed");
    for name in ["migrate-class-a", "migrate-class-b"] {
        migration.is_of_csi(name);
    }
}

#[test]
fn a_share_says_to_csi_what_it_said_to_flexvolume() {
    let migration = Migration::with_csi_driver("migrate-share");
    let options =
        json!({ "Server": "filer", "share": "/exports", "vers": "4.1", "readonly": "true" });
    let share = json!({
        "persistentVolumeReclaimPolicy": "Retain",
        "flexVolume": { "driver": "migrate-share/nfs", "options": options },
    });
    migration.disk("migrate-share-a", &share);
    migration
        .run(&["--apply", "migrate-share-a"])
        .is_done("1 done");
    migration.is_bound("migrate-share-a");
    let volume = migration.volume("migrate-share-a");
    let expected = json!({
        "driver": "migrate-share.csi.test",
        "volumeHandle": "migrate-share-a",
        "readOnly": true,
        "volumeAttributes": { "server": "filer", "share": "/exports", "vers": "4.1" },
    });
    assert_eq!(volume["spec"]["csi"], expected);
    assert_eq!(volume["spec"]["persistentVolumeReclaimPolicy"], "Retain");
    migration
        .run(&["--undo", "--apply", "migrate-share-a"])
        .is_done("1 done");
    assert_eq!(
        migration.volume("migrate-share-a")["spec"]["flexVolume"]["options"],
        options
    );
}

#[test]
fn a_volume_that_is_turned_back_is_what_it_was_and_as_large_as_it_is() {
    let migration = Migration::with_csi_driver("migrate-undo");
    let before = migration.disk("migrate-undo-a", &json!({}));
    migration
        .run(&["--apply", "migrate-undo-a"])
        .is_done("1 done");
    let larger = json!({ "spec": { "capacity": { "storage": "40Gi" } } });
    migration
        .api()
        .patch(&format!("{VOLUMES}/migrate-undo-a"), &larger);
    migration
        .run(&["--undo", "migrate-undo-a"])
        .is_done("would become a FlexVolume of migrate-undo/disk");
    migration
        .run(&["--undo", "--apply", "migrate-undo-a"])
        .is_done("is a FlexVolume of migrate-undo/disk now");
    migration.is_flexvolume("migrate-undo-a");
    let after = migration.volume("migrate-undo-a");
    assert_eq!(after["spec"]["flexVolume"], before["spec"]["flexVolume"]);
    assert_eq!(after["spec"]["capacity"]["storage"], "40Gi");
    assert_eq!(
        after["metadata"]["annotations"],
        before["metadata"]["annotations"]
    );
}

/// The provisioner is at work all the time, and would delete the disk of a volume that is Released with policy Delete.
#[test]
fn a_disk_outlives_its_way_there_and_back_beside_its_provisioner_and_goes_with_its_claim() {
    let site = Site::with_class("migrate-made");
    let migration = Migration::of("migrate-making", "migrate-made/disk");
    migration.install_csi_driver();
    let _provisioner = site.provisioner();
    site.claim("data", &json!({}));
    let volume = site.is_bound("data");
    let name = volume["metadata"]["name"]
        .as_str()
        .expect("a name")
        .to_owned();
    for round in 0..2 {
        migration.run(&["--apply", &name]).is_done("1 done");
        assert!(site.volumes().is_empty(), "round {round}");
        migration
            .run(&["--undo", "--apply", &name])
            .is_done("1 done");
        assert_eq!(
            (site.volumes().len(), site.disks().len()),
            (1, 1),
            "round {round}"
        );
    }
    assert_eq!(site.cloud.requests("DeleteDisk"), 0);
    let after = site.is_bound("data");
    assert_eq!(after["spec"]["flexVolume"], volume["spec"]["flexVolume"]);
    site.delete_claim("data");
    site.nothing_is_left();
}
