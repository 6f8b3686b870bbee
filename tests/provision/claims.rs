//! A claim becomes a volume that says what was made, and goes as its class says.

use serde_json::{Value, json};

use crate::site::{Site, VOLUMES};

#[test]
fn a_claim_gets_a_disk_which_goes_with_it() {
    let site = Site::with_class("claims");
    let _provisioner = site.provisioner();
    site.claim("data", &json!({}));
    let volume = site.is_bound("data");
    let claim = site.found_claim("data").expect("it is there");
    let uid = claim["metadata"]["uid"].as_str().expect("a UID");
    let disks = site.cloud.disks();
    let [disk] = &disks[..] else {
        panic!("not one disk: {disks:?}");
    };
    assert_eq!(volume["metadata"]["name"], format!("pvc-{uid}"));
    assert_eq!(
        volume["metadata"]["annotations"]["pv.kubernetes.io/provisioned-by"],
        "claims/disk"
    );
    let spec = &volume["spec"];
    assert_eq!(spec["claimRef"]["uid"], uid);
    assert_eq!(spec["capacity"]["storage"], "20Gi");
    assert_eq!(spec["persistentVolumeReclaimPolicy"], "Delete");
    assert_eq!(spec["flexVolume"]["driver"], "claims/disk");
    assert_eq!(spec["flexVolume"]["options"]["VolumeId"], disk["id"]);
    let zone = &spec["nodeAffinity"]["required"]["nodeSelectorTerms"][0]["matchExpressions"][0];
    assert_eq!(zone["key"], "topology.kubernetes.io/zone");
    assert_eq!(zone["values"], json!(["cn-hangzhou-g"]));
    assert_eq!(
        (&disk["category"], &disk["size"]),
        (&json!("cloud_essd"), &json!(20))
    );
    assert!(disk["tags"].to_string().contains("data"), "{disk}");
    site.is_told(
        "data",
        &["ProvisioningSucceeded", disk["id"].as_str().expect("an id")],
    );
    site.eventually("what was written down to go", || site.intents().is_empty());
    site.delete_claim("data");
    site.nothing_is_left();
    let writes = site.gate.writes();
    let made: Vec<&String> = writes
        .iter()
        .filter(|write| write.starts_with("POST /api/v1/"))
        .collect();
    assert_eq!(made.len(), 2, "one intent and one volume: {writes:?}");
}

#[test]
fn a_volume_that_is_to_be_kept_stays_with_its_disk() {
    let site = Site::new("kept");
    site.class(&json!({ "reclaimPolicy": "Retain" }));
    let provisioner = site.provisioner();
    site.claim("data", &json!({}));
    let volume = site.is_bound("data");
    let name = volume["metadata"]["name"].as_str().expect("a name");
    site.delete_claim("data");
    let current = || site.api().find(&format!("{VOLUMES}/{name}"));
    site.eventually("the volume to be released", || {
        current().is_some_and(|volume| volume["status"]["phase"] == "Released")
    });
    // The next process looks at all that there is.
    provisioner.stop();
    let _provisioner = site.provisioner();
    site.claim("other", &json!({}));
    site.is_bound("other");
    assert_eq!((site.disks().len(), current().is_some()), (2, true));
    // As an administrator removes it: nothing holds the object, and nothing deletes the disk.
    site.api().delete(&format!("{VOLUMES}/{name}"));
    site.eventually("the object to go", || current().is_none());
    assert_eq!(site.disks().len(), 2);
}

#[test]
fn ten_claims_at_once_get_ten_disks() {
    let site = Site::with_class("many");
    let _provisioner = site.provisioner();
    let names: Vec<String> = (0..10).map(|number| format!("data-{number}")).collect();
    for name in &names {
        site.claim(name, &json!({}));
    }
    let mut disks: Vec<Value> = names
        .iter()
        .map(|name| site.is_bound(name)["spec"]["flexVolume"]["options"]["VolumeId"].clone())
        .collect();
    disks.sort_by_key(ToString::to_string);
    disks.dedup();
    assert_eq!((disks.len(), site.disks().len()), (10, 10));
    for name in &names {
        site.delete_claim(name);
    }
    site.nothing_is_left();
}

#[test]
fn a_volume_of_the_controller_before_is_deleted_with_its_claim() {
    let site = Site::with_class("before");
    let provisioner = site.provisioner();
    site.claim("data", &json!({}));
    let made = site.is_bound("data");
    let disk = made["spec"]["flexVolume"]["options"]["VolumeId"].clone();
    provisioner.stop();
    // What that wrote: named as its disk, with no word of ours, and already left by its claim.
    let name = made["metadata"]["name"].as_str().expect("a name");
    let orphan = json!({
        "metadata": {
            "name": disk,
            "annotations": { "pv.kubernetes.io/provisioned-by": "before/disk" },
        },
        "spec": {
            "capacity": { "storage": "20Gi" },
            "accessModes": ["ReadWriteOnce"],
            "persistentVolumeReclaimPolicy": "Delete",
            "storageClassName": "before",
            "claimRef": {
                "apiVersion": "v1", "kind": "PersistentVolumeClaim", "namespace": "before", "name": "gone",
                "uid": "00000000-0000-4000-8000-000000000000",
            },
            "flexVolume": { "driver": "before/disk", "fsType": "ext4", "options": { "VolumeId": disk } },
        },
    });
    site.api().patch(
        &format!("{VOLUMES}/{name}"),
        &json!({ "metadata": { "finalizers": null }, "spec": { "persistentVolumeReclaimPolicy": "Retain" } }),
    );
    site.delete_claim("data");
    site.api().delete(&format!("{VOLUMES}/{name}"));
    site.eventually("the new object to go", || site.volumes().is_empty());
    assert_eq!(site.disks().len(), 1);
    site.api().create(VOLUMES, &orphan);
    let _provisioner = site.provisioner();
    site.nothing_is_left();
}
