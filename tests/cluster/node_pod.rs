//! The node's pod goes while volumes are in use, and no volume notices.

use std::fs;

use serde_json::Value;

use crate::installation::{
    CLASS, NODES, apply, delete, is_ready, mounts_of, name, node_pod, rolled_out,
};
use crate::kubectl::{eventually, kubectl, node_root, node_says, try_get};
use crate::site::{Site, claim, pod};
use crate::turns::alone;
use crate::writer::Writer;

const DAEMON_SET: &str = "daemonset/drivebay-node";

#[test]
#[ignore = "needs a cluster"]
fn volumes_stay_when_the_node_pod_is_deleted() {
    survives("pod-deleted", || {
        let before = name(&node_pod());
        kubectl(&[
            "delete",
            "pod",
            "--namespace",
            NODES,
            "--timeout=300s",
            &before,
        ]);
    });
}

#[test]
#[ignore = "needs a cluster"]
fn volumes_stay_when_the_node_pod_is_killed() {
    survives("pod-killed", || {
        let before = restarts();
        let id = process("--mode=node");
        node_says(&["kill", "-KILL", &id]);
        eventually("kubelet to start it again", || restarts() > before);
    });
}

#[test]
#[ignore = "needs a cluster"]
fn volumes_stay_when_the_node_pod_is_rolled_out() {
    survives("rollout", || {
        kubectl(&["rollout", "restart", "--namespace", NODES, DAEMON_SET]);
        rolled_out(NODES, DAEMON_SET);
    });
}

#[test]
#[ignore = "needs a cluster"]
fn volumes_stay_when_everything_is_deleted_and_applied_again() {
    survives("applied-again", || {
        delete("both");
        apply("both");
    });
}

/// Does it while a pod writes; then the volume is still the same, one that comes is mounted, and the old one goes.
#[track_caller]
fn survives(namespace: &str, disturb: impl FnOnce()) {
    let _turn = alone();
    is_ready();
    let site = Site::new(namespace);
    let writer = Writer::start(&site, "writer", CLASS);
    let volume = site.is_bound("writer");
    let mounts = mounts_of(&volume);
    disturb();
    is_ready();
    writer.goes_on();
    assert_eq!(mounts_of(&volume), mounts);
    site.apply(&[claim("later", CLASS, 20), pod("later", "later")]);
    site.is_ready("later");
    site.delete_pod("writer");
    eventually("the writer's volume to be unmounted", || {
        mounts_of(&volume).is_empty()
    });
    site.kubectl(&["delete", "pvc", "writer", "--timeout=300s"]);
    eventually("the writer's volume to be gone", || {
        try_get(&["pv", &volume]).is_none()
    });
}

/// How often kubelet has started the node pod's container again.
fn restarts() -> u64 {
    let pod: Value = node_pod();
    pod["status"]["containerStatuses"][0]["restartCount"]
        .as_u64()
        .unwrap_or(0)
}

/// The number of the one process on the node that has this argument.
#[track_caller]
fn process(argument: &str) -> String {
    let entries = fs::read_dir(node_root().join("proc"))
        .expect("mounted")
        .flatten();
    let is_it = |id: &String| {
        let line = fs::read(node_root().join("proc").join(id).join("cmdline"));
        let line = line.unwrap_or_default();
        line.split(|byte| *byte == 0)
            .any(|word| word == argument.as_bytes())
    };
    let mut ids = entries
        .filter_map(|entry| entry.file_name().into_string().ok())
        .filter(is_it);
    ids.next().expect("it runs")
}
