//! A repeated `NodePublishVolume` is answered where it arrives, from what is mounted at that moment.

use std::fs;
use std::path::Path;

use drivebay_tests::{CsiVolume, Node, Site, refused, text};
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use tonic::Code;

/// Asked twice, because what is known may be answered from memory.
#[track_caller]
fn is_published(disk: &CsiVolume<'_>) {
    for _ in 0..2 {
        disk.publish("pod-1").expect("published");
        Node::holds_one_mount(&disk.target("pod-1"));
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
