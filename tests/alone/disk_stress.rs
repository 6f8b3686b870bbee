//! Two hundred disks at once, arriving in any order under names that others had before: each is found by what
//! it is, and never one for another.

use std::fs;
use std::path::PathBuf;

use drivebay_tests::{Cloud, DISK, Disk, NODE_NAME, Node, all_succeed_at_once, options, text};
use serde_json::json;

const DISKS: usize = 200;

/// Four MiB of journal instead of sixteen or more, which mkfs writes in full: all disks are there at once.
const MKFS_OPTIONS: &str = "-J size=4";

fn create(node: &Node) -> Vec<String> {
    let make = |index: usize| {
        let mut command = node.drivebay(&["run", "alicloud-disk", "create-volume"]);
        command.args(["--name", &format!("pvc-{index}"), "--size", "1Gi"]);
        command.args(["--parameter", "type=cloud_essd"]);
        command.args(["--parameter", "performanceLevel=PL0"]);
        command.args(["--parameter", &format!("mkfsOptions={MKFS_OPTIONS}")]);
        command.spawn().expect("drivebay runs")
    };
    let running: Vec<_> = (0..DISKS).map(make).collect();
    let id = |child: std::process::Child| {
        let output = child.wait_with_output().expect("ours");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{said}");
        let made: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
        made["id"].as_str().expect("an id").to_owned()
    };
    running.into_iter().map(id).collect()
}

fn staging(node: &Node, disk: &str) -> PathBuf {
    let directory = node.path("mounts").join(disk);
    fs::create_dir_all(&directory).expect("writable");
    directory
}

fn attach_all(node: &Node, disks: &[String]) {
    let attach = |disk: &String| node.callout(DISK, &["attach", &options(disk, &[]), NODE_NAME]);
    all_succeed_at_once(disks.iter().map(attach));
}

fn stage_all(node: &Node, disks: &[String]) {
    let stage = |disk: &String| {
        let device = format!("drivebay:serial={}", drivebay_tests::serial(disk));
        let staging = staging(node, disk);
        let options = options(disk, &[("mkfsOptions", MKFS_OPTIONS)]);
        let arguments = ["mountdevice", text(&staging), &device, &options];
        node.callout(DISK, &arguments)
    };
    // Twenty at a time: two hundred runs of mkfs would only wait for each other.
    for some in disks.chunks(20) {
        all_succeed_at_once(some.iter().map(stage));
    }
}

fn release_all(node: &Node, disks: &[String]) {
    for some in disks.chunks(20) {
        let unstage = |disk: &String| {
            let staging = staging(node, disk);
            node.callout(DISK, &["unmountdevice", text(&staging)])
        };
        all_succeed_at_once(some.iter().map(unstage));
    }
    let detach = |disk: &String| node.callout(DISK, &["detach", disk, NODE_NAME]);
    all_succeed_at_once(disks.iter().map(detach));
}

#[test]
fn each_of_two_hundred_disks_is_found_by_what_it_is() {
    let _machine = crate::takes_all();
    let cloud = Cloud::start();
    // Room for all, and long enough under way that they overtake each other.
    cloud.set(&json!({
        "delay_ms": 300,
        "instance_types": { "ecs.g7.xlarge": { "disk_quantity": 300 } },
    }));
    let filesystems = r#"filesystems = ["ext4"]"#;
    let granted = format!("{filesystems}\nformat-options = [\"-J\", \"size=4\"]");
    let grants = cloud.grants(&cloud.key_in_files());
    let grants = grants.replace(r#"filesystems = ["ext4", "xfs"]"#, &granted);
    let node = Node::with_disk_grants(&grants);
    let disks = create(&node);
    attach_all(&node, &disks);
    stage_all(&node, &disks);
    for disk in &disks {
        fs::write(staging(&node, disk).join("whose"), disk).expect("writable");
    }
    release_all(&node, &disks);

    // Device names are handed out anew, in another order.
    let mut again = disks.clone();
    again.reverse();
    again.rotate_left(DISKS / 3);
    attach_all(&node, &again);
    stage_all(&node, &again);
    for disk in &disks {
        let whose = fs::read_to_string(staging(&node, disk).join("whose")).expect("there");
        assert_eq!(&whose, disk, "a disk was taken for another");
    }
    release_all(&node, &again);
    for disk in &disks {
        assert_eq!(cloud.attachments(disk).len(), 0);
        assert!(!Disk::new(&node, disk).link().exists());
    }
    assert!(node.journal().is_empty());
    assert_eq!(cloud.requests("AttachDisk"), 2 * DISKS as u64);
}
