//! Read-only, by everyone who may ask for it.

use std::fs;

use drivebay_tests::Answer;

use crate::lab;
use crate::pod::{Access, Pod};

const SHARE: [(&str, &str); 2] = [("server", "127.0.0.1"), ("share", "/beta")];

#[track_caller]
fn expect_read_only(pod: &Pod, answer: Answer) {
    answer.succeeds();
    let refusal = fs::write(pod.file("new"), "x").expect_err("read-only");
    assert_eq!(refusal.raw_os_error(), Some(nix::libc::EROFS));
    assert!(pod.mounted().has("ro"), "{:?}", pod.mounted());
    pod.unmount().succeeds();
}

#[test]
#[ignore = "needs the VM's NFS"]
fn a_volume_that_kubelet_wants_read_only_refuses_writes() {
    for version in ["3", "4.2"] {
        let pod = Pod::new("kubelet-ro");
        let options = [SHARE[0], SHARE[1], ("vers", version)];
        expect_read_only(&pod, pod.mount_for(Access::ReadOnly, &options));
    }
}

#[test]
#[ignore = "needs the VM's NFS"]
fn a_volume_whose_option_says_read_only_refuses_writes() {
    let pod = Pod::new("option-ro");
    expect_read_only(&pod, pod.mount(&[SHARE[0], SHARE[1], ("readonly", "true")]));
}

#[test]
#[ignore = "needs the VM's NFS"]
fn a_volume_whose_mount_options_say_read_only_refuses_writes() {
    let pod = Pod::new("list-ro");
    let options = [SHARE[0], SHARE[1], ("mountOptions", "ro,noatime")];
    expect_read_only(&pod, pod.mount(&options));
}

#[test]
#[ignore = "needs the VM's NFS"]
fn mount_options_cannot_make_a_read_only_volume_writable() {
    let pod = Pod::new("list-rw");
    let options = [SHARE[0], SHARE[1], ("mountOptions", "rw")];
    expect_read_only(&pod, pod.mount_for(Access::ReadOnly, &options));
}

/// The kernel shares one filesystem among mounts of one share; that must not make both alike.
#[test]
#[ignore = "needs the VM's NFS"]
fn one_share_is_read_only_for_one_pod_and_writable_for_another() {
    let (reader, writer) = (Pod::new("reader"), Pod::new("writer"));
    reader.mount_for(Access::ReadOnly, &SHARE).succeeds();
    writer.mount(&SHARE).succeeds();
    fs::write(writer.file("news"), "for the reader").expect("writable");
    assert_eq!(
        fs::read_to_string(reader.file("news")).expect("readable"),
        "for the reader"
    );
    writer.unmount().succeeds();
    expect_read_only(&reader, reader.mount_for(Access::ReadOnly, &SHARE));
    fs::remove_file(lab::exported("/beta/news")).expect("the server has it");
}
