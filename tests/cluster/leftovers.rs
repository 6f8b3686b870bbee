//! After all other tests, whose claims and pods are gone: nothing of them is left on the node or in the cloud.
//!
//! `cargo xtask test` runs these by themselves, after the others.

use crate::cloud;
use crate::installation::{is_ready, mounts_of};
use crate::kubectl::{eventually, get, node_says};
use crate::turns::alone;

/// Where drivers remember what is mounted and attached, on the node.
const JOURNALS: &str = "/var/lib/drivebay/journal";

#[test]
#[ignore = "needs a cluster that has done something"]
fn no_volume_and_no_disk_of_a_test_is_left() {
    let _turn = alone();
    is_ready();
    eventually("the volumes to be gone", || objects("pv") == 0);
    eventually("the attachments to be gone", || {
        objects("volumeattachment") == 0
    });
    let disks = cloud::disks();
    assert!(disks.is_empty(), "disks are left: {disks:?}");
    let snapshots = cloud::snapshots();
    assert!(snapshots.is_empty(), "snapshots are left: {snapshots:?}");
}

#[test]
#[ignore = "needs a cluster that has done something"]
fn nothing_is_mounted_and_no_device_is_plugged_in() {
    let _turn = alone();
    is_ready();
    for of_volumes in [
        "/plugins/kubernetes.io/",
        "kubernetes.io~csi",
        "kubernetes.io~flexvolume",
    ] {
        let left = mounts_of(of_volumes);
        assert!(left.is_empty(), "mounts are left: {left:?}");
    }
    let devices = cloud::devices();
    assert!(devices.is_empty(), "devices are left: {devices:?}");
    let wrong = cloud::device_errors();
    assert!(
        wrong.is_empty(),
        "the cloud had trouble with devices: {wrong:?}"
    );
}

#[test]
#[ignore = "needs a cluster that has done something"]
fn no_driver_remembers_a_volume() {
    let _turn = alone();
    is_ready();
    let left = node_says(&["find", JOURNALS, "-type", "f"]);
    assert_eq!(left, "", "records are left");
}

/// How many there are of a kind, everywhere.
#[track_caller]
fn objects(kind: &str) -> usize {
    let all = get(&[kind, "--all-namespaces"]);
    all["items"].as_array().expect("a list").len()
}
