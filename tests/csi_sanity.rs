//! csi-sanity, the CSI project's own suite, with none of its tests left out by us.
//!
//! It skips by itself what a backend has no capability for; those groups are counted, so that one that comes
//! or goes is noticed.

#![expect(
    clippy::expect_used,
    reason = "in tests, a panic is how a broken promise is reported"
)]

use drivebay_tests::{Cloud, Csi, GIB, Node, Sanity};

#[test]
fn alicloud_disk_passes_csi_sanity_with_filesystems() {
    let cloud = Cloud::start();
    let node = Node::with_disks(&cloud);
    let csi = node.serve("alicloud-disk");
    let outcome = disks(&node, &csi).run();
    outcome.assert_passes(&[]);
}

#[test]
fn alicloud_disk_passes_csi_sanity_with_raw_devices() {
    let cloud = Cloud::start();
    let node = Node::with_disks(&cloud);
    let csi = node.serve("alicloud-disk");
    let outcome = disks(&node, &csi).raw_devices().run();
    outcome.assert_passes(&[]);
}

/// The smallest disk of its category, and one that is larger.
fn disks(node: &Node, csi: &Csi) -> Sanity {
    Sanity::new(node, csi)
        .parameters(&[("type", "cloud_essd")])
        .mutable_parameters(&[("performanceLevel", "PL0")])
        .sizes(20 * GIB, 21 * GIB)
}
