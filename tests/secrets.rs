//! A secret that kubelet hands to `mount` is nowhere afterwards, and nowhere meanwhile.

use std::fs;

use drivebay_tests::{
    Answer, Node, SilentServer, Volume, eventually, holds, pod_options, text, untold_beneath,
};

const KEY: &str = "kubernetes.io/secret/password";
const PLAIN: &str = "correct-horse-battery-staple";
const BASE64: &str = "Y29ycmVjdC1ob3JzZS1iYXR0ZXJ5LXN0YXBsZQ==";

const WORDS: [&str; 2] = [PLAIN, BASE64];

fn tells(bytes: &[u8]) -> bool {
    WORDS.iter().any(|word| holds(bytes, word))
}

#[track_caller]
fn untold(node: &Node, answer: &Answer) {
    assert!(!tells(answer.text.as_bytes()), "{}", answer.text);
    untold_beneath(&node.path(""), &WORDS);
}

#[test]
fn after_a_mount_that_succeeds() {
    let node = Node::with_local("v1");
    let volume = Volume::new(&node, "v1", &[]).staged();
    let pod = node.pod("web");
    let json = pod_options("v1", &[(KEY, BASE64)]);
    let answer = node.call(&["mount", text(&pod), &json]).succeeds();
    untold(&node, &answer);
    volume.unmount(&pod).succeeds();
    untold(&node, &answer);
}

#[test]
fn after_mounts_that_fail_in_every_layer() {
    let node = Node::with_local("v1");
    let pod = node.pod("web");
    let mount = |user: &[(&str, &str)]| {
        let answer = node.call(&["mount", text(&pod), &pod_options("v1", user)]);
        assert_eq!(answer.status(), "Failure", "{}", answer.text);
        untold(&node, &answer);
    };
    mount(&[(KEY, BASE64)]);
    mount(&[(KEY, PLAIN)]);
    mount(&[(KEY, BASE64), ("Kubernetes.io/Secret/Password", BASE64)]);
    mount(&[(KEY, BASE64), ("kubernetes.io/readwrite", PLAIN)]);
    for broken in [
        format!("{{\"{KEY}\":\"{BASE64}\""),
        format!("{{\"{KEY}\":[\"{BASE64}\"]}}"),
    ] {
        let answer = node.call(&["mount", text(&pod), &broken]);
        assert_eq!(answer.status(), "Failure", "{}", answer.text);
        untold(&node, &answer);
    }
    let answer = node.call(&["mount", text(&pod), &format!("\"{BASE64}\"")]);
    untold(&node, &answer);
}

#[test]
fn while_a_mount_is_under_way() {
    let server = SilentServer::start();
    let node = Node::with_nfs("2s");
    let pod = node.pod("web");
    let port = server.port_option();
    let user = [
        (KEY, BASE64),
        ("server", "127.0.0.1"),
        ("share", "/export"),
        ("mountOptions", &port),
    ];
    let json = pod_options("pv-1", &user);
    let shim = node
        .callout("k8s~nfs/nfs", &["mount", text(&pod), &json])
        .spawn()
        .expect("runs");
    eventually("the intent in the journal", || !node.journal().is_empty());
    eventually("a worker that connects", || {
        !node.network_workers().is_empty()
    });
    let workers = [node.workers(), node.network_workers()].concat();
    for (worker, file) in workers
        .iter()
        .flat_map(|id| [(id, "cmdline"), (id, "environ")])
    {
        let content = fs::read(format!("/proc/{worker}/{file}")).expect("it runs");
        assert!(!tells(&content), "the worker's {file} tells");
    }
    untold_beneath(&node.path(""), &WORDS);
    let output = shim.wait_with_output().expect("ours");
    untold(&node, &Answer::of(&output).fails_with("deadline"));
}
