//! csi-sanity, the CSI project's own suite, with none of its tests left out by us.
//!
//! It skips by itself what a backend has no capability for; those groups are counted, so that one that comes
//! or goes is noticed.

use drivebay_tests::{Cloud, Csi, GIB, Node, Sanity};
use serde_json::json;

#[test]
fn alicloud_disk_passes_csi_sanity_with_filesystems() {
    let cloud = cloud();
    let node = Node::with_disks(&cloud);
    let csi = node.serve("alicloud-disk");
    disks(&node, &csi)
        .attach_limit()
        .run()
        .assert_passes(&LACKING);
}

#[test]
fn alicloud_disk_passes_csi_sanity_with_raw_devices() {
    let cloud = cloud();
    let node = Node::with_disks(&cloud);
    let csi = node.serve("alicloud-disk");
    disks(&node, &csi)
        .attach_limit()
        .raw_devices()
        .run()
        .assert_passes(&LACKING);
}

/// What ECS has no operation for, and so the driver no capability; and what the suite's authors switched off.
const LACKING: [&str; 5] = [
    // No quota or stock can be asked for.
    "GetCapacity",
    // A disk starts with a snapshot or with nothing.
    "should create volume from an existing source volume",
    "should fail when the volume source volume is not found",
    // Snapshots of ECS serve their whole region.
    "creating a snapshot with accessibility requirements",
    // Pending in the suite itself.
    "pagination should detect volumes added between pages",
];

/// A cloud that cuts snapshots of disks that were never attached: the suite does not attach the sources of its own.
fn cloud() -> Cloud {
    let cloud = Cloud::start();
    cloud.set(&json!({ "snapshot_of_never_attached": "allowed" }));
    cloud
}

/// The smallest disk of its category, and one that is larger.
fn disks(node: &Node, csi: &Csi) -> Sanity {
    Sanity::new(node, csi)
        .parameters(&[("type", "cloud_essd"), ("performanceLevel", "PL0")])
        .mutable_parameters(&[("performanceLevel", "PL1")])
        .sizes(20 * GIB, 21 * GIB)
}
