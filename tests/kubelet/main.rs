//! kubelet's own code against the example driver that attaches, on this machine's kernel.
//!
//! NFS is tried the same way in the VM: vm/kubelet.rs. How kubelet finds CSI drivers is in a file of its own.

#![expect(
    clippy::expect_used,
    reason = "in tests, a panic is how a broken promise is reported"
)]

mod registration;

use std::fs;

use drivebay_tests::{Node, run_kubelet};

const LOCAL: [&str; 4] = [
    "-driver",
    "drivebay/local",
    "-options",
    "pool=pool,volume=v1",
];

/// With a volume as the driver itself makes it, which has a size and so can grow.
fn node() -> Node {
    let node = Node::with_local("v1");
    let state = node.path("pool/.drivebay");
    fs::create_dir_all(&state).expect("writable");
    fs::write(state.join("v1.record"), "1073741824\n\npvc-1").expect("writable");
    node
}

#[test]
#[ignore = "needs tests/kubelet's program: cargo xtask test --only kubelet"]
fn an_attachable_volume_lives_as_kubelet_wants_it() {
    let node = node();
    run_kubelet(&node, &LOCAL);
    let record = fs::read_to_string(node.path("pool/.drivebay/v1.record")).expect("there");
    assert!(
        record.starts_with("2147483648"),
        "the claim grew, and its volume did not: {record}"
    );
}

#[test]
#[ignore = "needs tests/kubelet's program: cargo xtask test --only kubelet"]
fn an_attachable_volume_that_is_read_only_lives_as_kubelet_wants_it() {
    run_kubelet(&node(), &[&LOCAL[..], &["-read-only"]].concat());
}
