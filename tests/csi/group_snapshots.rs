//! Snapshots of several disks, cut together, as CSI's GroupController has them.

use std::fs;

use drivebay_tests::csi_proto::{
    self as proto, CreateVolumeGroupSnapshotRequest, DeleteVolumeGroupSnapshotRequest,
    GetVolumeGroupSnapshotRequest, Snapshot, VolumeGroupSnapshot, plugin_capability,
    volume_content_source,
};
use drivebay_tests::{Cloud, Csi, CsiVolume, GIB, Node, disk_request, eventually, refused};
use serde_json::{Value, json};
use tonic::{Code, Status};

/// A cloud, this machine as a node in it, and the driver.
struct Site {
    csi: Csi,
    node: Node,
    cloud: Cloud,
}

impl Site {
    fn new() -> Self {
        Self::serving(&[])
    }

    fn serving(arguments: &[&str]) -> Self {
        let cloud = Cloud::start();
        // So that disks need not be attached before they are cut.
        cloud.set(&json!({ "snapshot_of_never_attached": "allowed" }));
        let node = Node::with_disks(&cloud);
        let csi = node.serve_with("alicloud-disk", arguments);
        Self { csi, node, cloud }
    }

    #[track_caller]
    fn disk(&self, name: &str) -> CsiVolume<'_> {
        CsiVolume::disk(&self.csi, &self.node, name)
    }

    fn create(&self, name: &str, disks: &[&CsiVolume<'_>]) -> Result<VolumeGroupSnapshot, Status> {
        self.create_with(CreateVolumeGroupSnapshotRequest {
            name: name.to_owned(),
            source_volume_ids: disks.iter().map(|disk| disk.id.clone()).collect(),
            ..CreateVolumeGroupSnapshotRequest::default()
        })
    }

    fn create_with(
        &self,
        request: CreateVolumeGroupSnapshotRequest,
    ) -> Result<VolumeGroupSnapshot, Status> {
        let answer = self.csi.create_volume_group_snapshot(request)?;
        Ok(answer.group_snapshot.expect("a group"))
    }

    fn get(&self, id: &str, snapshots: &[String]) -> Result<VolumeGroupSnapshot, Status> {
        let request = GetVolumeGroupSnapshotRequest {
            group_snapshot_id: id.to_owned(),
            snapshot_ids: snapshots.to_vec(),
            ..GetVolumeGroupSnapshotRequest::default()
        };
        let answer = self.csi.get_volume_group_snapshot(request)?;
        Ok(answer.group_snapshot.expect("a group"))
    }

    fn delete(&self, id: &str, snapshots: &[String]) -> Result<(), Status> {
        let request = DeleteVolumeGroupSnapshotRequest {
            group_snapshot_id: id.to_owned(),
            snapshot_ids: snapshots.to_vec(),
            ..DeleteVolumeGroupSnapshotRequest::default()
        };
        self.csi.delete_volume_group_snapshot(request).map(drop)
    }

    fn snapshot(&self, id: &str) -> Snapshot {
        let request = proto::GetSnapshotRequest {
            snapshot_id: id.to_owned(),
            ..proto::GetSnapshotRequest::default()
        };
        let answer = self.csi.get_snapshot(request).expect("there");
        answer.snapshot.expect("a snapshot")
    }

    /// How many groups and how many snapshots there are.
    fn counted(&self) -> (usize, usize) {
        (
            self.cloud.snapshot_groups().len(),
            self.cloud.snapshots().len(),
        )
    }

    /// At the end of a test.
    #[track_caller]
    fn is_clean(&self) {
        self.node.is_clean();
        assert!(self.cloud.disks().is_empty());
        assert_eq!(self.counted(), (0, 0));
    }
}

fn ids(group: &VolumeGroupSnapshot) -> Vec<String> {
    let snapshots = group.snapshots.iter();
    snapshots
        .map(|snapshot| snapshot.snapshot_id.clone())
        .collect()
}

/// Deletes the disks, which the cloud refuses while snapshots of them are on their way.
#[track_caller]
fn delete_all(disks: &[&CsiVolume<'_>]) {
    for disk in disks {
        Csi::at_last("deleting a disk", || disk.delete());
    }
}

#[test]
fn groups_are_claimed_where_the_controller_is_served_and_nowhere_else() {
    use plugin_capability::service::Type::GroupControllerService;
    let claims = |site: &Site| {
        let request = proto::GetPluginCapabilitiesRequest {};
        let answer = site.csi.get_plugin_capabilities(request).expect("answered");
        format!("{answer:?}").contains(&format!("{GroupControllerService:?}"))
    };
    for (mode, is_served) in [("all", true), ("controller", true), ("node", false)] {
        let site = Site::serving(&["--mode", mode]);
        assert_eq!(claims(&site), is_served, "{mode}");
        let request = proto::GroupControllerGetCapabilitiesRequest {};
        let answer = site.csi.group_controller_get_capabilities(request);
        match is_served {
            true => {
                let said = format!("{:?}", answer.expect("answered"));
                assert!(
                    said.contains("CreateDeleteGetVolumeGroupSnapshot"),
                    "{said}"
                );
            }
            // gRPC itself answers for a service that is not there, with a code and no words.
            false => {
                let status = answer.expect_err("not served");
                assert_eq!(status.code(), Code::Unimplemented);
                assert!(status.details().is_empty());
            }
        }
    }
}

#[test]
fn a_driver_without_groups_claims_none_and_refuses_them() {
    let node = Node::with_local("v1");
    let csi = node.serve("local");
    let answer = csi
        .group_controller_get_capabilities(proto::GroupControllerGetCapabilitiesRequest {})
        .expect("answered");
    assert!(answer.capabilities.is_empty());
    let request = CreateVolumeGroupSnapshotRequest {
        name: "group".into(),
        source_volume_ids: vec!["v1".into()],
        ..CreateVolumeGroupSnapshotRequest::default()
    };
    let message = refused(
        csi.create_volume_group_snapshot(request),
        Code::Unimplemented,
    );
    assert!(
        message.contains("does not export group-snapshots"),
        "{message}"
    );
}

#[test]
fn a_group_has_a_snapshot_of_each_disk_and_becomes_ready() {
    let site = Site::new();
    let (one, other) = (site.disk("pvc-1"), site.disk("pvc-2"));
    let group = site.create("group", &[&one, &other]).expect("cut");
    let mut sources: Vec<&str> = group
        .snapshots
        .iter()
        .map(|snapshot| snapshot.source_volume_id.as_str())
        .collect();
    sources.sort_unstable();
    let mut wanted = [one.id.as_str(), &other.id];
    wanted.sort_unstable();
    assert_eq!(sources, wanted);
    assert!(group.creation_time.is_some());
    for snapshot in &group.snapshots {
        assert_eq!(snapshot.group_snapshot_id, group.group_snapshot_id);
        assert_eq!(snapshot.size_bytes, (20 * GIB).cast_signed());
        assert_eq!(snapshot.creation_time, group.creation_time);
    }
    eventually("the group to be ready", || {
        let again = site.create("group", &[&one, &other]).expect("the same");
        assert_eq!(again.group_snapshot_id, group.group_snapshot_id);
        let all = again.snapshots.iter().all(|part| part.ready_to_use);
        assert_eq!(again.ready_to_use, all);
        again.ready_to_use
    });
    site.delete(&group.group_snapshot_id, &ids(&group))
        .expect("deleted");
    delete_all(&[&one, &other]);
    site.is_clean();
}

#[test]
fn a_repeated_request_answers_the_same_group_also_in_another_order() {
    let site = Site::new();
    let (one, other) = (site.disk("pvc-1"), site.disk("pvc-2"));
    let first = site.create("group", &[&one, &other]).expect("cut");
    let again = site.create("group", &[&other, &one]).expect("the same");
    assert_eq!(again.group_snapshot_id, first.group_snapshot_id);
    assert_eq!(ids(&again), ids(&first));
    assert_eq!(again.creation_time, first.creation_time);
    assert_eq!(site.counted(), (1, 2));
    site.delete(&first.group_snapshot_id, &ids(&first))
        .expect("deleted");
    delete_all(&[&one, &other]);
    site.is_clean();
}

#[test]
fn a_name_that_a_group_of_other_disks_has_is_taken() {
    let site = Site::new();
    let (one, other) = (site.disk("pvc-1"), site.disk("pvc-2"));
    let group = site.create("group", &[&one, &other]).expect("cut");
    refused(site.create("group", &[&one]), Code::AlreadyExists);
    let third = site.disk("pvc-3");
    refused(site.create("group", &[&one, &third]), Code::AlreadyExists);
    assert_eq!(site.counted(), (1, 2));
    site.delete(&group.group_snapshot_id, &ids(&group))
        .expect("deleted");
    delete_all(&[&one, &other, &third]);
    site.is_clean();
}

#[test]
fn what_a_request_lacks_is_named() {
    let site = Site::new();
    let disk = site.disk("pvc-1");
    let message = refused(site.create("", &[&disk]), Code::InvalidArgument);
    assert!(message.contains("lacks name"), "{message}");
    let message = refused(site.create("group", &[]), Code::InvalidArgument);
    assert!(message.contains("lacks source_volume_ids"), "{message}");
    let message = refused(site.create("group", &[&disk, &disk]), Code::InvalidArgument);
    assert!(message.contains("named twice"), "{message}");
    let mut unknown = CreateVolumeGroupSnapshotRequest {
        name: "group".into(),
        source_volume_ids: vec![disk.id.clone()],
        ..CreateVolumeGroupSnapshotRequest::default()
    };
    // ECS keeps groups until they are deleted.
    let days = ("retentionDays".to_owned(), "7".to_owned());
    unknown.parameters = [days].into();
    let message = refused(site.create_with(unknown), Code::InvalidArgument);
    assert!(message.contains("no group snapshot parameter"), "{message}");
    for answer in [site.delete("", &[]), site.get("", &[]).map(drop)] {
        let message = refused(answer, Code::InvalidArgument);
        assert!(message.contains("lacks group_snapshot_id"), "{message}");
    }
    delete_all(&[&disk]);
    site.is_clean();
}

#[test]
fn disks_that_are_not_there_or_not_of_one_kind_have_codes_of_their_own() {
    let site = Site::new();
    let essd = site.disk("pvc-1");
    let mut request = disk_request("pvc-2");
    request
        .parameters
        .insert("type".into(), "cloud_efficiency".into());
    let made = site.csi.create_volume(request).expect("created");
    let slower = CsiVolume::existing(
        &site.csi,
        &site.node,
        made.volume.expect("a volume"),
        essd.capability.clone(),
    );
    let together = site.create("group", &[&essd, &slower]);
    let message = refused(together, Code::FailedPrecondition);
    assert!(message.contains("ESSDs of one zone"), "{message}");
    for missing in ["d-bp1nosuchdisk00000001", "nonsense"] {
        let missing = essd.known_as(missing);
        refused(site.create("group", &[&essd, &missing]), Code::NotFound);
    }
    delete_all(&[&essd, &slower]);
    site.is_clean();
}

#[test]
fn a_disk_that_was_never_attached_can_be_cut_once_it_was() {
    let site = Site::new();
    site.cloud
        .set(&json!({ "snapshot_of_never_attached": "refused" }));
    let disk = site.disk("pvc-1");
    let message = refused(site.create("group", &[&disk]), Code::FailedPrecondition);
    assert!(message.contains("NeverAttached"), "{message}");
    assert_eq!(site.counted(), (0, 0));
    disk.attach_to(drivebay_tests::INSTANCE).expect("attached");
    disk.detach().expect("detached");
    let group = site.create("group", &[&disk]).expect("cut");
    site.delete(&group.group_snapshot_id, &ids(&group))
        .expect("deleted");
    delete_all(&[&disk]);
    site.is_clean();
}

/// Makes a group while the cloud does this, and sees that there is one in the end.
#[track_caller]
fn converges(order: &Value) {
    let site = Site::new();
    let (one, other) = (site.disk("pvc-1"), site.disk("pvc-2"));
    site.cloud.fault(order);
    let group = Csi::at_last("making the group", || site.create("group", &[&one, &other]));
    assert!(site.cloud.fired() > 0, "{order} never struck");
    site.cloud.clear_faults();
    assert_eq!(site.counted(), (1, 2), "{order}");
    Csi::at_last("deleting the group", || {
        site.delete(&group.group_snapshot_id, &ids(&group))
    });
    delete_all(&[&one, &other]);
    site.is_clean();
}

#[test]
fn a_lost_reply_and_its_repetition_make_one_group() {
    converges(&json!({ "action": "CreateSnapshotGroup", "kind": "lost-reply" }));
}

#[test]
fn an_error_after_the_deed_and_its_repetition_make_one_group() {
    converges(&json!({ "action": "CreateSnapshotGroup", "kind": "error-after" }));
}

#[test]
fn throttling_and_stale_descriptions_make_no_second_group() {
    converges(&json!({ "action": "CreateSnapshotGroup", "kind": "throttling" }));
    converges(&json!({ "action": "DescribeSnapshotGroups", "kind": "stale-describe", "times": 2 }));
}

#[test]
fn a_group_that_the_cloud_gives_up_in_the_middle_leaves_nothing_behind() {
    let site = Site::new();
    let (one, other) = (site.disk("pvc-1"), site.disk("pvc-2"));
    site.cloud.set(&json!({ "snapshot_groups": "fail" }));
    let message = refused(site.create("group", &[&one, &other]), Code::Unavailable);
    assert!(message.contains("what it had cut was deleted"), "{message}");
    assert_eq!(site.counted(), (0, 0));
    site.cloud.set(&json!({ "snapshot_groups": "succeed" }));
    let group = Csi::at_last("making the group", || site.create("group", &[&one, &other]));
    assert_eq!(site.counted(), (1, 2));
    site.delete(&group.group_snapshot_id, &ids(&group))
        .expect("deleted");
    delete_all(&[&one, &other]);
    site.is_clean();
}

#[test]
fn a_group_is_deleted_with_its_snapshots_and_twice_is_success() {
    let site = Site::new();
    let (one, other) = (site.disk("pvc-1"), site.disk("pvc-2"));
    let group = site.create("group", &[&one, &other]).expect("cut");
    let id = &group.group_snapshot_id;
    site.cloud
        .fault(&json!({ "action": "DeleteSnapshotGroup", "kind": "lost-reply" }));
    Csi::at_last("deleting the group", || site.delete(id, &ids(&group)));
    assert_eq!(site.counted(), (0, 0));
    site.delete(id, &ids(&group)).expect("gone already");
    site.delete("ssg-bp1nosuchgroup000001", &[]).expect("gone");
    site.delete("nonsense", &[]).expect("nothing has that name");
    refused(site.get(id, &ids(&group)), Code::NotFound);
    refused(site.get("nonsense", &[]), Code::NotFound);
    delete_all(&[&one, &other]);
    site.is_clean();
}

#[test]
fn a_group_is_found_by_its_id_and_its_own_snapshots_alone() {
    let site = Site::new();
    let (one, other) = (site.disk("pvc-1"), site.disk("pvc-2"));
    let group = site.create("group", &[&one, &other]).expect("cut");
    let id = &group.group_snapshot_id;
    let found = site.get(id, &ids(&group)).expect("there");
    assert_eq!(ids(&found), ids(&group));
    assert_eq!(found.creation_time, group.creation_time);
    let foreign = "s-bp1nosuchsnapshot0001".to_owned();
    for wrong in [vec![], vec![ids(&group)[0].clone()], vec![foreign]] {
        refused(site.get(id, &wrong), Code::InvalidArgument);
        let message = refused(site.delete(id, &wrong), Code::InvalidArgument);
        assert!(message.contains("consists of"), "{message}");
    }
    assert_eq!(site.counted(), (1, 2));
    site.delete(id, &ids(&group)).expect("deleted");
    delete_all(&[&one, &other]);
    site.is_clean();
}

#[test]
fn a_snapshot_of_a_group_names_it_and_is_not_deleted_alone() {
    let site = Site::new();
    let (one, other) = (site.disk("pvc-1"), site.disk("pvc-2"));
    let group = site.create("group", &[&one, &other]).expect("cut");
    let member = &group.snapshots[0].snapshot_id;
    let id = &group.group_snapshot_id;
    assert_eq!(&site.snapshot(member).group_snapshot_id, id);
    let listed = site
        .csi
        .list_snapshots(proto::ListSnapshotsRequest::default())
        .expect("listed");
    assert_eq!(listed.entries.len(), 2);
    for entry in listed.entries {
        assert_eq!(&entry.snapshot.expect("a snapshot").group_snapshot_id, id);
    }
    let alone = site.csi.delete_snapshot(proto::DeleteSnapshotRequest {
        snapshot_id: member.clone(),
        ..proto::DeleteSnapshotRequest::default()
    });
    let message = refused(alone, Code::InvalidArgument);
    assert!(message.contains(id.as_str()), "{message}");
    site.delete(id, &ids(&group)).expect("deleted");
    delete_all(&[&one, &other]);
    site.is_clean();
}

#[test]
fn a_disk_starts_with_what_its_source_held_when_the_group_was_cut() {
    let site = Site::new();
    let one = site.disk("pvc-1").in_use("pod-1");
    let other = site.disk("pvc-2").in_use("pod-2");
    for (disk, pod) in [(&one, "pod-1"), (&other, "pod-2")] {
        fs::write(disk.target(pod).join("hello"), pod).expect("writable");
    }
    nix::unistd::sync();
    let group = site.create("group", &[&one, &other]).expect("cut");
    eventually("the group to be ready", || {
        let now = site.get(&group.group_snapshot_id, &ids(&group));
        now.expect("there").ready_to_use
    });
    fs::write(other.target("pod-2").join("hello"), "later").expect("writable");
    let cut = group
        .snapshots
        .iter()
        .find(|snapshot| snapshot.source_volume_id == other.id)
        .expect("one of each");
    let mut request = disk_request("pvc-3");
    request.volume_content_source = Some(proto::VolumeContentSource {
        r#type: Some(volume_content_source::Type::Snapshot(
            volume_content_source::SnapshotSource {
                snapshot_id: cut.snapshot_id.clone(),
            },
        )),
    });
    let made = site.csi.create_volume(request).expect("restored");
    let made = made.volume.expect("a volume");
    let restored = CsiVolume::existing(&site.csi, &site.node, made, one.capability.clone());
    let restored = restored.in_use("pod-3");
    let kept = fs::read_to_string(restored.target("pod-3").join("hello"));
    assert_eq!(kept.expect("kept"), "pod-2");
    // Disks that were made from them keep no group from being deleted.
    site.delete(&group.group_snapshot_id, &ids(&group))
        .expect("deleted");
    for (disk, pod) in [(&one, "pod-1"), (&other, "pod-2"), (&restored, "pod-3")] {
        disk.release(pod);
    }
    site.is_clean();
}

#[test]
fn secrets_of_groups_are_in_no_log() {
    let site = Site::new();
    let disk = site.disk("pvc-1");
    let secrets = || [("password".to_owned(), "hunter2-in-secrets".to_owned())].into();
    let group = site.create_with(CreateVolumeGroupSnapshotRequest {
        name: "group".into(),
        source_volume_ids: vec![disk.id.clone()],
        secrets: secrets(),
        ..CreateVolumeGroupSnapshotRequest::default()
    });
    let group = group.expect("cut");
    let request = DeleteVolumeGroupSnapshotRequest {
        group_snapshot_id: group.group_snapshot_id.clone(),
        snapshot_ids: ids(&group),
        secrets: secrets(),
    };
    site.csi
        .delete_volume_group_snapshot(request)
        .expect("deleted");
    let log = site.csi.log();
    assert!(!log.contains("hunter2"), "{log}");
    delete_all(&[&disk]);
    site.is_clean();
}
