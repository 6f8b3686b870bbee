//! The Controller service: codes for each reason, and tokens.

use std::fs;

use drivebay_tests::csi_proto::volume_capability::access_mode::Mode;
use drivebay_tests::csi_proto::{self as proto, volume_content_source};
use drivebay_tests::{GIB, INSTANCE, OTHER_INSTANCE, Site, disk_request, mounted, raw, refused};
use serde_json::json;
use tonic::{Code, Status};

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
