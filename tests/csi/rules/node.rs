//! The Node service: targets, staging directories and statistics.

use std::fs;

use drivebay_tests::csi_proto::volume_capability::access_mode::Mode;
use drivebay_tests::{GIB, Site, mounted, raw, refused, text};
use tonic::Code;

#[test]
fn rule_5_the_target_is_made_by_publishing_and_removed_by_unpublishing() {
    let site = Site::new();
    let disk = site.disk("pvc-1").in_use("pod-1");
    assert!(disk.target("pod-1").is_dir());
    fs::write(disk.target("pod-1").join("hello"), "kept").expect("writable");
    disk.unpublish("pod-1").expect("unpublished");
    assert!(!disk.target("pod-1").exists());
    disk.unpublish("pod-1").expect("again");
    disk.unstage().expect("unstaged");
    assert!(disk.staging().is_dir(), "the caller's to remove");
    disk.unstage().expect("again");
    disk.detach().expect("detached");
    disk.delete().expect("deleted");
    site.is_clean();
}

#[test]
fn rule_5_a_raw_device_appears_as_a_file_and_goes_with_it() {
    let site = Site::new();
    let disk = site
        .disk("pvc-1")
        .used_as(raw(Mode::SingleNodeMultiWriter))
        .in_use("pod-1");
    let stats = disk.stats(text(&disk.target("pod-1"))).expect("measured");
    assert_eq!(stats.usage[0].total, (20 * GIB).cast_signed());
    disk.unpublish("pod-1").expect("unpublished");
    assert!(!disk.target("pod-1").exists());
    disk.unstage().expect("unstaged");
    disk.detach().expect("detached");
    disk.delete().expect("deleted");
    site.is_clean();
}

#[test]
fn rule_9_the_same_target_and_arguments_are_success_and_others_are_not() {
    let site = Site::new();
    let disk = site.disk("pvc-1").in_use("pod-1");
    disk.publish("pod-1").expect("again");
    let mut read_only = disk.publishing("pod-1");
    read_only.readonly = true;
    refused(site.csi.node_publish_volume(read_only), Code::AlreadyExists);
    disk.release("pod-1");
    site.is_clean();
}

#[test]
fn rule_9_what_somebody_else_unmounted_is_published_anew() {
    let site = Site::new();
    let disk = site.disk("pvc-1").in_use("pod-1");
    let target = disk.target("pod-1");
    nix::mount::umount(&target).expect("mounted");
    refused(disk.stats(text(&target)), Code::NotFound);
    disk.publish("pod-1").expect("anew");
    disk.stats(text(&target)).expect("there");
    disk.release("pod-1");
    site.is_clean();
}

#[test]
fn rule_9_a_second_target_is_for_modes_that_allow_it() {
    let site = Site::new();
    for (mode, may) in [
        (Mode::SingleNodeMultiWriter, true),
        (Mode::SingleNodeSingleWriter, false),
        (Mode::SingleNodeWriter, false),
    ] {
        let disk = site.disk("pvc-1").used_as(mounted(mode)).in_use("pod-1");
        match disk.publish("pod-2") {
            Ok(()) => assert!(may, "{mode:?}"),
            Err(status) => {
                assert!(!may, "{mode:?}: {}", status.message());
                assert_eq!(status.code(), Code::FailedPrecondition);
                assert!(status.message().contains(text(&disk.target("pod-1"))));
            }
        }
        disk.unpublish("pod-2").expect("unpublished");
        disk.release("pod-1");
    }
    site.is_clean();
}

#[test]
fn rule_16_a_volume_that_was_not_staged_is_not_published() {
    let site = Site::new();
    let mut disk = site.disk("pvc-1");
    disk.attach().expect("attached");
    refused(disk.publish("pod-1"), Code::FailedPrecondition);
    disk.stage().expect("staged");
    let mut without = disk.publishing("pod-1");
    without.staging_target_path.clear();
    refused(
        site.csi.node_publish_volume(without),
        Code::FailedPrecondition,
    );
    let mut elsewhere = disk.publishing("pod-1");
    elsewhere.staging_target_path = text(&site.node.path("mounts/other")).to_owned();
    refused(
        site.csi.node_publish_volume(elsewhere),
        Code::FailedPrecondition,
    );
    disk.release("pod-1");
    site.is_clean();
}

#[test]
fn rule_17_only_a_path_that_holds_the_volume_has_statistics() {
    let site = Site::new();
    let disk = site.disk("pvc-1").in_use("pod-1");
    let other = disk.known_as("d-bp1nosuchdisk0000001");
    let stats = disk.stats(text(&disk.target("pod-1"))).expect("measured");
    assert_eq!(stats.usage.len(), 2, "bytes and inodes");
    assert!(stats.usage.iter().all(|usage| usage.total > 0));
    refused(other.stats(text(&disk.target("pod-1"))), Code::NotFound);
    refused(disk.stats(text(&site.node.path("pods"))), Code::NotFound);
    refused(disk.stats(""), Code::InvalidArgument);
    disk.release("pod-1");
    site.is_clean();
}
