//! Nothing is deleted that another object is of, or of which it is not said what it is.

use serde_json::{Value, json};

use crate::site::{Site, VOLUMES};

/// A claim's volume that is kept, and the disk that it is of.
#[track_caller]
fn kept(site: &Site) -> (String, Value) {
    site.claim("data", &json!({}));
    let volume = site.is_bound("data");
    let name = volume["metadata"]["name"].as_str().expect("a name");
    let keep = json!({ "spec": { "persistentVolumeReclaimPolicy": "Retain" } });
    site.api().patch(&format!("{VOLUMES}/{name}"), &keep);
    let disk = volume["spec"]["flexVolume"]["options"]["VolumeId"].clone();
    (name.to_owned(), disk)
}

/// A volume of such a name and class, which its claim has left, that says two ids.
fn released(name: &str, driver: &str, written: Option<&Value>, option: &Value) -> Value {
    json!({
        "metadata": {
            "name": name,
            "annotations": { "pv.kubernetes.io/provisioned-by": driver, "drivebay.dev/volume-id": written },
        },
        "spec": {
            "capacity": { "storage": "20Gi" },
            "accessModes": ["ReadWriteOnce"],
            "persistentVolumeReclaimPolicy": "Delete",
            "storageClassName": "none",
            "claimRef": {
                "apiVersion": "v1", "kind": "PersistentVolumeClaim", "namespace": "default", "name": "gone",
                "uid": "00000000-0000-4000-8000-000000000000",
            },
            "flexVolume": { "driver": driver, "options": { "VolumeId": option } },
        },
    })
}

/// Waits until that is told of a volume, which has no namespace.
#[track_caller]
fn is_told(site: &Site, name: &str, part: &str) {
    let events = "/apis/events.k8s.io/v1/namespaces/default/events";
    site.eventually(&format!("{name} to be told {part:?}"), || {
        site.api().list(events).iter().any(|event| {
            let note = event["note"].as_str().unwrap_or_default();
            event["regarding"]["name"] == name
                && event["reason"] == "VolumeFailedDelete"
                && note.contains(part)
        })
    });
}

#[test]
fn a_disk_that_another_volume_is_of_is_not_deleted() {
    let site = Site::with_class("twice");
    let _provisioner = site.provisioner();
    let (name, disk) = kept(&site);
    let second = released("twice-second", "twice/disk", Some(&disk), &disk);
    site.api().create(VOLUMES, &second);
    is_told(&site, "twice-second", &name);
    assert_eq!((site.disks().len(), site.volumes().len()), (1, 2));
    assert_eq!(site.cloud.requests("DeleteDisk"), 0);
}

#[test]
fn a_volume_that_says_two_disks_deletes_neither() {
    let site = Site::with_class("two-ids");
    let _provisioner = site.provisioner();
    let (_, disk) = kept(&site);
    let other = json!("d-another");
    let two = released("two-ids-both", "two-ids/disk", Some(&disk), &other);
    site.api().create(VOLUMES, &two);
    is_told(&site, "two-ids-both", "d-another");
    assert_eq!((site.disks().len(), site.volumes().len()), (1, 2));
    assert_eq!(site.cloud.requests("DeleteDisk"), 0);
}
