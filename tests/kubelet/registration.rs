//! kubelet's own plugin manager and handler of CSI drivers find a real `drivebay serve`, whoever of the two starts again.

use std::fs;
use std::path::PathBuf;

use drivebay_tests::{Asked, Csi, Node, PluginManager, eventually};

const NAME: &str = "local.drivebay.dev";

const OTHER: &str = "other.drivebay.dev";

/// With two drivers of one component.
fn node() -> Node {
    let node = Node::with_local("volume-1");
    let other = node.local_grants().replace(NAME, OTHER);
    node.add_driver("other", &other.replace("drivebay/local", "drivebay/other"));
    node
}

fn registry(node: &Node) -> PathBuf {
    node.path("kubelet/plugins_registry")
}

#[track_caller]
fn kubelet(node: &Node) -> PluginManager {
    PluginManager::start(node, &registry(node))
}

#[track_caller]
fn serve(node: &Node) -> Csi {
    let csi = node.begin_to_serve_at_kubelet("local", NAME, &["--node-id", "node-1"]);
    csi.answers();
    csi
}

fn words(asked: &[Asked]) -> Vec<&str> {
    asked.iter().map(|one| one.what.as_str()).collect()
}

#[test]
#[ignore = "needs tests/kubelet's programs: cargo xtask test --only kubelet"]
fn a_driver_comes_into_the_csinode_object_and_goes_when_it_ends() {
    let node = node();
    let kubelet = kubelet(&node);
    let csi = serve(&node);
    kubelet.knows(NAME, 1);
    assert_eq!(kubelet.node_of(NAME).as_deref(), Some("node-1"));
    let asked = kubelet.asked();
    let endpoint = node.path(&format!("kubelet/plugins/{NAME}/csi.sock"));
    assert_eq!(asked[0].endpoint, endpoint.display().to_string());
    assert!(csi.stop());
    eventually("kubelet to take the driver away", || {
        kubelet.node_of(NAME).is_none()
    });
    assert_eq!(words(&kubelet.asked()), ["register", "deregister"]);
}

#[test]
#[ignore = "needs tests/kubelet's programs: cargo xtask test --only kubelet"]
fn a_kubelet_that_starts_again_finds_the_driver_as_it_is() {
    let node = node();
    let before = kubelet(&node);
    let csi = serve(&node);
    before.knows(NAME, 1);
    drop(before);
    let after = kubelet(&node);
    after.knows(NAME, 1);
    // Some kubelets, and some who clean up after them, remove what lies there.
    drop(after);
    fs::remove_dir_all(registry(&node)).expect("there");
    let last = kubelet(&node);
    last.knows(NAME, 1);
    assert!(csi.stop(), "it went on all the time");
}

#[test]
#[ignore = "needs tests/kubelet's programs: cargo xtask test --only kubelet"]
fn a_driver_that_kubelet_refuses_is_registered_as_soon_as_it_does_not() {
    let node = node();
    let kubelet = kubelet(&node);
    kubelet.refuse("local.drivebay.dev is already registered");
    let csi = serve(&node);
    let refused = |one: &Asked| one.error.ends_with("is already registered");
    eventually("kubelet to refuse the driver twice", || {
        kubelet.asked().iter().filter(|one| refused(one)).count() >= 2
    });
    eventually("the driver to tell it", || {
        csi.log().contains("is already registered")
    });
    assert_eq!(kubelet.node_of(NAME), None);
    kubelet.accept();
    kubelet.knows(NAME, 1);
    eventually("the driver to hear it", || {
        csi.log().contains("registered at kubelet")
    });
    assert!(csi.stop(), "it went on all the time");
}

#[test]
#[ignore = "needs tests/kubelet's programs: cargo xtask test --only kubelet"]
fn a_driver_that_was_killed_is_registered_again_by_the_next_process() {
    let node = node();
    let kubelet = kubelet(&node);
    let csi = serve(&node);
    kubelet.knows(NAME, 1);
    csi.kill();
    csi.start_again(&node);
    kubelet.knows(NAME, 2);
    assert_eq!(
        words(&kubelet.asked()),
        ["register", "deregister", "register"]
    );
}

#[test]
#[ignore = "needs tests/kubelet's programs: cargo xtask test --only kubelet"]
fn in_a_rollout_the_next_process_is_registered_and_stays_when_the_one_before_ends() {
    let node = node();
    let kubelet = kubelet(&node);
    let old = serve(&node);
    kubelet.knows(NAME, 1);
    let new = node.serve_instead(&old);
    kubelet.knows(NAME, 2);
    assert!(old.stop());
    // A second driver is what kubelet hears of next: by then it would have taken the first one away.
    let marker = node.begin_to_serve_at_kubelet("other", OTHER, &["--node-id", "node-1"]);
    eventually("kubelet to hear of another driver", || {
        kubelet.node_of(OTHER).is_some()
    });
    assert_eq!(kubelet.node_of(NAME).as_deref(), Some("node-1"));
    drop(marker);
    assert!(new.stop());
    eventually("kubelet to take the driver away", || {
        kubelet.node_of(NAME).is_none()
    });
}

#[test]
#[ignore = "needs tests/kubelet's programs: cargo xtask test --only kubelet"]
fn kubelet_logs_no_error_while_drivers_come_and_go() {
    let node = node();
    let kubelet = kubelet(&node);
    let csi = serve(&node);
    kubelet.knows(NAME, 1);
    assert!(csi.replace(&node));
    kubelet.knows(NAME, 2);
    assert_eq!(kubelet.errors(), Vec::<String>::new());
}
