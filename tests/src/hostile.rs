//! A hostile guest on a node of its own, granted a little of everything.

use crate::{Answer, Node, WatGuest};

/// All that can be granted by now, and little of each.
pub const HOSTILE_GRANTS: &str = r#"
component = "hostile"
flexvolume = "drivebay/hostile"
[grants.mounts]
filesystems = ["nfs"]
sources = ["127.0.0.0/8:/exports/**"]
options = ["vers"]
directories = { pool = "POOL" }
[grants.files]
access = "ACCESS"
"#;

/// A node that has the guest installed, with these grants.
#[track_caller]
pub fn hostile_node(guest: &WatGuest, grants: &str) -> Node {
    let node = Node::empty();
    node.add_driver(
        "hostile",
        &grants
            .replace("POOL", &node.path("pool").to_string_lossy())
            .replace("ACCESS", "read-write"),
    );
    node.install(&[&guest.write(node.path("hostile.wasm"))]);
    node
}

/// Mounts its volume as kubelet does. Whatever the answer, nothing is mounted and nothing noted.
#[track_caller]
pub fn mount_hostile(node: &Node) -> Answer {
    let target = node.pod("web");
    let answer = node.call_driver(
        "drivebay~hostile/hostile",
        &["mount", &target.to_string_lossy(), "{}"],
    );
    assert!(
        Node::mounts_beneath(&target).is_empty(),
        "something is mounted"
    );
    assert!(
        node.journal().is_empty(),
        "the journal holds {:?}",
        node.journal()
    );
    answer
}
