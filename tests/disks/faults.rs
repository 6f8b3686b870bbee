//! A cloud that fails in every way it can: each retry converges to one disk, one attachment, and no loss.
//!
//! Call-outs are repeated as kubelet and the controller repeat them, until they succeed.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use drivebay_tests::{Answer, Cloud, Disk, INSTANCE, Node, PATIENCE, device};
use serde_json::{Value, json};

/// Repeats a call until it succeeds, as kubelet does.
#[track_caller]
fn at_last(mut call: impl FnMut() -> Answer) -> Answer {
    let until = Instant::now() + 2 * PATIENCE;
    loop {
        let answer = call();
        if answer.status() == "Success" {
            return answer;
        }
        assert!(Instant::now() < until, "never succeeded: {}", answer.text);
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// A disk is made, used and released while the cloud misbehaves; then there is one disk, free and with what
/// was written.
#[track_caller]
fn converges(order: &Value) {
    let cloud = Cloud::start();
    let node = Node::with_disks(&cloud);
    cloud.fault(order);
    let id = created(&node);
    assert_eq!(cloud.disks().len(), 1, "{order}: not one disk");
    let disk = Disk::new(&node, &id);
    write_and_release(&node, &cloud, &disk, order);
    assert_eq!(written(&node, &disk), "kept", "{order}");
    assert!(cloud.fired() > 0, "{order} never struck");
    cloud.clear_faults();
    node.run_disk(&["delete-volume", &id]);
    assert!(cloud.disks().is_empty(), "{order}");
}

#[track_caller]
fn created(node: &Node) -> String {
    let until = Instant::now() + 2 * PATIENCE;
    loop {
        let mut command = node.drivebay(&["run", "alicloud-disk", "create-volume"]);
        command.args(["--name", "pvc-1", "--size", "20Gi"]);
        command.args(["--parameter", "type=cloud_essd"]);
        let output = command.output().expect("drivebay runs");
        if output.status.success() {
            let made: Value = serde_json::from_slice(&output.stdout).expect("JSON");
            return made["id"].as_str().expect("an id").to_owned();
        }
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(Instant::now() < until, "never made: {said}");
    }
}

#[track_caller]
fn write_and_release(node: &Node, cloud: &Cloud, disk: &Disk<'_>, order: &Value) {
    let pod = node.pod("web");
    stage(disk);
    assert_eq!(cloud.attachments(&disk.id), [INSTANCE], "{order}");
    at_last(|| disk.mount(&pod));
    fs::write(pod.join("hello"), "kept").expect("writable");
    release_at_last(disk, &pod);
    assert_eq!(cloud.attachments(&disk.id).len(), 0, "{order}");
    assert!(node.journal().is_empty(), "{order}: {:?}", node.journal());
}

#[track_caller]
fn written(node: &Node, disk: &Disk<'_>) -> String {
    let pod = node.pod("web");
    stage(disk);
    at_last(|| disk.mount(&pod));
    let text = fs::read_to_string(pod.join("hello")).expect("kept");
    release_at_last(disk, &pod);
    text
}

#[track_caller]
fn stage(disk: &Disk<'_>) {
    let attached = device(&at_last(|| disk.attach()));
    at_last(|| disk.mount_device(&attached));
}

#[track_caller]
fn release_at_last(disk: &Disk<'_>, pod: &Path) {
    at_last(|| disk.unmount(pod));
    at_last(|| disk.unmount_device());
    at_last(|| disk.detach());
}

#[test]
fn throttling_of_every_action() {
    converges(&json!({ "action": "*", "kind": "throttling", "times": 4 }));
}

#[test]
fn throttling_with_the_older_code_and_status() {
    converges(
        &json!({ "action": "*", "kind": "throttling", "times": 3, "code": "Throttling", "status": 503 }),
    );
}

#[test]
fn an_error_before_the_effect() {
    for action in ["CreateDisk", "AttachDisk", "DescribeDisks", "DetachDisk"] {
        converges(&json!({ "action": action, "kind": "error-before", "times": 2 }));
    }
}

#[test]
fn an_error_after_the_effect() {
    for action in ["CreateDisk", "AttachDisk", "DetachDisk"] {
        converges(
            &json!({ "action": action, "kind": "error-after", "status": 503, "code": "ServiceUnavailable", "times": 2 }),
        );
    }
}

#[test]
fn a_lost_reply() {
    for action in ["CreateDisk", "AttachDisk", "DescribeDisks", "DetachDisk"] {
        converges(&json!({ "action": action, "kind": "lost-reply", "times": 2 }));
    }
}

#[test]
fn a_connection_cut_before_the_effect() {
    converges(&json!({ "action": "*", "kind": "cut-before", "times": 3 }));
}

#[test]
fn a_slow_reply() {
    converges(&json!({ "action": "*", "kind": "slow-reply", "millis": 700, "times": 4 }));
}

#[test]
fn an_answer_that_is_not_json() {
    converges(&json!({ "action": "*", "kind": "garbage-body", "times": 2 }));
}

#[test]
fn an_answer_without_end() {
    converges(&json!({ "action": "DescribeDisks", "kind": "huge-body", "times": 1 }));
}

#[test]
fn an_attachment_whose_outcome_drowned_in_an_endless_answer_is_detached_by_a_name_alone() {
    let cloud = Cloud::start();
    let grants = cloud.grants(&cloud.key_in_files()) + "[limits]\ndeadline = \"4s\"\n";
    let node = Node::with_disk_grants(&grants);
    let id = created(&node);
    let disk = Disk::with_options(&node, "some-pv", &[("volumeId", &id)]);
    // The disk is found and attached; whether it was cannot be read any more.
    cloud.fault(
        &json!({ "action": "DescribeDisks", "kind": "huge-body", "skip": 1, "times": 1000 }),
    );
    disk.attach().fails_with("larger than");
    assert!(cloud.fired() > 0, "nothing was too large");
    cloud.clear_faults();
    assert_eq!(cloud.attachments(&id), [INSTANCE]);
    at_last(|| disk.detach());
    assert_eq!(cloud.attachments(&id), Vec::<String>::new());
    assert!(node.journal().is_empty(), "{:?}", node.journal());
}

#[test]
fn stale_descriptions() {
    converges(&json!({ "action": "DescribeDisks", "kind": "stale-describe", "times": 3 }));
}

#[test]
fn a_device_that_appears_late() {
    converges(
        &json!({ "action": "AttachDisk", "kind": "late-device", "millis": 1500, "times": 2 }),
    );
}

#[test]
fn an_attachment_that_stays_attaching_is_reported_and_goes_on_when_the_cloud_does() {
    let cloud = Cloud::start();
    let grants = cloud.grants(&cloud.key_in_files()) + "[limits]\ndeadline = \"4s\"\n";
    let node = Node::with_disk_grants(&grants);
    let disk = Disk::made(&node, "pvc-1");
    cloud.fault(&json!({ "action": "AttachDisk", "kind": "stays-attaching" }));
    let answer = disk.attach();
    assert_eq!(answer.status(), "Failure", "{}", answer.text);
    let again = disk.attach();
    assert_eq!(again.status(), "Failure", "{}", again.text);
    assert_eq!(cloud.requests("AttachDisk"), 1, "it was attached twice");
    cloud.clear_faults();
    write_and_release(&node, &cloud, &disk, &json!("stays-attaching"));
}

#[test]
fn a_device_of_the_wrong_size_is_never_touched() {
    let cloud = Cloud::start();
    let node = Node::with_disks(&cloud);
    let disk = Disk::made(&node, "pvc-1");
    cloud.fault(&json!({ "action": "AttachDisk", "kind": "wrong-size-device", "gib": 3 }));
    let attached = device(&disk.attach().succeeds());
    disk.mount_device(&attached)
        .fails_with("21474836480 were expected");
    assert!(
        cloud.head(&disk.id, 4 << 20).iter().all(|byte| *byte == 0),
        "something was written to the wrong device"
    );
    disk.detach().succeeds();
    write_and_release(&node, &cloud, &disk, &json!("wrong size, once"));
}

#[test]
fn a_device_without_a_link_or_under_another_name_is_found_by_what_it_is() {
    for order in [
        json!({ "action": "AttachDisk", "kind": "other-name", "times": 2 }),
        json!({ "action": "AttachDisk", "kind": "other-name", "link": "virtio-somethingelse0000", "times": 2 }),
    ] {
        converges(&order);
    }
}

#[test]
fn a_cloud_that_restarts_in_the_midst() {
    let mut cloud = Cloud::start();
    let node = Node::with_disks(&cloud);
    let id = created(&node);
    cloud.restart();
    assert_eq!(created(&node), id);
    let disk = Disk::new(&node, &id);
    let attached = device(&at_last(|| disk.attach()));
    cloud.restart();
    at_last(|| disk.mount_device(&attached));
    let pod = node.pod("web");
    at_last(|| disk.mount(&pod));
    fs::write(pod.join("hello"), "kept").expect("writable");
    release_at_last(&disk, &pod);
    assert_eq!(written(&node, &disk), "kept");
    assert_eq!(cloud.disks().len(), 1);
}

#[test]
fn a_cloud_that_is_gone_is_said_to_be_gone() {
    let mut cloud = Cloud::start_with(&["--devices", "none"]);
    let grants = cloud.grants(&cloud.key_in_files()) + "[limits]\ndeadline = \"3s\"\n";
    let node = Node::with_disk_grants(&grants);
    let id = created(&node);
    let disk = Disk::new(&node, &id);
    cloud.end();
    disk.attach().fails_with("127.0.0.1");
}
