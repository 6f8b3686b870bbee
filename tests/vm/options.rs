//! Volumes that were written for other drivers go on working.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use crate::lab::{exported, shell};
use crate::pod::{Pod, expect_shared};

/// As in the NFS example of Kubernetes and its descendants.
#[test]
#[ignore = "needs the VM's NFS"]
fn options_of_the_kubernetes_example_are_understood() {
    let pod = Pod::new("example");
    pod.mount(&[
        ("server", "127.0.0.1"),
        ("share", "alpha"),
        ("protocol", "TCP"),
        ("atime", "false"),
        ("readonly", "false"),
        (
            "mountOptions",
            "rw,intr,timeo=300,nosuid,rsize=65536,_netdev",
        ),
    ])
    .succeeds();
    let mount = pod.mounted();
    for option in [
        "noatime",
        "nosuid",
        "proto=tcp",
        "timeo=300",
        "rsize=65536",
        "hard",
    ] {
        assert!(mount.has(option), "{option} is missing in {mount:?}");
    }
    expect_shared(&pod, "/alpha");
    pod.unmount().succeeds();
}

/// As in Alibaba's documentation of NAS volumes.
#[test]
#[ignore = "needs the VM's NFS"]
fn a_path_of_alibabas_driver_is_made_with_its_mode() {
    let pod = Pod::new("nas");
    let options = [
        ("server", "127.0.0.1"),
        ("path", "/alpha/k8s/app"),
        ("vers", "3"),
        ("mode", "0751"),
        ("options", "nolock,noresvport,tcp"),
    ];
    pod.mount(&options).succeeds();
    expect_shared(&pod, "/alpha/k8s/app");
    let mount = pod.mounted();
    assert!(mount.has("vers=3") && mount.has("hard"), "{mount:?}");
    pod.unmount().succeeds();
    let made = fs::metadata(exported("/alpha/k8s/app")).expect("made");
    assert_eq!(made.permissions().mode() & 0o7777, 0o751);

    // The next pod finds it there, with what is in it.
    pod.mount(&options).succeeds();
    assert!(pod.file("written by nas").exists());
    pod.unmount().succeeds();
    fs::remove_dir_all(exported("/alpha/k8s")).expect("the server has it");
}

#[test]
#[ignore = "needs the VM's NFS"]
fn alibabas_defaults_are_kept() {
    let pod = Pod::new("nas-defaults");
    pod.mount(&[("server", "127.0.0.1"), ("path", "/beta")])
        .succeeds();
    let mount = pod.mounted();
    for option in ["vers=3", "hard", "noresvport"] {
        assert!(mount.has(option), "{option} is missing in {mount:?}");
    }
    pod.unmount().succeeds();
}

/// As in csi-driver-nfs's examples, and in Alibaba Cloud's for NAS.
#[test]
#[ignore = "needs the VM's NFS"]
fn a_minor_version_and_the_kernels_own_security_are_understood() {
    for (list, version) in [
        ("nfsvers=4.1,sec=sys", "vers=4.1"),
        ("vers=4,minorversion=1,sec=sys", "vers=4.1"),
        ("vers=4,minorversion=0,hard,timeo=600,retrans=2", "vers=4.0"),
    ] {
        let pod = Pod::new("minor");
        pod.mount(&[
            ("server", "127.0.0.1"),
            ("share", "/alpha"),
            ("mountOptions", list),
        ])
        .succeeds();
        let mount = pod.mounted();
        assert!(mount.has(version) && mount.has("sec=sys"), "{mount:?}");
        pod.unmount().succeeds();
    }
}

/// What no filesystem reads, and what a later word takes back.
#[test]
#[ignore = "needs the VM's NFS"]
fn words_of_every_filesystem_are_read_as_mount_reads_them() {
    let pod = Pod::new("generic");
    pod.mount(&[
        ("server", "127.0.0.1"),
        ("share", "/alpha"),
        (
            "mountOptions",
            "defaults,_netdev,nofail,x-systemd.automount,suid,dev,exec,async,nosuid,noatime,atime,lazytime,nodiratime",
        ),
    ])
    .succeeds();
    let mount = pod.mounted();
    assert!(mount.has("nosuid") && mount.has("nodiratime"), "{mount:?}");
    assert!(!mount.has("noatime") && !mount.has("noexec"), "{mount:?}");
    pod.unmount().succeeds();
}

#[test]
#[ignore = "needs the VM's NFS"]
fn an_option_that_the_kernel_does_not_know_is_blamed_on_the_options() {
    let pod = Pod::new("rsize");
    pod.mount(&[
        ("server", "127.0.0.1"),
        ("share", "/alpha"),
        ("mountOptions", "rsize=much"),
    ])
    .fails_with("the kernel does not accept these mount options");
    assert!(pod.mounts().is_empty());
}

/// As kubelet adds it where a CSIDriver says seLinuxMount; users may write it too.
#[test]
#[ignore = "needs the VM's NFS"]
fn a_label_reaches_the_kernel_and_where_there_is_no_selinux_the_error_says_so() {
    let pod = Pod::new("label");
    let label = "context=\"system_u:object_r:container_file_t:s0:c1,c2\"";
    pod.mount(&[
        ("server", "127.0.0.1"),
        ("share", "/alpha"),
        ("mountOptions", label),
    ])
    .fails_with("this node has no SELinux");
    let log = shell("dmesg");
    assert!(log.contains("Unknown parameter 'context'"), "{log}");
}
