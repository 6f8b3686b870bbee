//! A node that moves from another driver to this one without being drained: what is mounted decides, and is taken
//! over where it is the volume. Here Alibaba's driver mounted: a disk at the staging directory itself, a raw device at
//! a file in it that has the volume's id for a name, and both bound to the pods' targets.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use drivebay_tests::csi_proto::volume_capability::access_mode::Mode;
use drivebay_tests::csi_proto::{self as proto};
use drivebay_tests::{
    CsiVolume, GIB, Node, Site, eventually, mounted_as, raw, refused, serial, text,
};
use nix::mount::{MsFlags, mount, umount};
use tonic::Code;

/// A disk on this machine.
#[track_caller]
fn attached<'a>(site: &'a Site, name: &str) -> CsiVolume<'a> {
    let mut disk = site.disk(name);
    disk.attach().expect("attached");
    disk
}

/// The same, used as a raw device.
#[track_caller]
fn attached_raw<'a>(site: &'a Site, name: &str) -> CsiVolume<'a> {
    attached(site, name).used_as(raw(Mode::SingleNodeMultiWriter))
}

/// A device appears after the cloud says that its disk is attached.
fn node_of(disk: &CsiVolume<'_>) -> PathBuf {
    let link = format!("/dev/disk/by-id/virtio-{}", serial(&disk.id));
    eventually("the disk's device", || Path::new(&link).exists());
    fs::canonicalize(link).expect("attached")
}

fn bind(from: &Path, onto: &Path) {
    let none = None::<&str>;
    mount(Some(from), onto, none, MsFlags::MS_BIND, none).expect("root");
}

/// With a filesystem, mounted at the staging directory.
fn staged_by_the_other(disk: &CsiVolume<'_>, fs_type: &str) {
    let device = node_of(disk);
    let made = Node::run(&format!("mkfs.{fs_type}"), &["-q", text(&device)]);
    assert!(made.status.success(), "{made:?}");
    fs::create_dir_all(disk.staging()).expect("writable");
    let (none, type_of) = (None::<&str>, Some(fs_type));
    mount(
        Some(&device),
        &disk.staging(),
        type_of,
        MsFlags::empty(),
        none,
    )
    .expect("root");
    fs::write(disk.staging().join("hello"), "from before").expect("writable");
}

fn published_by_the_other(disk: &CsiVolume<'_>, pod: &str) {
    fs::create_dir_all(disk.target(pod)).expect("writable");
    bind(&disk.staging(), &disk.target(pod));
}

/// A raw device at a file.
fn bound_by_the_other(disk: &CsiVolume<'_>, file: &Path) {
    fs::create_dir_all(file.parent().expect("a directory")).expect("writable");
    File::create(file).expect("writable");
    bind(&node_of(disk), file);
}

#[test]
fn a_disk_is_published_to_a_new_pod_and_again_to_the_old_one() {
    let site = Site::new();
    let disk = attached(&site, "pvc-1");
    staged_by_the_other(&disk, "ext4");
    published_by_the_other(&disk, "old");
    disk.publish("new").expect("published");
    let hello = fs::read_to_string(disk.target("new").join("hello"));
    assert_eq!(hello.expect("mounted"), "from before");
    for _ in 0..2 {
        disk.publish("old").expect("it is there");
    }
    Node::holds_one_mount(&disk.target("old"));
    Node::holds_one_mount(&disk.staging());
    disk.stats(text(&disk.target("old"))).expect("measured");
    disk.stage().expect("it is there");
    disk.unpublish("new").expect("unpublished");
    disk.release("old");
    site.is_clean();
}

#[test]
fn statistics_and_growth_ask_what_is_mounted_and_not_the_journal_alone() {
    let site = Site::new();
    let disk = attached(&site, "pvc-1").used_as(mounted_as("xfs", Mode::SingleNodeMultiWriter));
    let other = disk.known_as("d-bp1nosuchdisk0000001");
    staged_by_the_other(&disk, "xfs");
    published_by_the_other(&disk, "old");
    let before = site.node.traces();
    for place in [disk.target("old"), disk.staging()] {
        for _ in 0..2 {
            let measured = disk.stats(text(&place)).expect("measured");
            assert!(measured.usage.iter().all(|usage| usage.total > 0));
            refused(other.stats(text(&place)), Code::NotFound);
        }
    }
    assert_eq!(site.node.traces(), before, "only asked");
    let more = 25 * GIB;
    disk.expand(more, 0).expect("the disk");
    let at = |volume: &CsiVolume<'_>, path: &Path| {
        site.csi.node_expand_volume(proto::NodeExpandVolumeRequest {
            volume_id: volume.id.clone(),
            volume_path: text(path).to_owned(),
            capacity_range: Some(proto::CapacityRange {
                required_bytes: more.cast_signed(),
                limit_bytes: 0,
            }),
            ..proto::NodeExpandVolumeRequest::default()
        })
    };
    refused(at(&other, &disk.target("old")), Code::NotFound);
    at(&disk, &disk.target("old")).expect("the filesystem");
    let measured = disk.stats(text(&disk.target("old"))).expect("measured");
    assert!(measured.usage[0].total > (24 * GIB).cast_signed());
    // Ours was there, and somebody put another one in its place.
    disk.publish("old").expect("it is there");
    umount(&disk.target("old")).expect("there");
    bind(&site.node.path("pool"), &disk.target("old"));
    refused(disk.stats(text(&disk.target("old"))), Code::NotFound);
    disk.release("old");
    site.is_clean();
}

#[test]
fn the_old_pods_target_alone_is_published_again() {
    let site = Site::new();
    let disk = attached(&site, "pvc-1");
    staged_by_the_other(&disk, "ext4");
    published_by_the_other(&disk, "old");
    disk.publish("old").expect("it is there");
    Node::holds_one_mount(&disk.target("old"));
    let mut reading = disk.publishing("old");
    reading.readonly = true;
    refused(site.csi.node_publish_volume(reading), Code::AlreadyExists);
    disk.release("old");
    site.is_clean();
}

#[test]
fn another_disk_at_the_staging_directory_or_the_target_is_not_taken_for_the_volume() {
    let site = Site::new();
    let (disk, other) = (attached(&site, "pvc-1"), attached(&site, "pvc-2"));
    staged_by_the_other(&other, "ext4");
    fs::create_dir_all(disk.staging()).expect("writable");
    bind(&other.staging(), &disk.staging());
    let message = refused(disk.publish("new"), Code::AlreadyExists);
    assert!(message.contains("the target already holds"), "{message}");
    assert!(!disk.target("new").exists());
    umount(&disk.staging()).expect("still there");
    disk.stage().expect("staged");
    fs::create_dir_all(disk.target("new")).expect("writable");
    bind(&other.staging(), &disk.target("new"));
    refused(disk.publish("new"), Code::AlreadyExists);
    disk.release("new");
    other.release("never");
    site.is_clean();
}

#[test]
fn a_raw_device_is_published_again_and_unstaged() {
    let site = Site::new();
    let disk = attached_raw(&site, "raw");
    let staged = disk.staging().join(&disk.id);
    bound_by_the_other(&disk, &staged);
    bound_by_the_other(&disk, &disk.target("old"));
    disk.publish("new").expect("published");
    disk.publish("old").expect("it is there");
    disk.stage().expect("it is there");
    Node::holds_one_mount(&disk.target("old"));
    assert_eq!(
        Node::mounts_beneath(&disk.staging()),
        std::slice::from_ref(&staged)
    );
    disk.unpublish("new").expect("unpublished");
    disk.unpublish("old").expect("unpublished");
    disk.unstage().expect("unstaged");
    assert!(!staged.exists());
    disk.detach().expect("detached");
    disk.delete().expect("deleted");
    site.is_clean();
}

#[test]
fn a_raw_device_that_the_journal_does_not_know_is_taken_away() {
    let site = Site::new();
    let disk = attached_raw(&site, "raw");
    let target = disk.target("old");
    for _ in 0..2 {
        bound_by_the_other(&disk, &target);
        disk.unpublish("old").expect("unpublished");
        assert!(!target.exists());
    }
    File::create(&target).expect("writable");
    disk.unpublish("old").expect("a leftover");
    assert!(!target.exists());
    let staged = disk.staging().join(&disk.id);
    bound_by_the_other(&disk, &staged);
    disk.unstage().expect("unstaged");
    assert!(!staged.exists());
    assert!(fs::remove_dir(disk.staging()).is_ok(), "something is left");
    disk.detach().expect("detached");
    disk.delete().expect("deleted");
    site.is_clean();
}

#[test]
fn what_is_in_the_way_is_named_and_left_alone() {
    let site = Site::new();
    let disk = attached(&site, "pvc-1");
    disk.stage().expect("staged");
    disk.publish("pod").expect("published");
    let beneath = disk.target("pod").join("beneath");
    fs::create_dir(&beneath).expect("writable");
    bind(&site.node.path("pool"), &beneath);
    let message = refused(disk.unpublish("pod"), Code::FailedPrecondition);
    assert!(message.contains(text(&beneath)), "{message}");
    assert!(!message.contains("process"), "{message}");
    umount(&beneath).expect("still there");
    let open = File::create(disk.target("pod").join("open")).expect("writable");
    let message = refused(disk.unpublish("pod"), Code::FailedPrecondition);
    assert!(message.contains("a process still uses it"), "{message}");
    drop(open);
    disk.release("pod");
    site.is_clean();
}

#[test]
fn a_directory_with_something_in_it_is_not_removed() {
    let site = Site::new();
    let disk = attached(&site, "pvc-1");
    let target = disk.target("pod");
    fs::create_dir(&target).expect("writable");
    fs::write(target.join("data"), "somebody's").expect("writable");
    let message = refused(disk.unpublish("pod"), Code::FailedPrecondition);
    assert!(message.contains(text(&target)), "{message}");
    let data = fs::read_to_string(target.join("data"));
    assert_eq!(data.expect("there"), "somebody's");
    fs::remove_dir_all(&target).expect("ours");
    fs::write(&target, "somebody's").expect("writable");
    refused(disk.unpublish("pod"), Code::FailedPrecondition);
    fs::remove_file(&target).expect("still there");
    let within = disk.staging().join("elsewhere");
    fs::create_dir_all(&within).expect("writable");
    bind(&site.node.path("pool"), &within);
    let message = refused(disk.unstage(), Code::FailedPrecondition);
    assert!(message.contains(text(&within)), "{message}");
    umount(&within).expect("still there");
    disk.release("pod");
    site.is_clean();
}

#[test]
fn what_an_older_version_mounted_without_noting_who_made_it_is_staged_and_published_again() {
    let site = Site::new();
    let mut disk = attached(&site, "pvc-1").in_use("old");
    let identity = "storage.kubernetes.io/csiProvisionerIdentity";
    let known = disk.context.insert(identity.into(), "1-2-drivebay".into());
    assert_eq!(known, None);
    disk.stage().expect("it is there");
    disk.publish("old").expect("it is there");
    disk.publish("new").expect("published");
    disk.unpublish("new").expect("unpublished");
    disk.release("old");
    site.is_clean();
}

/// Where the mount is a dead server's, whoever looks beneath it waits for ever.
#[test]
fn nothing_is_looked_for_beneath_what_is_mounted_at_the_directory_itself() {
    let site = Site::new();
    let disk = attached_raw(&site, "raw");
    fs::create_dir_all(disk.staging()).expect("writable");
    bind(&site.node.path("pool"), &disk.staging());
    let hidden = disk.staging().join(&disk.id);
    bound_by_the_other(&disk, &hidden);
    refused(disk.stats(text(&disk.staging())), Code::NotFound);
    for answer in [disk.publish("new"), disk.stage()] {
        let message = refused(answer, Code::AlreadyExists);
        assert!(message.contains("at the directory itself"), "{message}");
    }
    umount(&hidden).expect("still there");
    fs::remove_file(&hidden).expect("ours");
    umount(&disk.staging()).expect("still there");
    disk.stage().expect("staged");
    disk.publish("new").expect("published");
    disk.release("new");
    site.is_clean();
}

#[test]
fn a_raw_device_that_was_taken_over_is_staged_in_our_place_after_a_reboot() {
    let site = Site::new();
    let disk = attached_raw(&site, "raw");
    let theirs = disk.staging().join(&disk.id);
    bound_by_the_other(&disk, &theirs);
    disk.stage().expect("taken over");
    umount(&theirs).expect("there");
    disk.stage().expect("staged");
    let ours = disk.staging().join("device");
    assert_eq!(Node::mounts_beneath(&disk.staging()), [ours]);
    disk.publish("new").expect("published");
    Node::holds_one_mount(&disk.target("new"));
    disk.release("new");
    site.is_clean();
}
