//! A driver that does not attach: the shipped guest `nfs`, up to the point where a server would answer.
//!
//! What needs a server is in the VM tests; here is what a node sees that has none, or no NFS at all.

#![expect(
    clippy::expect_used,
    reason = "in tests, a panic is how a broken promise is reported"
)]

use std::fs;
use std::net::TcpListener;
use std::path::Path;

use drivebay_tests::{Answer, NODE_ID, Node, SilentServer, options, pod_options, text};

const SHIM: &str = "k8s~nfs/nfs";

fn share(extra: &[(&str, &str)]) -> Vec<(String, String)> {
    let all = [("server", "127.0.0.1"), ("share", "/export")];
    let pairs = all
        .iter()
        .filter(|(key, _)| extra.iter().all(|(other, _)| other != key));
    pairs
        .chain(extra)
        .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
        .collect()
}

#[track_caller]
fn mount(node: &Node, pod: &Path, extra: &[(&str, &str)]) -> Answer {
    let user = share(extra);
    let user: Vec<_> = user
        .iter()
        .map(|(key, value)| (key.as_str(), value.as_str()))
        .collect();
    node.call_driver(SHIM, &["mount", text(pod), &pod_options("pv-1", &user)])
}

fn kernel_has_nfs() -> bool {
    fs::read_to_string("/proc/filesystems")
        .expect("mounted")
        .lines()
        .any(|line| line.ends_with("\tnfs"))
}

#[test]
fn init_says_that_shares_are_neither_attached_nor_relabelled_and_that_they_grow() {
    let node = Node::with_nfs("5s");
    node.call_driver(SHIM, &["init"]).is(concat!(
        r#"{"status":"Success","capabilities":{"attach":false,"selinuxRelabel":false,"#,
        r#""supportsMetrics":false,"fsGroup":false,"requiresFSResize":true}}"#
    ));
}

#[test]
fn calls_about_attaching_are_not_supported() {
    let node = Node::with_nfs("5s");
    let json = options("pv-1", &[("server", "127.0.0.1"), ("share", "/export")]);
    let directory = node.pod("staging");
    let calls: [&[&str]; 6] = [
        &["attach", &json, NODE_ID],
        &["waitforattach", "", &json],
        &["isattached", &json, NODE_ID],
        &["mountdevice", text(&directory), "", &json],
        &["unmountdevice", text(&directory)],
        &["detach", "pv-1", NODE_ID],
    ];
    node.unchanged_by(|| {
        for call in calls {
            node.call_driver(SHIM, call)
                .is(r#"{"status":"Not supported","message":"driver nfs does not attach volumes"}"#);
        }
    });
}

#[test]
fn after_a_restart_a_share_is_still_named_by_kubelet() {
    let node = Node::with_nfs("5s");
    let answer = node.call_driver(SHIM, &["getvolumename", &options("pv-1", &[])]);
    assert_eq!(answer.status(), "Not supported");
}

#[test]
fn a_server_that_refuses_the_connection_is_named() {
    let node = Node::with_nfs("20s");
    let pod = node.pod("web");
    // Bound once and given back: nobody listens there.
    let free = TcpListener::bind("127.0.0.1:0")
        .expect("a free port")
        .local_addr()
        .expect("bound");
    let port = format!("port={}", free.port());
    node.unchanged_by(|| {
        mount(&node, &pod, &[("mountOptions", &port)])
            .fails_with("cannot reach nfs server 127.0.0.1");
    });
}

#[test]
fn a_server_that_does_not_answer_is_a_failure_within_the_deadline() {
    let server = SilentServer::start();
    let node = Node::with_nfs("1s");
    let pod = node.pod("web");
    node.unchanged_by(|| {
        mount(&node, &pod, &[("mountOptions", &server.port_option())]).fails_with("deadline");
    });
    node.unchanged_by(|| node.call_driver(SHIM, &["unmount", text(&pod)]).succeeds());
}

#[test]
fn a_directory_that_a_failed_mount_made_is_gone_again() {
    let server = SilentServer::start();
    let node = Node::with_nfs("500ms");
    let missing = node.path("pods/web");
    node.unchanged_by(|| {
        mount(&node, &missing, &[("mountOptions", &server.port_option())]).fails_with("deadline");
    });
    assert!(!missing.exists());
}

#[test]
fn a_kernel_without_nfs_says_so() {
    let server = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let node = Node::with_nfs("3s");
    let pod = node.pod("web");
    let port = format!("port={}", server.local_addr().expect("bound").port());
    // Where the kernel has it, this server is one that never speaks.
    let words = if kernel_has_nfs() {
        "deadline"
    } else {
        "this kernel has no NFS; load the nfs module"
    };
    node.unchanged_by(|| mount(&node, &pod, &[("mountOptions", &port)]).fails_with(words));
}

#[test]
fn a_share_that_climbs_is_refused() {
    let node = Node::with_nfs("5s");
    let pod = node.pod("web");
    node.unchanged_by(|| {
        for path in ["/export/../etc", "..", "/a/./b"] {
            mount(&node, &pod, &[("share", path)])
                .fails_with(r#""." and ".." are not accepted: write the directory itself"#);
            mount(&node, &pod, &[("subPath", path)]).fails_with("are not accepted");
        }
    });
}

#[test]
fn sources_and_options_outside_the_grant_are_refused_with_the_line_that_is_missing() {
    let node = Node::with_nfs("5s");
    let pod = node.pod("web");
    node.unchanged_by(|| {
        mount(&node, &pod, &[("server", "127.0.0.2")]).fails_with("grants.mounts");
        mount(&node, &pod, &[("mountOptions", "nosharecache")]).fails_with("grants.mounts");
        mount(&node, &pod, &[("mountOptions", "addr=10.0.0.1")]).fails_with("addr");
    });
    assert!(node.log().contains("refused"), "a refusal is logged");
}

#[test]
fn a_share_without_server_is_refused_by_name() {
    let node = Node::with_nfs("5s");
    let pod = node.pod("web");
    let json = pod_options("pv-1", &[("share", "/export")]);
    node.unchanged_by(|| {
        node.call_driver(SHIM, &["mount", text(&pod), &json])
            .fails_with(r#"the volume lacks parameter "server" of driver nfs"#);
    });
}
