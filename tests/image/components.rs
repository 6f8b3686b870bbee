//! What the manifests' ConfigMaps are made of: the components of the image, small enough for `kubectl apply`.

use std::fs;

use drivebay_tests::{Node, guest, repository, text};

/// `kubectl apply` without `--server-side` keeps the whole object in an annotation, which holds 262,144 bytes; base64
/// makes four bytes of three, and the annotation's own JSON takes some.
const MOST: usize = 190_000;

#[test]
fn components_for_configmaps_are_those_that_are_shipped() {
    for name in ["alicloud-disk", "nfs"] {
        let file = repository().join(format!("deploy/components/{name}.wasm.zst"));
        let compressed = fs::read(&file).expect("`cargo xtask image` writes it");
        assert!(compressed.len() < MOST, "{} bytes", compressed.len());
        let unpacked = Node::run("zstd", &["-dc", text(&file)]).stdout;
        assert!(unpacked == fs::read(guest(name)).expect("built"), "{name}");
    }
}

#[test]
fn components_for_configmaps_are_in_no_commit() {
    let ignored = fs::read_to_string(repository().join(".gitignore")).expect("there");
    let pattern = "deploy/components/*.zst";
    assert!(ignored.lines().any(|line| line == pattern), "{ignored}");
}
