//! Loop devices that come and go with attachments.

#![expect(
    clippy::expect_used,
    reason = "in tests, a panic is how a broken promise is reported"
)]

mod support;

use std::fs::{self, File, OpenOptions};
use std::os::unix::fs::{FileExt, FileTypeExt};
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use support::{Emulator, REGION, eventually, text};
use tempfile::TempDir;

/// An emulator with devices, and the directory that holds its state and links.
struct Node {
    emulator: Emulator,
    directory: TempDir,
}

fn start(directory: &Path, more: &[&str]) -> Emulator {
    let links = directory.join("links");
    let links = links.to_str().expect("a plain path");
    let arguments = [&["--devices", "loop", "--links", links], more].concat();
    Emulator::start(&directory.join("state"), &arguments)
}

fn node() -> Node {
    let directory = tempfile::tempdir().expect("writable");
    Node {
        emulator: start(directory.path(), &[]),
        directory,
    }
}

fn link(directory: &Path, disk: &str) -> PathBuf {
    directory.join(format!("links/virtio-{}", &disk[2..]))
}

impl Node {
    fn link(&self, disk: &str) -> PathBuf {
        link(self.directory.path(), disk)
    }

    fn attached(&self, more: &[(&str, &str)]) -> String {
        let disk = self.emulator.new_disk(more);
        self.emulator.attach(&disk);
        eventually("the device", || self.link(&disk).exists());
        disk
    }
}

/// What the kernel says of the device behind a link.
fn bytes(link: &Path) -> u64 {
    let device = fs::canonicalize(link).expect("it is there");
    let name = device
        .file_name()
        .and_then(|name| name.to_str())
        .expect("a plain name");
    let size = fs::read_to_string(format!("/sys/class/block/{name}/size")).expect("a block device");
    size.trim().parse::<u64>().expect("a number") * 512
}

#[test]
#[ignore = "needs root: loop devices"]
fn device_comes_after_attaching_grows_and_goes_with_detaching() {
    let node = node();
    let disk = node.attached(&[]);
    let link = node.link(&disk);
    assert!(
        fs::metadata(&link)
            .expect("a device")
            .file_type()
            .is_block_device()
    );
    assert_eq!(bytes(&link), 20 << 30);
    let resize = [
        ("DiskId", disk.as_str()),
        ("NewSize", "25"),
        ("Type", "online"),
    ];
    node.emulator.call("ResizeDisk", &resize).succeeds();
    eventually("the device to grow", || bytes(&link) == 25 << 30);
    let offline = [("DiskId", disk.as_str()), ("NewSize", "30")];
    node.emulator.call("ResizeDisk", &offline).succeeds();
    eventually("the disk to grow", || {
        node.emulator.describe(&disk)["Size"] == 30
    });
    assert_eq!(bytes(&link), 25 << 30);
    node.emulator.detach(&disk);
    node.emulator.becomes(&disk, "Available");
    assert!(!link.exists(), "the link outlived the attachment");
}

#[test]
#[ignore = "needs root: loop devices"]
fn attachment_to_another_instance_makes_no_device_here() {
    let node = node();
    let disk = node.emulator.new_disk(&[]);
    let there = [
        ("DiskId", disk.as_str()),
        ("InstanceId", "i-bp1drivebaynode00002"),
    ];
    node.emulator.call("AttachDisk", &there).succeeds();
    node.emulator.becomes(&disk, "In_use");
    assert!(!node.link(&disk).exists());
}

#[test]
#[ignore = "needs root: loop devices"]
fn snapshot_carries_what_the_device_held_at_the_cut() {
    let node = node();
    let disk = node.attached(&[]);
    let write = |data: &[u8]| {
        let device = OpenOptions::new()
            .write(true)
            .open(node.link(&disk))
            .expect("ours");
        device.write_all_at(data, 7 << 30).expect("room");
        device.sync_all().expect("written");
    };
    write(b"early");
    let made = node
        .emulator
        .call("CreateSnapshot", &[("DiskId", &disk)])
        .succeeds();
    let snapshot = text(&made["SnapshotId"]);
    eventually("the snapshot to be cut", || {
        let all = node
            .emulator
            .call("DescribeSnapshots", &[REGION])
            .succeeds();
        !text(&all["Snapshots"]["Snapshot"][0]["CreationTime"]).is_empty()
    });
    write(b"later");
    let asked = [REGION, ("Status", "accomplished")];
    eventually("the snapshot", || {
        node.emulator.call("DescribeSnapshots", &asked).succeeds()["TotalCount"] == 1
    });
    let restored = node.attached(&[("SnapshotId", &snapshot)]);
    let mut data = [0; 5];
    let device = File::open(node.link(&restored)).expect("ours");
    device.read_exact_at(&mut data, 7 << 30).expect("room");
    assert_eq!(&data, b"early");
}

#[test]
#[ignore = "needs root: loop devices"]
fn odd_devices_are_odd_as_ordered() {
    let node = node();
    let odd = |fault: Value| {
        let disk = node.emulator.new_disk(&[]);
        node.emulator.order(&fault);
        node.emulator.attach(&disk);
        node.emulator.becomes(&disk, "In_use");
        disk
    };
    let fault = |kind: &str| json!({ "kind": kind, "action": "AttachDisk", "gib": 10 });
    let late = odd(fault("late-device"));
    assert!(!node.link(&late).exists());
    node.emulator.control("DELETE", "/faults", &Value::Null);
    eventually("the late device", || node.link(&late).exists());
    let small = odd(fault("wrong-size-device"));
    eventually("the small device", || node.link(&small).exists());
    assert_eq!(bytes(&node.link(&small)), 10 << 30);
    let other =
        odd(json!({ "kind": "other-name", "action": "AttachDisk", "link": "virtio-other" }));
    eventually("the other link", || {
        node.directory.path().join("links/virtio-other").exists()
    });
    assert!(!node.link(&other).exists());
}

#[test]
#[ignore = "needs root: loop devices"]
fn devices_outlive_a_kill_are_taken_over_and_go_in_the_end() {
    let node = node();
    let disk = node.attached(&[]);
    let device = fs::canonicalize(node.link(&disk)).expect("it is there");
    let Node {
        emulator,
        directory,
    } = node;
    emulator.kill();
    let link = link(directory.path(), &disk);
    assert!(link.exists());
    let emulator = start(directory.path(), &["--keep-devices"]);
    assert_eq!(fs::canonicalize(&link).expect("it is there"), device);
    drop(emulator);
    assert!(link.exists());
    let emulator = start(directory.path(), &[]);
    emulator.becomes(&disk, "In_use");
    drop(emulator);
    assert!(!link.exists());
    let name = device
        .file_name()
        .and_then(|name| name.to_str())
        .expect("a plain name");
    eventually("the loop device to be free", || {
        let backing = format!("/sys/class/block/{name}/loop/backing_file");
        fs::read_to_string(backing).is_ok_and(|file| !file.contains(&disk[2..]))
            || !Path::new(&format!("/sys/class/block/{name}/loop/backing_file")).exists()
    });
}

#[test]
#[ignore = "needs root: loop devices"]
fn forty_disks_are_attached_at_once_and_all_appear() {
    let node = node();
    let types = json!({ "instance_types": { "ecs.g7.xlarge": { "disk_quantity": 300 } } });
    node.emulator.control("POST", "/settings", &types);
    let disks: Vec<String> = (0..40).map(|_| node.emulator.new_disk(&[])).collect();
    for disk in &disks {
        node.emulator.attach(disk);
    }
    for disk in &disks {
        eventually("a device", || node.link(disk).exists());
        assert_eq!(bytes(&node.link(disk)), 20 << 30);
    }
    let state = node.emulator.control("GET", "/state", &Value::Null);
    assert_eq!(state["device_errors"], json!([]));
}
