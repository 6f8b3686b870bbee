//! `drivebay install` of a component that a key has to have signed: that it was verified is noted, also on a node on which
//! nothing was decided before.

use std::fs;
use std::path::PathBuf;

use drivebay_tests::{KeyPair, Node, guest, text};

use super::delivery::{said, succeeds};

/// A node whose driver has to be signed, with the component and no signature beside it yet.
struct Signed {
    node: Node,
    key: KeyPair,
    component: PathBuf,
}

impl Signed {
    fn new() -> Self {
        let node = Node::empty();
        let key = KeyPair::make(&node.path(""), "release");
        let component = node.path("local.wasm");
        fs::copy(guest("local"), &component).expect("writable");
        Self {
            node,
            key,
            component,
        }
    }

    fn require(&self) {
        let key = text(self.key.public());
        let require = format!("[require]\npublic-keys = [\"{key}\"]\n");
        let grants = self.node.local_grants();
        self.node.add_driver("local", &format!("{grants}{require}"));
    }

    fn sign(&self) {
        let content = fs::read(&self.component).expect("readable");
        let signature = self.component.with_extension("wasm.sig");
        fs::write(signature, self.key.sign(&content)).expect("writable");
    }

    #[track_caller]
    fn install(&self) -> String {
        let plugins = self.node.path("plugins");
        let arguments = [
            "install",
            "--plugin-dir",
            text(&plugins),
            text(&self.component),
        ];
        succeeds(&self.node, &arguments)
    }
}

#[test]
fn the_first_component_of_a_node_serves_by_its_signature() {
    let site = Signed::new();
    site.require();
    site.sign();
    site.install();
    site.node.call(&["init"]).succeeds();
    let record = fs::read_to_string(site.node.path("state/versions/local.json"));
    assert!(record.expect("noted").contains("\"verified-by\""));
    // The same once more takes nothing away.
    site.install();
    site.node.call(&["init"]).succeeds();
}

#[test]
fn one_without_a_signature_is_not_installed() {
    let site = Signed::new();
    site.require();
    let (words, ended_well) = said(&site.node, &["install", text(&site.component)]);
    assert!(!ended_well, "{words}");
    assert!(words.contains("signature"), "{words}");
    assert!(!site.node.path("state/components/local.wasm").exists());
}

#[test]
fn what_served_before_it_had_to_be_signed_serves_again_once_it_is_installed_with_its_signature() {
    let site = Signed::new();
    site.node.add_driver("local", &site.node.local_grants());
    site.install();
    site.node.call(&["init"]).succeeds();
    site.require();
    site.node.call(&["init"]).fails_with("require");
    site.sign();
    site.install();
    site.node.call(&["init"]).succeeds();
}
