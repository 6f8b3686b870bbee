//! Each version of NFS, asked for and found out.

use crate::pod::{Pod, expect_nothing_left, expect_shared};

/// Mounts, is seen on the server, and is gone again.
fn life_of(version: &str, fs_type: &str) {
    let pod = Pod::new(&format!("version-{version}"));
    pod.mount(&[
        ("server", "127.0.0.1"),
        ("share", "/alpha"),
        ("vers", version),
    ])
    .succeeds();
    let mount = pod.mounted();
    assert_eq!(mount.fs_type, fs_type);
    assert_eq!(mount.source, "127.0.0.1:/alpha");
    assert!(mount.has(&format!("vers={version}")), "{mount:?}");
    assert!(mount.has("hard") && !mount.has("soft"), "{mount:?}");
    expect_shared(&pod, "/alpha");
    pod.unmount().succeeds();
    expect_nothing_left(&pod);
}

#[test]
#[ignore = "needs the VM's NFS"]
fn version_3_is_mounted_hard_and_unmounted() {
    life_of("3", "nfs");
}

#[test]
#[ignore = "needs the VM's NFS"]
fn version_4_0_is_mounted_hard_and_unmounted() {
    life_of("4.0", "nfs4");
}

#[test]
#[ignore = "needs the VM's NFS"]
fn version_4_1_is_mounted_hard_and_unmounted() {
    life_of("4.1", "nfs4");
}

#[test]
#[ignore = "needs the VM's NFS"]
fn version_4_2_is_mounted_hard_and_unmounted() {
    life_of("4.2", "nfs4");
}

#[test]
#[ignore = "needs the VM's NFS"]
fn a_volume_that_names_no_version_gets_the_newest() {
    let pod = Pod::new("newest");
    pod.mount(&[("server", "127.0.0.1"), ("share", "/alpha")])
        .succeeds();
    assert!(pod.mounted().has("vers=4.2"), "{:?}", pod.mounted());
    pod.unmount().succeeds();
}

#[test]
#[ignore = "needs the VM's NFS"]
fn plain_4_is_the_newest_minor_version() {
    let pod = Pod::new("plain-4");
    pod.mount(&[
        ("server", "127.0.0.1"),
        ("share", "/alpha"),
        ("mountOptions", "nfsvers=4"),
    ])
    .succeeds();
    assert!(pod.mounted().has("vers=4.2"), "{:?}", pod.mounted());
    pod.unmount().succeeds();
}

/// What the server lacks is found out, and what it has is used.
#[test]
#[ignore = "needs the VM's NFS"]
fn a_server_without_the_newest_version_is_met_at_the_next() {
    crate::lab::node();
    let restart = |versions: &str| {
        crate::lab::shell(&format!(
            "rpc.nfsd 0; rpc.nfsd --tcp --udp {versions} 4; echo Y >/proc/fs/nfsd/v4_end_grace; \
             cat /proc/fs/nfsd/versions"
        ))
    };
    let offered = restart("-N 4.1 -N 4.2");
    assert!(
        offered.contains("-4.2"),
        "the server still offers {offered}"
    );
    let pod = Pod::new("older");
    let answer = pod.mount(&[("server", "127.0.0.1"), ("share", "/alpha")]);
    let mounted = pod.mounts();
    let unmounted = pod.unmount();
    restart("-V 4.1 -V 4.2");
    answer.succeeds();
    assert!(mounted[0].has("vers=4.0"), "{mounted:?}");
    unmounted.succeeds();
}
