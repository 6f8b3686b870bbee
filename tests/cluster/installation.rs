//! Drivebay as an operator installs it, with `kubectl` alone.

use std::fs;

use serde_json::Value;

use crate::kubectl::{eventually, get, kubectl, node_root, place, try_get};

pub(crate) const NODES: &str = "drivebay";
pub(crate) const CONTROLLER: &str = "drivebay-controller";

pub(crate) const DISK_DRIVER: &str = "diskplugin.csi.alibabacloud.com";
pub(crate) const NFS_DRIVER: &str = "nfs.csi.k8s.io";

/// The StorageClass, VolumeSnapshotClass and beginning of the names of what is shipped for disks.
pub(crate) const CLASS: &str = "drivebay-disk";

/// `kubectl apply -k` of a shipped overlay, as the emulated cloud needs it; what it said.
#[track_caller]
pub(crate) fn apply(overlay: &str) -> String {
    kubectl(&["apply", "-k", &directory(overlay)])
}

/// `kubectl delete -k`.
#[track_caller]
pub(crate) fn delete(overlay: &str) {
    kubectl(&["delete", "--timeout=300s", "-k", &directory(overlay)]);
}

/// Where an overlay is that the emulated cloud can be used with.
pub(crate) fn directory(overlay: &str) -> String {
    place("overlays").join(overlay).display().to_string()
}

/// Waits until everything of overlay `both` has said that it is ready.
#[track_caller]
pub(crate) fn is_ready() {
    rolled_out(NODES, "daemonset/drivebay-node");
    rolled_out(NODES, "deployment/drivebay-nfs-controller");
    rolled_out(CONTROLLER, "deployment/drivebay-alicloud-disk-controller");
    eventually("both drivers to be registered", || {
        let drivers = registered();
        [DISK_DRIVER, NFS_DRIVER]
            .iter()
            .all(|name| drivers.contains(&(*name).to_owned()))
    });
}

/// `kubectl rollout status`, to its end.
#[track_caller]
pub(crate) fn rolled_out(namespace: &str, what: &str) {
    kubectl(&[
        "rollout",
        "status",
        "--timeout=300s",
        "--namespace",
        namespace,
        what,
    ]);
}

/// The drivers that the node has told the cluster of.
pub(crate) fn registered() -> Vec<String> {
    let node = node();
    let drivers = try_get(&["csinode", &node]).map(|node| node["spec"]["drivers"].clone());
    let drivers = drivers.and_then(|drivers| drivers.as_array().cloned());
    let drivers = drivers.unwrap_or_default();
    let names = drivers.iter().filter_map(|driver| driver["name"].as_str());
    names.map(str::to_owned).collect()
}

/// The one node's name.
#[track_caller]
pub(crate) fn node() -> String {
    let nodes = get(&["nodes"]);
    nodes["items"][0]["metadata"]["name"]
        .as_str()
        .expect("a name")
        .to_owned()
}

/// The pods of an app's part that are not about to go.
#[track_caller]
pub(crate) fn pods(namespace: &str, component: &str) -> Vec<Value> {
    let label = format!("app.kubernetes.io/component={component}");
    let pods = get(&["pods", "--namespace", namespace, "--selector", &label]);
    let pods = pods["items"].as_array().cloned().unwrap_or_default();
    let stays = |pod: &Value| pod["metadata"]["deletionTimestamp"].is_null();
    pods.into_iter().filter(stays).collect()
}

/// The node's one pod.
#[track_caller]
pub(crate) fn node_pod() -> Value {
    pods(NODES, "node").pop().expect("there is one")
}

pub(crate) fn name(object: &Value) -> String {
    object["metadata"]["name"]
        .as_str()
        .expect("a name")
        .to_owned()
}

/// What a command of the node pod's own `drivebay` said.
#[track_caller]
pub(crate) fn drivebay(arguments: &[&str]) -> String {
    let pod = name(&node_pod());
    let words = [
        "exec",
        "--namespace",
        NODES,
        &pod,
        "--",
        "/usr/bin/drivebay",
    ];
    kubectl(&[&words[..], arguments].concat())
}

/// What is mounted on the node for that volume, by the names of its mount points.
#[track_caller]
pub(crate) fn mounts_of(volume: &str) -> Vec<String> {
    let table = node_root().with_file_name("mountinfo");
    let table = fs::read_to_string(table).expect("readable");
    let points = table.lines().filter_map(|line| line.split(' ').nth(4));
    let ours = points.filter(|point| point.contains(volume));
    ours.map(str::to_owned).collect()
}
