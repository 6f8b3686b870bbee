//! A driver whose component is delivered, version after version, in a directory, and what is told of that.

use std::fs;

use drivebay_tests::{Node, WatGuest, text};
use serde_json::Value;

pub(super) const GRANTS: &str = "component = \"guest\"\nflexvolume = \"drivebay/guest\"\ncsi-name = \"guest.drivebay.dev\"\n[grants.mounts]\n[limits]\ncpu = \"60s\"\n";

/// A version of the guest that names itself when it is asked for something.
pub(super) fn version(number: u32) -> WatGuest {
    let fail = WatGuest::failing(10, 1024, "this is version 1".len());
    WatGuest::named("guest")
        .version(&format!("{number}.0.0"))
        .core(&format!(
            "(data (i32.const 1024) \"this is version {number}\")"
        ))
        .stage(&fail)
}

#[track_caller]
pub(super) fn node() -> Node {
    let node = Node::empty();
    node.add_driver("guest", GRANTS);
    node
}

/// Puts a version into the source, and has it taken up.
#[track_caller]
pub(super) fn deliver(node: &Node, guest: &WatGuest) {
    let source = node.path("source");
    fs::create_dir_all(&source).expect("writable");
    guest.write(source.join("guest.wasm"));
    take_up(node);
}

/// Looks at the source once more.
#[track_caller]
pub(super) fn take_up(node: &Node) {
    let (source, plugins) = (node.path("source"), node.path("plugins"));
    let arguments = [
        "install",
        "--plugin-dir",
        text(&plugins),
        "--components-from",
        text(&source),
    ];
    let output = node.drivebay(&arguments).output().expect("drivebay runs");
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{stderr}");
}

/// What a command said, on both streams, and whether it ended well.
#[track_caller]
pub(super) fn said(node: &Node, arguments: &[&str]) -> (String, bool) {
    let output = node.drivebay(arguments).output().expect("drivebay runs");
    assert!(matches!(output.status.code(), Some(0 | 1)), "{output:?}");
    let said = [output.stdout, output.stderr].concat();
    (
        String::from_utf8(said).expect("text"),
        output.status.success(),
    )
}

#[track_caller]
pub(super) fn succeeds(node: &Node, arguments: &[&str]) -> String {
    let (said, ended_well) = said(node, arguments);
    assert!(ended_well, "{arguments:?}: {said}");
    said
}

/// The driver's part of `status --json`.
#[track_caller]
pub(super) fn status(node: &Node) -> Value {
    whole_status(node)["drivers"][0].clone()
}

pub(super) fn digest(version: &Value) -> String {
    version["sha256"].as_str().expect("a digest").to_owned()
}

/// All of it.
#[track_caller]
pub(super) fn whole_status(node: &Node) -> Value {
    serde_json::from_str(&succeeds(node, &["status", "--json"])).expect("JSON")
}
