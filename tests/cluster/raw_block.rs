//! Claims of devices themselves, and of disks that several share.

use serde_json::json;

use crate::class::Class;
use crate::installation::CLASS;
use crate::kubectl::eventually;
use crate::site::{Site, claim, pod};
use crate::turns::beside_others;

#[test]
#[ignore = "needs a cluster"]
fn a_pod_has_the_device_itself_and_it_keeps_what_was_written() {
    let _turn = beside_others();
    let site = Site::new("raw-block");
    let mut raw = claim("disk", CLASS, 20);
    raw["spec"]["volumeMode"] = json!("Block");
    site.apply(&[raw, with_device("app")]);
    site.is_ready("app");
    assert_eq!(
        site.exec("app", "blockdev --getsize64 /dev/disk"),
        "21474836480"
    );
    site.exec(
        "app",
        "echo kept | dd of=/dev/disk bs=512 conv=sync count=1 2> /dev/null; sync",
    );
    site.delete_pod("app");
    site.apply(&[with_device("next")]);
    site.is_ready("next");
    assert_eq!(site.exec("next", "head -c 4 /dev/disk"), "kept");
}

#[test]
#[ignore = "needs a cluster"]
fn two_pods_share_a_disk() {
    let _turn = beside_others();
    let shared = json!({ "type": "cloud_essd", "performanceLevel": "PL1", "multiAttach": "true" });
    let class = Class::of_disks("test-shared", &shared);
    let site = Site::new("shared-disk");
    let mut raw = claim("disk", class.name(), 20);
    raw["spec"]["volumeMode"] = json!("Block");
    raw["spec"]["accessModes"] = json!(["ReadWriteMany"]);
    site.apply(&[raw, with_device("one"), with_device("other")]);
    site.is_ready("one");
    site.is_ready("other");
    let write = "echo shared | dd of=/dev/disk bs=512 conv=sync count=1 2> /dev/null; sync";
    site.exec("one", write);
    assert_eq!(site.exec("other", "head -c 6 /dev/disk"), "shared");
    site.delete_pod("one");
    assert_eq!(site.exec("other", "head -c 6 /dev/disk"), "shared");
}

#[test]
#[ignore = "needs a cluster"]
fn a_filesystem_that_pods_of_many_nodes_ask_for_is_refused_at_the_claim() {
    let _turn = beside_others();
    let site = Site::new("shared-filesystem");
    let mut many = claim("data", CLASS, 20);
    many["spec"]["accessModes"] = json!(["ReadWriteMany"]);
    site.apply(&[many, pod("app", "data")]);
    eventually("the refusal to be seen at the claim", || {
        let events = site.events_of("data");
        events.contains("ProvisioningFailed") && events.contains("InvalidArgument")
    });
}

/// A pod that has the claim as a device and nothing mounted.
fn with_device(name: &str) -> serde_json::Value {
    let mut pod = pod(name, "disk");
    let container = &mut pod["spec"]["containers"][0];
    container["volumeMounts"] = json!([]);
    container["volumeDevices"] = json!([{ "name": "data", "devicePath": "/dev/disk" }]);
    pod
}
