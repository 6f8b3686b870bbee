//! `expandvolume` and `expandfs`: a size is claimed only where the volume has it. Kubernetes calls `expandfs` alone.

#![expect(
    clippy::expect_used,
    reason = "test code outside of test functions, which the lint's own exception does not reach"
)]

use std::fs;
use std::path::{Path, PathBuf};

use drivebay_tests::{Answer, DEVICE, Node, Volume, options, text};

const SHIM: &str = "k8s~nfs/nfs";
const GIB: &str = "1073741824";
const TWO_GIB: &str = "2147483648";

/// With a volume as the guest notes one that it made itself, and where it does.
fn node_with_a_claim() -> (Node, PathBuf) {
    let node = Node::with_local("v1");
    fs::create_dir(node.path("pool/.drivebay")).expect("writable");
    let record = node.path("pool/.drivebay/v1.record");
    fs::write(&record, format!("{GIB}\n\npvc-1")).expect("writable");
    (node, record)
}

/// After the claim grew by a gibibyte.
fn expandfs(node: &Node, volume: &Volume<'_>, pod: &Path) -> Answer {
    node.call(&[
        "expandfs",
        &volume.options(),
        DEVICE,
        text(pod),
        TWO_GIB,
        GIB,
    ])
}

#[test]
fn a_claim_grows_at_its_backend_by_expandfs_alone() {
    let (node, record) = node_with_a_claim();
    let volume = Volume::new(&node, "v1", &[]);
    let pod = node.pod("web");
    for _ in 0..2 {
        expandfs(&node, &volume, &pod).is(r#"{"status":"Success"}"#);
        let noted = fs::read_to_string(&record).expect("readable");
        assert!(noted.starts_with(TWO_GIB), "{noted}");
    }
}

#[test]
fn a_volume_made_by_a_claim_grows() {
    let (node, record) = node_with_a_claim();
    let volume = Volume::new(&node, "v1", &[]);
    for _ in 0..2 {
        // The controller's plugin directory is empty, so the path is relative.
        node.call(&[
            "expandvolume",
            &volume.options(),
            "drivebay/local/mounts/v1",
            TWO_GIB,
            GIB,
        ])
        .is(r#"{"status":"Success","volumeNewSize":2147483648}"#);
    }
    assert!(
        fs::read_to_string(record)
            .expect("readable")
            .starts_with(TWO_GIB)
    );
    let pod = node.pod("web");
    expandfs(&node, &volume, &pod).is(r#"{"status":"Success"}"#);
}

#[test]
fn a_volume_made_by_hand_cannot_grow_and_says_so() {
    let node = Node::with_local("v1");
    let volume = Volume::new(&node, "v1", &[]);
    node.unchanged_by(|| {
        node.call(&["expandvolume", &volume.options(), "x", TWO_GIB, GIB])
            .fails_with("was made by hand and has no size");
        // Its pods have what room the pool has, and have to start: Kubernetes has raised the size already.
        node.call(&["expandfs", &volume.options(), "x", "/pod", TWO_GIB, GIB])
            .succeeds();
    });
}

#[test]
fn growing_a_share_is_a_failure_and_not_a_claim_of_success() {
    let node = Node::with_nfs("5s");
    let json = options("pv-1", &[("server", "127.0.0.1"), ("share", "/export")]);
    node.unchanged_by(|| {
        node.call_driver(
            SHIM,
            &["expandvolume", &json, "k8s/nfs/mounts/pv-1", "2", "1"],
        )
        .fails_with("volume pv-1 was not made by this driver");
        // Where the share has the room, there is nothing left to do on the node.
        node.call_driver(
            SHIM,
            &["expandfs", &json, "", text(&node.path("pods")), "2", "1"],
        )
        .succeeds();
    });
}
