//! What cannot be made is told to the claim's owner, with what to do.

use serde_json::json;

use crate::site::{Site, VOLUMES};

#[test]
fn what_flexvolume_has_not_is_refused_and_no_cloud_is_asked() {
    let site = Site::with_class("refusals");
    let _provisioner = site.provisioner();
    site.claim("block", &json!({ "volumeMode": "Block" }));
    site.is_told("block", &["ProvisioningFailed", "volumeMode Filesystem"]);
    let mode = json!({ "accessModes": ["ReadWriteOncePod"] });
    site.claim("pod", &mode);
    site.is_told("pod", &["ProvisioningFailed", "ReadWriteOncePod"]);
    let attributes = json!({ "volumeAttributesClassName": "gold" });
    site.claim("attributes", &attributes);
    site.is_told(
        "attributes",
        &["ProvisioningFailed", "volumeAttributesClassName"],
    );
    assert_eq!(site.cloud.requests("CreateDisk"), 0);
    assert!(site.intents().is_empty());
}

#[test]
fn a_disk_that_was_there_is_neither_taken_nor_deleted() {
    let site = Site::with_class("was-there");
    let _provisioner = site.provisioner();
    site.claim("data", &json!({}));
    let volume = site.is_bound("data");
    let path = format!(
        "{VOLUMES}/{}",
        volume["metadata"]["name"].as_str().expect("a name")
    );
    let keep = json!({ "spec": { "persistentVolumeReclaimPolicy": "Retain" } });
    site.api().patch(&path, &keep);
    site.delete_claim("data");
    site.api().delete(&path);
    site.eventually("the object to go", || site.volumes().is_empty());
    let disks = site.disks();
    let class = json!({
        "metadata": { "name": "was-there-named" },
        "provisioner": "was-there/disk",
        "parameters": { "volume.alibabacloud.com/disk-id": disks[0] },
    });
    site.api()
        .create("/apis/storage.k8s.io/v1/storageclasses", &class);
    site.claim("named", &json!({ "storageClassName": "was-there-named" }));
    let parts = ["ProvisioningFailed", "disk-id", "names one volume"];
    site.is_told("named", &parts);
    site.delete_claim("named");
    site.claim("next", &json!({}));
    site.is_bound("next");
    assert!(site.disks().contains(&disks[0]));
    assert_eq!(site.cloud.requests("DeleteDisk"), 0);
}

#[test]
fn a_size_that_the_cloud_has_not_is_told_and_forgotten() {
    let site = Site::new("too-small");
    site.class(&json!({ "parameters": { "type": "cloud_ssd", "zoneid": "cn-hangzhou-g" } }));
    let _provisioner = site.provisioner();
    let small = json!({ "resources": { "requests": { "storage": "1Gi" } } });
    site.claim("data", &small);
    site.is_told("data", &["ProvisioningFailed", "20 GiB"]);
    site.eventually("what was written down to go", || site.intents().is_empty());
    assert!(site.disks().is_empty());
}

#[test]
fn mount_options_that_the_driver_has_no_option_for_are_refused() {
    let site = Site::new("mount-options");
    site.class(&json!({ "mountOptions": ["noatime"] }));
    let _provisioner = site.provisioner();
    site.claim("data", &json!({}));
    site.is_told(
        "data",
        &["ProvisioningFailed", "mountOptions", "leave them out"],
    );
    assert!(site.disks().is_empty());
}

#[test]
fn a_key_that_may_not_is_told_with_where_it_is_granted_and_goes_on_once_it_may() {
    let site = Site::with_class("denied");
    site.cloud.fault(&json!({
        "action": "CreateDisk", "kind": "error-before", "times": 2, "status": 403, "code": "Forbidden.RAM",
    }));
    let _provisioner = site.provisioner();
    site.claim("data", &json!({}));
    site.is_told(
        "data",
        &[
            "ProvisioningFailed",
            "Forbidden.RAM",
            "[grants.signing]",
            "alicloud-disk.toml",
            "RAM policy",
        ],
    );
    site.is_bound("data");
    assert_eq!(site.disks().len(), 1);
}

#[test]
fn what_is_said_of_a_claim_later_is_said_in_its_own_words() {
    let site = Site::with_class("two-reasons");
    for code in ["Forbidden.RAM", "Forbidden.SubUser"] {
        site.cloud.fault(&json!({
            "action": "CreateDisk", "kind": "error-before", "times": 1, "status": 403, "code": code,
        }));
    }
    let _provisioner = site.provisioner();
    site.claim("data", &json!({}));
    site.is_told("data", &["ProvisioningFailed", "Forbidden.RAM"]);
    site.is_told("data", &["ProvisioningFailed", "Forbidden.SubUser"]);
    site.is_bound("data");
}

#[test]
fn a_disk_that_cannot_be_deleted_is_told_at_its_volume_and_goes_once_it_can() {
    let site = Site::with_class("held");
    let _provisioner = site.provisioner();
    site.claim("data", &json!({}));
    let volume = site.is_bound("data");
    site.cloud.fault(&json!({
        "action": "DeleteDisk", "kind": "error-before", "times": 2, "status": 403, "code": "Forbidden.RAM",
    }));
    site.delete_claim("data");
    let name = volume["metadata"]["name"].as_str().expect("a name");
    site.eventually("the volume to be told", || {
        let events = site
            .api()
            .list("/apis/events.k8s.io/v1/namespaces/default/events");
        events.iter().any(|event| {
            event["regarding"]["name"] == name && event["reason"] == "VolumeFailedDelete"
        })
    });
    site.nothing_is_left();
}
