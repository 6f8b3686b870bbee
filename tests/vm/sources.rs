//! Servers and paths as people write them.

use std::fs;

use crate::lab::{self, exported};
use crate::pod::{Pod, expect_nothing_left, expect_shared};

#[track_caller]
fn mounts(name: &str, options: &[(&str, &str)], source: &str, directory: &str) {
    let pod = Pod::new(name);
    pod.mount(options).succeeds();
    assert_eq!(pod.mounted().source, source);
    expect_shared(&pod, directory);
    pod.unmount().succeeds();
    expect_nothing_left(&pod);
}

#[test]
#[ignore = "needs the VM's NFS"]
fn a_share_with_a_space_in_its_name_is_mounted() {
    for version in ["3", "4.2"] {
        let options = [
            ("server", "127.0.0.1"),
            ("share", "/two words"),
            ("vers", version),
        ];
        mounts("space", &options, "127.0.0.1:/two words", "/two words");
    }
}

#[test]
#[ignore = "needs the VM's NFS"]
fn slashes_too_many_or_too_few_do_not_matter() {
    for share in ["/alpha/", "//alpha///", "alpha"] {
        let options = [("server", "127.0.0.1"), ("share", share)];
        mounts("slashes", &options, "127.0.0.1:/alpha", "/alpha");
    }
}

#[test]
#[ignore = "needs the VM's NFS"]
fn a_sub_path_is_the_volume() {
    lab::node();
    fs::create_dir_all(exported("/alpha/team/one")).expect("writable");
    let options = [
        ("server", "127.0.0.1"),
        ("share", "/alpha"),
        ("subPath", "team/one"),
    ];
    mounts(
        "sub-path",
        &options,
        "127.0.0.1:/alpha/team/one",
        "/alpha/team/one",
    );
}

#[test]
#[ignore = "needs the VM's NFS"]
fn a_missing_sub_path_is_made_only_where_that_is_asked_for() {
    let pod = Pod::new("made-sub-path");
    let missing = [
        ("server", "127.0.0.1"),
        ("share", "/alpha"),
        ("subPath", "new/deep"),
    ];
    pod.mount(&missing).fails_with("no such path");
    assert!(!exported("/alpha/new").exists());
    let made = [
        missing[0],
        missing[1],
        missing[2],
        ("createSubPath", "true"),
    ];
    pod.mount(&made).succeeds();
    expect_shared(&pod, "/alpha/new/deep");
    pod.unmount().succeeds();
    fs::remove_dir_all(exported("/alpha/new")).expect("the server has it");
}

#[test]
#[ignore = "needs the VM's NFS"]
fn an_ipv6_server_needs_no_brackets_and_may_have_them() {
    for server in ["::1", "[::1]"] {
        for version in ["3", "4.2"] {
            let options = [("server", server), ("share", "/alpha"), ("vers", version)];
            mounts("ipv6", &options, "[::1]:/alpha", "/alpha");
        }
    }
}

#[test]
#[ignore = "needs the VM's NFS"]
fn a_transport_may_be_named_for_an_ipv6_server() {
    let options = [("server", "::1"), ("share", "/alpha"), ("protocol", "tcp")];
    mounts("ipv6-tcp", &options, "[::1]:/alpha", "/alpha");
}

#[test]
#[ignore = "needs the VM's NFS"]
fn a_server_is_found_by_its_name() {
    let options = [("server", "localhost"), ("share", "/alpha")];
    mounts("localhost", &options, "localhost:/alpha", "/alpha");
    let hosts = format!(
        "127.0.0.1 localhost\n{} filer.example.com filer\n",
        lab::FILER
    );
    let _hosts = lab::replace("/etc/hosts", &hosts);
    let options = [("server", "filer.example.com"), ("share", "/alpha")];
    mounts("hosts", &options, "filer.example.com:/alpha", "/alpha");
}

/// The binary is static; services of other libraries are of no use to it, and must do it no harm.
#[test]
#[ignore = "needs the VM's NFS"]
fn name_services_beyond_files_and_dns_do_no_harm() {
    lab::node();
    let services =
        "hosts: mymachines resolve [!UNAVAIL=return] files myhostname mdns4_minimal dns\n";
    let _services = lab::replace("/etc/nsswitch.conf", services);
    let options = [("server", "localhost"), ("share", "/alpha")];
    mounts("services", &options, "localhost:/alpha", "/alpha");
}

/// Of two addresses, one belongs to a machine that is switched off.
#[test]
#[ignore = "needs the VM's NFS"]
fn the_address_of_a_name_that_answers_is_used() {
    lab::node();
    let hosts = format!("{} both\n{} both\n", lab::SILENCE, lab::FILER);
    let _hosts = lab::replace("/etc/hosts", &hosts);
    let pod = Pod::new("both");
    let options = [("server", "both"), ("share", "/alpha")];
    pod.mount(&options).succeeds();
    assert!(pod.mounted().has(&format!("addr={}", lab::FILER)));
    pod.unmount().succeeds();
}
