//! What was not granted is refused before anything is sent to anyone.

use crate::lab::NARROW;
use crate::pod::{Pod, expect_nothing_left};

#[track_caller]
fn denied(options: &[(&str, &str)], words: &str) {
    let pod = Pod::of(NARROW, "denied");
    pod.mount(options).fails_with(words);
    expect_nothing_left(&pod);
}

#[test]
#[ignore = "needs the VM's NFS"]
fn what_is_granted_is_mounted() {
    for (server, share) in [
        ("127.0.0.1", "/alpha"),
        ("127.0.0.2", "/beta"),
        ("localhost", "/alpha"),
    ] {
        let pod = Pod::of(NARROW, "granted");
        pod.mount(&[("server", server), ("share", share)])
            .succeeds();
        pod.unmount().succeeds();
    }
}

#[test]
#[ignore = "needs the VM's NFS"]
fn a_server_outside_the_range_is_denied() {
    for server in ["127.0.0.9", "::1", crate::lab::FILER] {
        denied(&[("server", server), ("share", "/alpha")], "is not granted");
    }
}

/// The range is compared with the address behind the name, not with the name.
#[test]
#[ignore = "needs the VM's NFS"]
fn a_name_that_leads_outside_the_range_is_denied() {
    crate::lab::node();
    let hosts = format!("{} friendly\n", crate::lab::FILER);
    let _hosts = crate::lab::replace("/etc/hosts", &hosts);
    denied(
        &[("server", "friendly"), ("share", "/alpha")],
        "source \"friendly\" \"/alpha\" is not granted",
    );
}

#[test]
#[ignore = "needs the VM's NFS"]
fn a_path_beside_the_granted_one_is_denied() {
    for share in ["/alpha/team", "/betamax", "/", "/two words"] {
        denied(
            &[("server", "127.0.0.1"), ("share", share)],
            "is not granted",
        );
    }
}

#[test]
#[ignore = "needs the VM's NFS"]
fn an_option_beyond_the_list_is_denied_by_name() {
    denied(
        &[
            ("server", "127.0.0.1"),
            ("share", "/alpha"),
            ("mountOptions", "soft"),
        ],
        "mount option \"soft\" is not granted",
    );
}

#[test]
#[ignore = "needs the VM's NFS"]
fn the_shipped_grants_leave_out_soft() {
    let pod = Pod::new("soft");
    pod.mount(&[
        ("server", "127.0.0.1"),
        ("share", "/alpha"),
        ("mountOptions", "soft"),
    ])
    .fails_with("mount option \"soft\" is not granted");
    expect_nothing_left(&pod);
}

#[test]
#[ignore = "needs the VM's NFS"]
fn the_shipped_grants_allow_no_security_but_the_kernels_own() {
    let pod = Pod::new("kerberos");
    pod.mount(&[
        ("server", "127.0.0.1"),
        ("share", "/alpha"),
        ("mountOptions", "sec=krb5"),
    ])
    .fails_with("mount option \"sec=krb5\" is not granted (grants.mounts.options has \"sec=sys\")");
    expect_nothing_left(&pod);
}

#[test]
#[ignore = "needs the VM's NFS"]
fn a_directory_is_not_made_where_files_are_granted_read_only() {
    denied(
        &[
            ("server", "127.0.0.1"),
            ("share", "/beta"),
            ("subPath", "new"),
            ("createSubPath", "true"),
        ],
        "read-only",
    );
    assert!(!crate::lab::exported("/beta/new").exists());
}
