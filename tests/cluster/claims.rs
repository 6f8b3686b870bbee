//! A claim becomes a disk where its pod runs, a pod writes to it, and what is deleted is gone.

use serde_json::json;

use crate::class::Class;
use crate::cloud;
use crate::installation::{CLASS, DISK_DRIVER, NFS_DRIVER, is_ready, mounts_of, node, registered};
use crate::kubectl::{eventually, get, try_get};
use crate::site::{Site, claim, pod};
use crate::turns::beside_others;

#[test]
#[ignore = "needs a cluster"]
fn both_drivers_come_up_and_register_at_kubelet_by_themselves() {
    let _turn = beside_others();
    is_ready();
    let drivers = registered();
    assert!(drivers.contains(&DISK_DRIVER.to_owned()) && drivers.contains(&NFS_DRIVER.to_owned()));
    let csinode = get(&["csinode", &node()]);
    let drivers = csinode["spec"]["drivers"]
        .as_array()
        .expect("registered")
        .clone();
    let disks = drivers
        .iter()
        .find(|driver| driver["name"] == DISK_DRIVER)
        .expect("one");
    assert_eq!(disks["nodeID"], cloud::INSTANCE, "{disks}");
    assert_eq!(
        disks["allocatable"]["count"], 15,
        "what MAX_VOLUMES_PERNODE says: {disks}"
    );
}

#[test]
#[ignore = "needs a cluster"]
fn a_claim_waits_for_its_pod_and_the_pod_writes() {
    let _turn = beside_others();
    let site = Site::new("claims");
    site.apply(&[claim("data", CLASS, 20)]);
    eventually("the claim to wait for a pod", || {
        site.events_of("data").contains("WaitForFirstConsumer")
    });
    site.apply(&[pod("app", "data")]);
    let volume = site.is_bound("data");
    site.is_ready("app");
    assert_eq!(
        site.exec("app", "echo kept > /data/file; sync; cat /data/file"),
        "kept"
    );
    assert!(
        site.exec("app", "grep ' /data ' /proc/mounts")
            .contains(" ext4 rw")
    );

    let object = get(&["pv", &volume]);
    let disk = object["spec"]["csi"]["volumeHandle"]
        .as_str()
        .expect("an id")
        .to_owned();
    assert_eq!(cloud::attachments(&disk), [cloud::INSTANCE]);
    let zone = object["spec"]["nodeAffinity"].to_string();
    assert!(
        zone.contains("cn-hangzhou-g"),
        "not bound to the disk's zone: {zone}"
    );

    // Another pod of the same claim finds what was written.
    site.delete_pod("app");
    site.apply(&[pod("next", "data")]);
    site.is_ready("next");
    assert_eq!(site.exec("next", "cat /data/file"), "kept");

    site.delete_pod("next");
    site.kubectl(&["delete", "pvc", "data"]);
    eventually("the volume and its disk to be gone", || {
        try_get(&["pv", &volume]).is_none() && cloud::disk(&disk).is_none()
    });
    assert_eq!(mounts_of(&volume), [""; 0], "left mounted");
}

#[test]
#[ignore = "needs a cluster"]
fn a_claim_that_no_disk_can_answer_says_why() {
    let _turn = beside_others();
    let class = Class::of_disks("test-unheard-of", &json!({ "type": "cloud_unheard_of" }));
    let site = Site::new("refused-claim");
    site.apply(&[claim("data", class.name(), 20), pod("app", "data")]);
    eventually("the claim's events to say why", || {
        let events = site.events_of("data");
        events.contains("ProvisioningFailed") && events.contains("cloud_unheard_of")
    });
    assert_eq!(site.get("pvc", "data")["status"]["phase"], "Pending");
}
