//! Servers that are not as the volume says: a clear failure, in time.

use std::net::TcpListener;
use std::time::Instant;

use crate::lab::{self, HASTY, SILENCE, SOON};
use crate::pod::{Pod, expect_nothing_left};

/// Ends within the deadline, which may be spent to the last, and says why.
#[track_caller]
pub(crate) fn fails_in_time(pod: &Pod, options: &[(&str, &str)], words: &str) {
    let started = Instant::now();
    pod.mount(options).fails_with(words);
    let took = started.elapsed();
    assert!(took < SOON, "took {took:?}");
    expect_nothing_left(pod);
}

#[test]
#[ignore = "needs the VM's NFS"]
fn a_missing_export_is_not_found() {
    for version in ["3", "4.0", "4.2"] {
        let pod = Pod::new("missing");
        pod.mount(&[
            ("server", "127.0.0.1"),
            ("share", "/no/such/export"),
            ("vers", version),
        ])
        .fails_with("cannot mount 127.0.0.1:/no/such/export");
        expect_nothing_left(&pod);
    }
    let pod = Pod::new("missing");
    pod.mount(&[("server", "127.0.0.1"), ("share", "/no/such/export")])
        .fails_with("the server has no such path; check the share");
}

#[test]
#[ignore = "needs the VM's NFS"]
fn a_share_that_is_a_file_is_refused() {
    lab::node();
    std::fs::write(lab::exported("/alpha/plain"), "file").expect("writable");
    let pod = Pod::new("file");
    pod.mount(&[("server", "127.0.0.1"), ("share", "/alpha/plain")])
        .fails_with("cannot mount 127.0.0.1:/alpha/plain");
    expect_nothing_left(&pod);
}

#[test]
#[ignore = "needs the VM's NFS"]
fn a_closed_port_is_unreachable_at_once() {
    let pod = Pod::new("closed");
    let options = [
        ("server", "127.0.0.1"),
        ("share", "/alpha"),
        ("mountOptions", "port=2050"),
    ];
    pod.mount(&options)
        .fails_with("cannot reach nfs server 127.0.0.1, 127.0.0.1:2050: Connection refused");
    expect_nothing_left(&pod);
}

#[test]
#[ignore = "needs the VM's NFS"]
fn a_stopped_server_is_unreachable_at_once_and_served_when_it_is_back() {
    lab::node();
    lab::shell("rpc.nfsd 0");
    let pod = Pod::new("stopped");
    let options = [("server", "127.0.0.1"), ("share", "/alpha")];
    let answer = pod.mount(&options);
    lab::shell("rpc.nfsd --tcp --udp 4; echo Y >/proc/fs/nfsd/v4_end_grace");
    answer.fails_with("Connection refused");
    pod.mount(&options).succeeds();
    pod.unmount().succeeds();
}

#[test]
#[ignore = "needs the VM's NFS"]
fn a_silent_address_is_unreachable_in_seconds() {
    for version in ["3", "4.2"] {
        let pod = Pod::of(HASTY, "silent");
        let options = [("server", SILENCE), ("share", "/alpha"), ("vers", version)];
        fails_in_time(&pod, &options, "cannot reach nfs server 10.77.0.9");
    }
}

/// It takes connections and says nothing: hung, or no NFS server at all.
#[test]
#[ignore = "needs the VM's NFS"]
fn a_server_that_never_answers_fails_at_the_deadline() {
    let (_listener, port) = listen();
    let pod = Pod::of(HASTY, "hung");
    let options = [
        ("server", "127.0.0.1"),
        ("share", "/alpha"),
        ("mountOptions", port.as_str()),
    ];
    fails_in_time(
        &pod,
        &options,
        "did not end within the deadline; check that its server answers",
    );
}

/// A port that takes connections, as a mount option.
pub(crate) fn listen() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = listener.local_addr().expect("bound").port();
    (listener, format!("port={port}"))
}

#[test]
#[ignore = "needs the VM's NFS"]
fn a_name_that_nobody_knows_is_named() {
    let pod = Pod::new("unknown");
    pod.mount(&[("server", "no-such-host"), ("share", "/alpha")])
        .fails_with("cannot resolve \"no-such-host\"");
    expect_nothing_left(&pod);
}

#[test]
#[ignore = "needs the VM's NFS"]
fn a_silent_name_server_fails_at_the_deadline() {
    lab::node();
    let pod = Pod::of(HASTY, "dns");
    let _servers = lab::replace("/etc/resolv.conf", &format!("nameserver {SILENCE}\n"));
    let options = [("server", "filer.example.com"), ("share", "/alpha")];
    fails_in_time(&pod, &options, "filer.example.com");
}
