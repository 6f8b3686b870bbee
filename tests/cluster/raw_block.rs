//! A claim of a device itself.

use serde_json::json;

use crate::installation::CLASS;
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

/// A pod that has the claim as a device and nothing mounted.
fn with_device(name: &str) -> serde_json::Value {
    let mut pod = pod(name, "disk");
    let container = &mut pod["spec"]["containers"][0];
    container["volumeMounts"] = json!([]);
    container["volumeDevices"] = json!([{ "name": "data", "devicePath": "/dev/disk" }]);
    pod
}
