//! A driver that does not attach: the shipped guest `nfs`, up to the point where a server would answer.
//!
//! What needs a server is in the VM tests; here is what a node sees that has none, or no NFS at all.

use std::fs;
use std::net::{TcpListener, UdpSocket};
use std::path::Path;
use std::process::Command;

use drivebay_tests::{
    Answer, CONNECTING, NOBODY, NODE_ID, Node, PATIENCE, SilentServer, eventually, is_nobody,
    options, owners, pod_options, text,
};
use nix::mount::{MsFlags, mount as mount_here};
use nix::sched::{CloneFlags, unshare};

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
    Answer::of(&mounting(node, pod, extra).output().expect("the shim runs"))
}

/// The same, not started yet.
fn mounting(node: &Node, pod: &Path, extra: &[(&str, &str)]) -> Command {
    let user = share(extra);
    let user: Vec<_> = user
        .iter()
        .map(|(key, value)| (key.as_str(), value.as_str()))
        .collect();
    node.callout(SHIM, &["mount", text(pod), &pod_options("pv-1", &user)])
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

#[test]
fn whoever_connects_to_a_server_is_nobody() {
    let server = SilentServer::start();
    let node = Node::with_nfs("20s");
    let pod = node.pod("web");
    let shim = mounting(&node, &pod, &[("mountOptions", &server.port_option())]).spawn();
    let mut shim = shim.expect("the shim runs");
    let connecting = || {
        owners("tcp", |socket| {
            socket.remote == server.port() && socket.state == CONNECTING
        })
    };
    eventually("a connection that waits", || !connecting().is_empty());
    let owners = connecting();
    let workers = node.network_workers();
    workers.iter().for_each(|worker| is_nobody(*worker));
    shim.kill().expect("ours");
    shim.wait().expect("ours");
    assert_eq!(owners, [NOBODY]);
    assert_eq!(workers.len(), 1);
    node.is_left_alone();
}

#[test]
fn whoever_looks_a_name_up_is_nobody_and_what_was_checked_is_what_is_connected_to() {
    let node = Node::with_nfs("20s");
    let pod = node.pod("web");
    std::thread::scope(|scope| {
        let looked_up = scope.spawn(|| {
            let resolver = a_network_with_a_resolver(&node);
            let server = TcpListener::bind("127.0.0.1:2049").expect("our own network");
            let shim = mounting(&node, &pod, &[("server", "filer.example.com")]).spawn();
            let shim = shim.expect("the shim runs");
            let asked = answer_questions(&resolver);
            // The address that is granted, and not the one before it.
            server.set_nonblocking(true).expect("possible");
            eventually("a connection", || server.accept().is_ok());
            // This kernel may have no NFS; the server never speaks.
            Answer::of(&shim.wait_with_output().expect("ours")).fails_with("");
            asked
        });
        assert_eq!(looked_up.join().expect("no panic"), [NOBODY]);
    });
}

/// Gives this thread, and whom it starts, a network of its own where this socket answers for names.
fn a_network_with_a_resolver(node: &Node) -> UdpSocket {
    unshare(CloneFlags::CLONE_NEWNET | CloneFlags::CLONE_NEWNS).expect("root");
    let none = None::<&str>;
    let private = MsFlags::MS_REC | MsFlags::MS_PRIVATE;
    mount_here(none, "/", none, private, none).expect("root");
    let configuration = node.path("resolv.conf");
    fs::write(&configuration, "nameserver 127.0.0.1\noptions timeout:20\n").expect("writable");
    mount_here(
        Some(&configuration),
        "/etc/resolv.conf",
        none,
        MsFlags::MS_BIND,
        none,
    )
    .expect("root");
    assert!(
        Node::run("ip", &["link", "set", "lo", "up"])
            .status
            .success()
    );
    let resolver = UdpSocket::bind("127.0.0.1:53").expect("our own network");
    resolver.set_read_timeout(Some(PATIENCE)).expect("possible");
    resolver
}

/// Answers the first two questions, for the old and the new kind of address: two of the one, none of the other. Whose
/// the socket is that asked.
fn answer_questions(resolver: &UdpSocket) -> Vec<u32> {
    let mut asking = Vec::new();
    for _ in 0..2 {
        let mut question = [0; 512];
        let (length, from) = resolver.recv_from(&mut question).expect("somebody asks");
        asking.extend(owners("udp", |socket| socket.local == from.port()));
        let answer = dns_answer(&question[..length]);
        resolver.send_to(&answer, from).expect("sent");
    }
    asking.dedup();
    asking
}

/// RFC 1035 section 4.1: the question comes back, with what is asked for behind it.
fn dns_answer(question: &[u8]) -> Vec<u8> {
    const A: u8 = 1;
    let name_end = 12
        + question[12..]
            .iter()
            .position(|byte| *byte == 0)
            .expect("a name");
    let end = name_end + 5;
    let addresses: &[[u8; 4]] = match question[name_end + 2] == A {
        true => &[[127, 0, 0, 9], [127, 0, 0, 1]],
        false => &[],
    };
    let count = u8::try_from(addresses.len()).expect("two");
    let mut answer = question[..end].to_vec();
    // An answer, with recursion; one question, so many answers, and nothing else.
    answer[2..12].copy_from_slice(&[0x81, 0x80, 0, 1, 0, count, 0, 0, 0, 0]);
    for address in addresses {
        // The question's name, an address in the Internet, for a minute.
        answer.extend([0xc0, 12, 0, A, 0, 1, 0, 0, 0, 60, 0, 4]);
        answer.extend(address);
    }
    answer
}
