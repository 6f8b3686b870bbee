//! A repeated `NodePublishVolume` is answered where it arrives, from what is mounted at that moment.

use std::fs;
use std::path::Path;
use std::thread;

use drivebay_tests::{CsiVolume, GIB, Node, Site, eventually, refused, text};
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use serde_json::json;
use tonic::Code;

/// Asked twice, because what is known may be answered from memory.
#[track_caller]
fn is_published(disk: &CsiVolume<'_>) {
    is_published_for(disk, "pod-1");
}

#[track_caller]
fn is_published_for(disk: &CsiVolume<'_>, pod: &str) {
    for _ in 0..2 {
        disk.publish(pod).expect("published");
        Node::holds_one_mount(&disk.target(pod));
    }
}

fn change(source: Option<&Path>, target: &Path, flags: MsFlags) {
    let none = None::<&str>;
    mount(source, target, none, flags, none).expect("root");
}

#[test]
fn what_is_mounted_over_a_target_is_named_until_it_is_gone() {
    let site = Site::new();
    let disk = site.disk("pvc-1").in_use("pod-1");
    is_published(&disk);
    let (target, other) = (disk.target("pod-1"), site.node.pod("other"));
    change(Some(&other), &target, MsFlags::MS_BIND);
    let message = refused(disk.publish("pod-1"), Code::AlreadyExists);
    assert!(message.contains(text(&target)), "{message}");
    umount2(&target, MntFlags::empty()).expect("ours");
    is_published(&disk);
    disk.release("pod-1");
    site.is_clean();
}

#[test]
fn a_repeat_is_answered_while_another_volume_is_worked_on_and_waits_for_nobody() {
    let site = Site::new();
    let disk = site.disk("pvc-1").in_use("pod-1");
    let other = site.disk("pvc-2").in_use("pod-2");
    site.cloud
        .fault(&json!({ "action": "ResizeDisk", "kind": "slow-reply" }));
    thread::scope(|scope| {
        let slow = scope.spawn(|| other.expand(40 * GIB, 0));
        eventually("the disk to grow", || site.cloud.requests("ResizeDisk") > 0);
        is_published(&disk);
        disk.stage().expect("staged already");
        refused(other.stage(), Code::Aborted);
        assert!(!slow.is_finished(), "it was to last longer");
        site.cloud.clear_faults();
        slow.join().expect("no panic").expect("grown");
    });
    is_published_for(&other, "pod-2");
    disk.release("pod-1");
    other.release("pod-2");
    site.is_clean();
}

#[test]
fn what_was_unmounted_lazily_is_mounted_again() {
    let site = Site::new();
    let disk = site.disk("pvc-1").in_use("pod-1");
    is_published(&disk);
    let open = fs::File::open(disk.target("pod-1")).expect("there");
    umount2(&disk.target("pod-1"), MntFlags::MNT_DETACH).expect("ours");
    is_published(&disk);
    drop(open);
    disk.release("pod-1");
    site.is_clean();
}

#[test]
fn a_target_whose_parent_was_renamed_is_mounted_where_it_is_asked_for() {
    let site = Site::new();
    let disk = site.disk("pvc-1").in_use("pod-1");
    is_published(&disk);
    let (pod, renamed) = (site.node.path("pods/pod-1"), site.node.path("pods/renamed"));
    fs::rename(pod, &renamed).expect("ours");
    is_published(&disk);
    umount2(&renamed.join("mount"), MntFlags::empty()).expect("it went along");
    disk.release("pod-1");
    site.is_clean();
}

#[test]
fn a_target_that_was_made_read_only_is_refused_until_it_takes_writes_again() {
    let site = Site::new();
    let disk = site.disk("pvc-1").in_use("pod-1");
    is_published(&disk);
    let target = disk.target("pod-1");
    let again = MsFlags::MS_REMOUNT | MsFlags::MS_BIND;
    change(None, &target, again | MsFlags::MS_RDONLY);
    let message = refused(disk.publish("pod-1"), Code::FailedPrecondition);
    assert!(message.contains("read-only"), "{message}");
    change(None, &target, again);
    is_published(&disk);
    disk.release("pod-1");
    site.is_clean();
}
