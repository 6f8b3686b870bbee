//! The specification's rules for plugins, by number, each seen by a caller.
//!
//! | rule | what it asks for |
//! |---|---|
//! | 1 | strings of 128 bytes and maps of 4 KiB at most; volume ids too |
//! | 2 | an error has a message for people and no details |
//! | 3 | a Unix socket, and no other file beside it |
//! | 4 | logs without secrets |
//! | 5 | the caller makes the staging directory, the plugin makes and removes the target |
//! | 6 | no cancellation: what timed out is repeated, and goes on |
//! | 7 | ABORTED while an operation on the volume is in flight |
//! | 8 | UNIMPLEMENTED for what is not offered |
//! | 9 | the table of NodePublishVolume: targets and arguments |
//! | 10 | codes of CreateVolume |
//! | 11 | codes of DeleteVolume |
//! | 12 | codes of ControllerPublishVolume |
//! | 13 | codes of ControllerUnpublishVolume |
//! | 14 | codes of ControllerExpandVolume |
//! | 15 | a page token that is not valid is ABORTED |
//! | 16 | NodePublishVolume without a staged volume is FAILED_PRECONDITION |
//! | 17 | NodeGetVolumeStats of a path without the volume is NOT_FOUND |
//! | 18 | ControllerModifyVolume refuses all or nothing |
//! | 19 | our own error comes before the caller gives up |
//! | 20 | what the sidecars ask is answered at once |

#![expect(
    clippy::expect_used,
    reason = "in tests, a panic is how a broken promise is reported"
)]

use std::fs;
use std::thread;
use std::time::Duration;

use drivebay_tests::csi_proto::volume_capability::access_mode::Mode;
use drivebay_tests::csi_proto::{self as proto, volume_content_source};
use drivebay_tests::{
    Csi, GIB, INSTANCE, Node, OTHER_INSTANCE, Site, disk_request, eventually, mounted, raw,
    refused, text,
};
use serde_json::json;
use tonic::{Code, Status};

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
fn rule_10_creating_has_a_code_for_each_reason() {
    let site = Site::new();
    let create = |request| site.csi.create_volume(request);
    refused(create(disk_request("")), Code::InvalidArgument);
    let mut unused = disk_request("unused");
    unused.volume_capabilities.clear();
    refused(create(unused), Code::InvalidArgument);
    let mut unknown = disk_request("from-nothing");
    unknown.volume_content_source = Some(proto::VolumeContentSource {
        r#type: Some(volume_content_source::Type::Snapshot(
            volume_content_source::SnapshotSource {
                snapshot_id: "s-bp1nosuchsnapshot0001".into(),
            },
        )),
    });
    refused(create(unknown), Code::NotFound);
    let mut small = disk_request("small");
    small.capacity_range = Some(proto::CapacityRange {
        required_bytes: GIB.cast_signed(),
        limit_bytes: (2 * GIB).cast_signed(),
    });
    refused(create(small), Code::OutOfRange);
    let first = site.disk("pvc-1");
    let again = create(disk_request("pvc-1")).expect("the same");
    assert_eq!(again.volume.expect("a volume").volume_id, first.id);
    let mut other = disk_request("pvc-1");
    other.capacity_range = Some(proto::CapacityRange {
        required_bytes: (40 * GIB).cast_signed(),
        limit_bytes: 0,
    });
    refused(create(other), Code::AlreadyExists);
    first.delete().expect("deleted");
    site.is_clean();
}

/// Has the cloud refuse an action with that code until the call is over.
#[track_caller]
fn refused_by_the_cloud<T: std::fmt::Debug>(
    site: &Site,
    action: &str,
    code: &str,
    call: impl FnOnce() -> Result<T, Status>,
) -> Code {
    let kind = "error-before";
    site.cloud.fault(
        &json!({ "action": action, "kind": kind, "code": code, "status": 403, "times": 99 }),
    );
    let answer = call();
    site.cloud.clear_faults();
    answer.expect_err(code).code()
}

#[test]
fn rule_10_a_final_code_is_said_only_where_nothing_was_made() {
    let site = Site::new();
    for (code, expected) in [
        ("QuotaExceed.PostPaidDisk", Code::ResourceExhausted),
        ("Account.Arrearage", Code::FailedPrecondition),
        ("InvalidParameter.Size", Code::InvalidArgument),
        // An earlier try may have made it.
        ("Forbidden.RAM", Code::Unavailable),
        ("NeverSeenBefore", Code::Unavailable),
    ] {
        let create = || site.csi.create_volume(disk_request("pvc-1"));
        let said = refused_by_the_cloud(&site, "CreateDisk", code, create);
        assert_eq!(said, expected, "{code}");
    }
    assert!(site.cloud.disks().is_empty());
    site.is_clean();
}

#[test]
fn rule_10_a_disk_that_may_not_be_looked_at_after_it_was_made_is_not_forgotten() {
    let site = Site::new();
    let forbidden = json!({
        "action": "DescribeDisks", "kind": "error-before", "code": "Forbidden.RAM", "status": 403,
        "skip": 1, "times": 99,
    });
    site.cloud.fault(&forbidden);
    refused(
        site.csi.create_volume(disk_request("pvc-1")),
        Code::Unavailable,
    );
    assert_eq!(site.cloud.disks().len(), 1);
    site.cloud.clear_faults();
    site.disk("pvc-1").delete().expect("the same disk");
    site.is_clean();
}

#[test]
fn rule_11_a_disk_in_use_is_not_deleted_and_an_unknown_one_is_gone_already() {
    let site = Site::new();
    let disk = site.disk("pvc-1").in_use("pod-1");
    refused(disk.delete(), Code::FailedPrecondition);
    disk.release("pod-1");
    disk.delete().expect("gone already");
    site.is_clean();
}

#[test]
fn rule_12_attaching_has_a_code_for_each_reason() {
    let site = Site::new();
    let mut disk = site.disk("pvc-1");
    refused(disk.attach_to("i-bp1nosuchinstance001"), Code::NotFound);
    let unknown = disk.known_as("d-bp1nosuchdisk0000001");
    refused(unknown.attach_to(INSTANCE), Code::NotFound);
    disk.attach().expect("attached");
    disk.attach().expect("again");
    let message = refused(disk.attach_to(OTHER_INSTANCE), Code::FailedPrecondition);
    assert!(message.contains(INSTANCE), "{message}");
    let reading = disk.used_as(mounted(Mode::MultiNodeReaderOnly));
    refused(reading.attach_to(INSTANCE), Code::AlreadyExists);
    disk.detach().expect("detached");
    disk.delete().expect("deleted");
    site.is_clean();
}

#[test]
fn rule_12_what_is_attached_for_reading_cannot_be_written() {
    let site = Site::new();
    let disk = site.disk("pvc-1").in_use("pod-1");
    disk.unpublish("pod-1").expect("unpublished");
    disk.unstage().expect("unstaged");
    disk.detach().expect("detached");
    let attached = site
        .csi
        .controller_publish_volume(proto::ControllerPublishVolumeRequest {
            volume_id: disk.id.clone(),
            node_id: INSTANCE.to_owned(),
            volume_capability: Some(disk.capability.clone()),
            volume_context: disk.context.clone(),
            readonly: true,
            ..proto::ControllerPublishVolumeRequest::default()
        });
    let mut reading = disk;
    reading.publish_context = attached.expect("attached").publish_context;
    reading.stage().expect("staged");
    reading.publish("pod-1").expect("published");
    let error = fs::write(reading.target("pod-1").join("hello"), "lost").expect_err("read-only");
    assert_eq!(error.kind(), std::io::ErrorKind::ReadOnlyFilesystem);
    reading.release("pod-1");
    site.is_clean();
}

#[test]
fn rule_12_a_node_that_holds_as_many_as_it_can_is_exhausted() {
    let site = Site::new();
    site.cloud
        .set(&json!({ "instance_types": { "ecs.g7.large": { "disk_quantity": 1 } } }));
    let info = site.csi.node_get_info(proto::NodeGetInfoRequest {});
    let limit = info.expect("answered").max_volumes_per_node;
    let mut disks = Vec::new();
    let refusal = loop {
        let disk = site.disk(&format!("pvc-{}", disks.len()));
        let attached = disk.attach_to(INSTANCE);
        disks.push(disk);
        if let Err(status) = attached {
            break status;
        }
        assert!(disks.len() < 40, "a limit of {limit} was never met");
    };
    assert_eq!(refusal.code(), Code::ResourceExhausted, "{refusal:?}");
    for disk in disks {
        disk.detach().expect("detached");
        disk.delete().expect("deleted");
    }
    site.is_clean();
}

#[test]
fn rule_13_what_is_not_attached_or_not_known_is_detached_already() {
    let site = Site::new();
    let disk = site.disk("pvc-1");
    disk.detach().expect("never attached");
    disk.detach_from("i-bp1nosuchinstance001")
        .expect("unknown node");
    disk.delete().expect("deleted");
    disk.detach().expect("unknown volume");
    site.is_clean();
}

#[test]
fn rule_14_growing_has_a_code_for_each_reason() {
    let site = Site::new();
    let disk = site.disk("pvc-1");
    let grown = disk.expand(21 * GIB, 0).expect("grown");
    assert_eq!(grown.capacity_bytes, (21 * GIB).cast_signed());
    assert!(grown.node_expansion_required);
    let kept = disk.expand(20 * GIB, 0).expect("large enough already");
    assert_eq!(kept.capacity_bytes, (21 * GIB).cast_signed());
    refused(disk.expand(1 << 60, 0), Code::OutOfRange);
    refused(disk.expand(22 * GIB, 20 * GIB), Code::InvalidArgument);
    disk.delete().expect("deleted");
    refused(disk.expand(22 * GIB, 0), Code::NotFound);
    site.is_clean();
}

#[test]
fn rule_14_growing_that_can_never_succeed_is_told_from_what_may() {
    let site = Site::new();
    let disk = site.disk("pvc-1");
    for (code, expected) in [
        ("InvalidDiskCategory.NotSupported", Code::InvalidArgument),
        ("InvalidDiskSize.TooLarge", Code::OutOfRange),
        ("InvalidInstanceStatus.NotRunning", Code::FailedPrecondition),
        ("Forbidden.RAM", Code::Unavailable),
        ("NeverSeenBefore", Code::Unavailable),
    ] {
        let said = refused_by_the_cloud(&site, "ResizeDisk", code, || disk.expand(30 * GIB, 0));
        assert_eq!(said, expected, "{code}");
    }
    disk.delete().expect("deleted");
    site.is_clean();
}

#[test]
fn rule_15_a_token_that_nobody_gave_out_is_aborted() {
    let site = Site::new();
    let volumes = site.csi.list_volumes(proto::ListVolumesRequest {
        max_entries: 0,
        starting_token: "made-up".into(),
    });
    refused(volumes, Code::Aborted);
    let snapshots = site.csi.list_snapshots(proto::ListSnapshotsRequest {
        starting_token: "made-up".into(),
        ..proto::ListSnapshotsRequest::default()
    });
    refused(snapshots, Code::Aborted);
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

fn modify(
    site: &Site,
    id: &str,
    pairs: &[(&str, &str)],
) -> Result<proto::ControllerModifyVolumeResponse, Status> {
    let owned = |(key, value): &(&str, &str)| ((*key).to_owned(), (*value).to_owned());
    site.csi
        .controller_modify_volume(proto::ControllerModifyVolumeRequest {
            volume_id: id.to_owned(),
            mutable_parameters: pairs.iter().map(owned).collect(),
            ..proto::ControllerModifyVolumeRequest::default()
        })
}

#[test]
fn rule_18_a_change_that_can_never_be_made_is_told_from_what_may() {
    let site = Site::new();
    let disk = site.disk("pvc-1");
    for (code, expected) in [
        (
            "InvalidDiskCategory.ValueNotSupported",
            Code::InvalidArgument,
        ),
        ("InvalidOperation.MultiAttachDisk", Code::InvalidArgument),
        ("DiskCategory.OperationNotSupported", Code::InvalidArgument),
        ("DiskInCoolingPeriod", Code::FailedPrecondition),
        ("OperationDenied.NoStock", Code::ResourceExhausted),
        ("Forbidden.RAM", Code::Unavailable),
    ] {
        let change = || modify(&site, &disk.id, &[("type", "cloud_auto")]);
        let said = refused_by_the_cloud(&site, "ModifyDiskSpec", code, change);
        assert_eq!(said, expected, "{code}");
    }
    disk.delete().expect("deleted");
    refused(
        modify(&site, &disk.id, &[("type", "cloud_auto")]),
        Code::NotFound,
    );
    site.is_clean();
}

#[test]
fn rule_18_a_shared_disk_cannot_become_another() {
    let site = Site::new();
    let mut request = disk_request("pvc-1");
    request.volume_capabilities = vec![raw(Mode::MultiNodeMultiWriter)];
    let multi_attach = ("multiAttach".to_owned(), "true".to_owned());
    request.parameters.extend([multi_attach]);
    let made = site.csi.create_volume(request).expect("made");
    let id = made.volume.expect("a volume").volume_id;
    refused(
        modify(&site, &id, &[("performanceLevel", "PL0")]),
        Code::InvalidArgument,
    );
    let delete = proto::DeleteVolumeRequest {
        volume_id: id,
        ..proto::DeleteVolumeRequest::default()
    };
    site.csi.delete_volume(delete).expect("deleted");
    site.is_clean();
}

#[test]
fn rule_18_a_change_that_is_not_understood_changes_nothing() {
    let site = Site::new();
    let disk = site.disk("pvc-1");
    let before = site.cloud.disks();
    let wrong = modify(
        &site,
        &disk.id,
        &[("type", "cloud_auto"), ("colour", "blue")],
    );
    refused(wrong, Code::InvalidArgument);
    assert_eq!(site.cloud.disks(), before);
    modify(&site, &disk.id, &[("type", "cloud_auto")]).expect("changed");
    assert_ne!(site.cloud.disks(), before);
    disk.delete().expect("deleted");
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
