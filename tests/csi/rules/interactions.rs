//! What holds for all calls: the spec's RPC interactions, and the sidecars' questions.

use std::fs;
use std::thread;
use std::time::Duration;

use drivebay_tests::csi_proto::{self as proto, volume_content_source};
use drivebay_tests::{Csi, GIB, INSTANCE, Node, Site, disk_request, eventually, refused};
use serde_json::json;
use tonic::Code;

#[test]
fn rule_1_names_of_128_bytes_make_ids_that_fit_and_longer_ones_are_refused() {
    let site = Site::new();
    let longest = site.disk(&"n".repeat(128));
    assert!((1..=128).contains(&longest.id.len()));
    longest.delete().expect("deleted");
    let longer = site.csi.create_volume(disk_request(&"n".repeat(129)));
    assert!(refused(longer, Code::InvalidArgument).contains("128"));
    let mut large = disk_request("large");
    large.parameters.insert("diskTags".into(), "x".repeat(4096));
    let message = refused(site.csi.create_volume(large), Code::InvalidArgument);
    assert!(message.contains("parameters has"), "{message}");
    site.is_clean();
}

#[test]
fn rule_2_an_error_names_what_is_wrong_and_has_no_details() {
    let site = Site::new();
    let mut wrong = disk_request("wrong");
    wrong.parameters.insert("tpye".into(), "cloud_essd".into());
    let message = refused(site.csi.create_volume(wrong), Code::InvalidArgument);
    assert!(message.contains("did you mean \"type\"?"), "{message}");
}

#[test]
fn rule_3_there_is_nothing_beside_the_socket_and_a_stale_one_is_replaced() {
    let node = Node::with_local("v1");
    let csi = node.serve("local");
    let beside = |csi: &Csi| {
        let directory = csi.socket().parent().expect("a directory").to_owned();
        fs::read_dir(directory).expect("readable").count()
    };
    assert_eq!(beside(&csi), 1);
    csi.kill();
    assert_eq!(beside(&csi), 1, "killed, it left its socket");
    let again = node.serve("local");
    assert_eq!(beside(&again), 1);
    assert!(again.stop(), "{}", again.log());
    assert_eq!(beside(&again), 0);
}

#[test]
fn rule_4_secrets_are_in_no_log() {
    let site = Site::new();
    let mut disk = site.disk("pvc-1");
    disk.attach().expect("attached");
    disk.stage().expect("staged");
    let mut request = disk.publishing("pod-1");
    request
        .secrets
        .insert("password".into(), "hunter2-in-secrets".into());
    site.csi.node_publish_volume(request).expect("published");
    disk.release("pod-1");
    let log = site.csi.log();
    assert!(!log.contains("hunter2"), "{log}");
    assert!(!log.contains(&site.cloud.secret()), "{log}");
}

#[test]
fn rule_6_a_call_whose_caller_gave_up_goes_on_and_its_repetition_succeeds() {
    let site = Site::new();
    let mut disk = site.disk("pvc-1");
    disk.attach().expect("attached");
    disk.stage().expect("staged");
    // Given up at once, wherever the call is by then.
    for patience in [1, 2, 5, 10, 20] {
        let patience = Duration::from_millis(patience);
        let _ = site
            .csi
            .node_publish_volume_within(patience, disk.publishing("pod-1"));
    }
    eventually("the repetition to succeed", || {
        disk.publish("pod-1").is_ok()
    });
    Node::holds_one_mount(&disk.target("pod-1"));
    disk.release("pod-1");
    site.is_clean();
}

#[test]
fn rule_7_a_volume_that_is_worked_on_is_aborted_until_the_work_is_over() {
    let site = Site::new();
    let disk = site.disk("pvc-1");
    site.cloud
        .fault(&json!({ "action": "AttachDisk", "kind": "slow-reply" }));
    thread::scope(|scope| {
        let slow = scope.spawn(|| disk.attach_to(INSTANCE));
        eventually("the attachment to begin", || {
            site.cloud.requests("AttachDisk") > 0
        });
        let message = refused(disk.detach(), Code::Aborted);
        assert!(message.contains("still running"), "{message}");
        site.cloud.clear_faults();
        slow.join().expect("no panic").expect("attached");
    });
    disk.detach().expect("detached");
    disk.delete().expect("deleted");
    site.is_clean();
}

#[test]
fn rule_7_a_volume_in_its_place_is_aborted_too_while_it_is_worked_on() {
    let site = Site::new();
    let disk = site.disk("pvc-1").in_use("pod-1");
    site.cloud
        .fault(&json!({ "action": "ResizeDisk", "kind": "slow-reply" }));
    thread::scope(|scope| {
        let slow = scope.spawn(|| disk.expand(40 * GIB, 0));
        eventually("the disk to grow", || site.cloud.requests("ResizeDisk") > 0);
        refused(disk.publish("pod-1"), Code::Aborted);
        site.cloud.clear_faults();
        slow.join().expect("no panic").expect("grown");
    });
    disk.publish("pod-1").expect("again");
    disk.release("pod-1");
    site.is_clean();
}

#[test]
fn rule_8_what_a_backend_lacks_is_not_claimed_and_unimplemented() {
    let site = Site::new();
    let claimed = site
        .csi
        .controller_get_capabilities(proto::ControllerGetCapabilitiesRequest {})
        .expect("answered");
    let text = format!("{claimed:?}");
    assert!(text.contains("CreateDeleteVolume"), "{text}");
    assert!(!text.contains("GetCapacity"), "{text}");
    assert!(!text.contains("CloneVolume"), "{text}");
    let capacity = site.csi.get_capacity(proto::GetCapacityRequest::default());
    refused(capacity, Code::Unimplemented);
    let source = site.disk("source");
    let mut clone = disk_request("clone");
    clone.volume_content_source = Some(proto::VolumeContentSource {
        r#type: Some(volume_content_source::Type::Volume(
            volume_content_source::VolumeSource {
                volume_id: source.id.clone(),
            },
        )),
    });
    // The RPC is offered, this source of it is not: "cannot create a volume from the requested source".
    refused(site.csi.create_volume(clone), Code::InvalidArgument);
    source.delete().expect("deleted");
    site.is_clean();
}

#[test]
fn rule_19_our_own_error_comes_before_the_caller_gives_up() {
    let site = Site::new();
    let mut disk = site.disk("pvc-1");
    disk.attach().expect("attached");
    disk.stage().expect("staged");
    let file = fs::File::open(disk.staging()).expect("mounted");
    let _busy = file;
    // Somebody else works on the volume for longer than this caller waits.
    site.cloud
        .fault(&json!({ "action": "*", "kind": "slow-reply" }));
    thread::scope(|scope| {
        let slow = scope.spawn(|| disk.expand(21 * GIB, 0));
        eventually("the other operation to begin", || site.cloud.fired() > 0);
        let patience = Duration::from_secs(4);
        let answer = site
            .csi
            .node_publish_volume_within(patience, disk.publishing("pod-1"));
        // Its own timer would have said otherwise.
        refused(answer, Code::Aborted);
        site.cloud.clear_faults();
        slow.join().expect("no panic").expect("grown");
    });
    drop(_busy);
    disk.release("pod-1");
    site.is_clean();
}

#[test]
fn rule_20_the_sidecars_library_is_answered_also_while_a_volume_hangs() {
    let site = Site::new();
    let disk = site.disk("pvc-1");
    site.cloud
        .fault(&json!({ "action": "AttachDisk", "kind": "slow-reply" }));
    thread::scope(|scope| {
        let slow = scope.spawn(|| disk.attach_to(INSTANCE));
        eventually("the attachment to begin", || {
            site.cloud.requests("AttachDisk") > 0
        });
        let said = site.csi.sidecars();
        assert!(
            said.contains("name diskplugin.csi.alibabacloud.com"),
            "{said}"
        );
        assert!(said.contains("ready true"), "{said}");
        site.cloud.clear_faults();
        slow.join().expect("no panic").expect("attached");
    });
    disk.detach().expect("detached");
    disk.delete().expect("deleted");
    site.is_clean();
}
