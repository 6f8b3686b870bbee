//! Versions of a shipped component, as an operator delivers them: in the ConfigMap that the manifests made.

use std::fs;
use std::io::{Read, Write};
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixStream;
use std::time::UNIX_EPOCH;

use drivebay_tests::guest;
use serde_json::Value;

use crate::installation::{CONTROLLER, NODES, drivebay, name, node_pod, pods};
use crate::kubectl::{kubectl, kubectl_with, node_root, node_says, place};

/// What every component of this repository says of itself.
const BUILT: &str = env!("CARGO_PKG_VERSION");

/// The component as it would be if it had been built as that version, which is as long a word.
pub(crate) fn version(component: &str, version: &str) -> Vec<u8> {
    assert_eq!(version.len(), BUILT.len());
    let mut bytes = fs::read(guest(component)).expect("built");
    // That of the contract comes after an @ instead.
    let mut windows = bytes.windows(BUILT.len() + 1);
    let found = windows.position(|window| window[0] != b'@' && &window[1..] == BUILT.as_bytes());
    let at = found.expect("it says its version") + 1;
    bytes[at..at + BUILT.len()].copy_from_slice(version.as_bytes());
    bytes
}

/// `kubectl apply` of a ConfigMap with that content in both namespaces, and the one line that lets kubelet see it at once.
#[track_caller]
pub(crate) fn deliver(component: &str, content: &[u8]) {
    apply_component(component, content);
    let now = UNIX_EPOCH.elapsed().expect("after 1970");
    for (namespace, part) in [(NODES, "node"), (CONTROLLER, "alicloud-disk-controller")] {
        for pod in pods(namespace, part) {
            // Another value each time, or nothing changes.
            let touched = format!("drivebay.dev/synced={}", now.as_nanos());
            let words = ["annotate", "--overwrite", "--namespace", namespace, "pod"];
            kubectl(&[&words[..], &[&name(&pod), &touched]].concat());
        }
    }
}

/// The first of the two alone.
#[track_caller]
pub(crate) fn apply_component(component: &str, content: &[u8]) {
    let file = place("run").join(format!("{component}.wasm.zst"));
    let plain = place("run").join(format!("{component}.wasm"));
    fs::write(&plain, content).expect("writable");
    let (from, to) = (plain.display().to_string(), file.display().to_string());
    node_says(&["zstd", "--quiet", "--force", "-19", &from, "-o", &to]);
    for namespace in [NODES, CONTROLLER] {
        let map = format!("drivebay-component-{component}");
        let from_file = format!("--from-file={to}");
        let manifest = kubectl(&[
            "create",
            "configmap",
            &map,
            "--namespace",
            namespace,
            &from_file,
            "--dry-run=client",
            "--output=json",
        ]);
        let object: Value = serde_json::from_str(&manifest).expect("an object");
        kubectl_with(&["apply"], &[object]).expect("applied");
    }
}

/// What the node pod's `drivebay status` says of a driver.
#[track_caller]
pub(crate) fn status(driver: &str) -> Value {
    let said = drivebay(&["status", "--json"]);
    let status: Value = serde_json::from_str(&said).expect("JSON");
    let drivers = status["drivers"].as_array().expect("drivers");
    let found = drivers.iter().find(|it| it["name"] == driver);
    found
        .unwrap_or_else(|| panic!("no {driver} in {status}"))
        .clone()
}

/// The node pod's metrics. It is on the node's network because of nfs, so that they are served on a socket in a directory
/// of the pod's own.
#[track_caller]
pub(crate) fn metrics() -> String {
    let pod = node_pod();
    let id = pod["metadata"]["uid"].as_str().expect("an id");
    let directory = format!("var/lib/kubelet/pods/{id}/volumes/kubernetes.io~empty-dir/metrics");
    // The whole path is longer than a socket's may be.
    let short = tempfile::tempdir().expect("a directory");
    let link = short.path().join("metrics");
    symlink(node_root().join(directory), &link).expect("writable");
    let stream = UnixStream::connect(link.join("metrics.sock"));
    let mut stream = stream.expect("it is served");
    let request = "GET /metrics HTTP/1.1\r\nHost: node\r\nConnection: close\r\n\r\n";
    stream.write_all(request.as_bytes()).expect("it reads");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("it answers");
    let (head, page) = answer.split_once("\r\n\r\n").expect("HTTP");
    assert!(head.starts_with("HTTP/1.1 200"), "{head}");
    page.to_owned()
}
