//! Health, which is alpha in CSI 1.13: what is wrong with volumes and with what is behind them. A server that hangs takes
//! a server: that is in the VM's tests.

use std::fs;
use std::path::Path;
use std::thread;

use drivebay_tests::csi_proto::volume_capability::access_mode::Mode;
use drivebay_tests::csi_proto::{self as proto, VolumeHealthErrorType as Status};
use drivebay_tests::{Node, Site, WatGuest, eventually, mounted_as, refused, text};
use nix::mount::{MsFlags, mount, umount};
use serde_json::json;
use tonic::Code;

/// What is wrong with a volume.
fn told(health: Option<proto::VolumeHealth>) -> Vec<(Status, String)> {
    let health = health.expect("a volume's health");
    let entries = health.health_statuses.iter();
    entries
        .map(|entry| {
            assert!(!entry.message.is_empty(), "{entry:?}");
            (entry.status(), entry.reason.clone())
        })
        .collect()
}

/// What the node tells of a volume, given the paths where a pod of that name has it.
#[track_caller]
fn on_node(site: &Site, id: &str, staging: &Path, target: &Path) -> Vec<(Status, String)> {
    let answer = site
        .csi
        .node_get_volume_health(proto::NodeGetVolumeHealthRequest {
            volume_id: id.to_owned(),
            volume_publish_path: text(target).to_owned(),
            staging_target_path: text(staging).to_owned(),
        });
    told(answer.expect("told").volume_health)
}

fn turns_read_only(point: &Path) {
    let none = None::<&str>;
    let flags = MsFlags::MS_REMOUNT | MsFlags::MS_RDONLY;
    mount(none, point, none, flags, none).expect("ours");
}

fn shuts_down(point: &Path) {
    let output = Node::run("xfs_io", &["-x", "-c", "shutdown", text(point)]);
    assert!(output.status.success(), "{output:?}");
}

#[test]
fn rule_21_a_volume_that_is_well_has_nothing_to_tell_with_its_paths_or_without() {
    let site = Site::new();
    let disk = site.disk("pvc-1").in_use("pod-1");
    let (staging, target) = (disk.staging(), disk.target("pod-1"));
    assert_eq!(on_node(&site, &disk.id, &staging, &target), []);
    let by_id = site
        .csi
        .node_get_volume_health(proto::NodeGetVolumeHealthRequest {
            volume_id: disk.id.clone(),
            ..proto::NodeGetVolumeHealthRequest::default()
        });
    let health = by_id.expect("told").volume_health.expect("its health");
    assert_eq!(health.volume_id, disk.id);
    assert_eq!(told(Some(health)), []);
    disk.release("pod-1");
    site.is_clean();
}

#[test]
fn rule_21_what_the_kernel_did_to_a_filesystem_is_told_once() {
    let site = Site::new();
    for (fs_type, ends, status, reason) in [
        (
            "ext4",
            turns_read_only as fn(&Path),
            Status::Degraded,
            "FilesystemReadOnly",
        ),
        (
            "xfs",
            shuts_down,
            Status::Inaccessible,
            "FilesystemShutDown",
        ),
    ] {
        let disk = site.disk("pvc-1");
        let disk = disk
            .used_as(mounted_as(fs_type, Mode::SingleNodeMultiWriter))
            .in_use("pod-1");
        disk.publish("pod-2").expect("published");
        ends(&disk.staging());
        let (staging, target) = (disk.staging(), disk.target("pod-1"));
        assert_eq!(
            on_node(&site, &disk.id, &staging, &target),
            [(status, reason.to_owned())]
        );
        disk.unpublish("pod-2").expect("unpublished");
        disk.release("pod-1");
    }
    site.is_clean();
}

#[test]
fn rule_21_errors_that_a_filesystem_lives_on_with_are_told_too() {
    let site = Site::new();
    let disk = site.disk("pvc-1");
    let disk = disk
        .used_as(mounted_as("ext4", Mode::SingleNodeMultiWriter))
        .in_use("pod-1");
    let none = None::<&str>;
    let goes_on = Some("errors=continue");
    mount(none, &disk.staging(), none, MsFlags::MS_REMOUNT, goes_on).expect("ours");
    let lines = Node::mount_lines_beneath(&disk.staging());
    let words = lines.first().expect("mounted").split(' ');
    let source = words.skip_while(|word| *word != "-").nth(2);
    let name = source.and_then(|source| source.strip_prefix("/dev/"));
    let file = format!("/sys/fs/ext4/{}/trigger_fs_error", name.expect("a device"));
    fs::write(file, "for a test").expect("ext4 has it");
    assert_eq!(
        on_node(&site, &disk.id, &disk.staging(), &disk.target("pod-1")),
        [(Status::Degraded, "FilesystemErrors".to_owned())]
    );
    disk.release("pod-1");
    site.is_clean();
}

#[test]
fn rule_21_a_volume_that_somebody_else_unmounted_is_missed_where_the_caller_expects_it() {
    let site = Site::new();
    let disk = site.disk("pvc-1").in_use("pod-1");
    let (staging, target) = (disk.staging(), disk.target("pod-1"));
    umount(&target).expect("mounted");
    assert_eq!(
        on_node(&site, &disk.id, &staging, &target),
        [(Status::Inaccessible, "NotMounted".to_owned())]
    );
    assert_eq!(
        on_node(&site, &disk.id, &staging, &disk.target("pod-2")),
        []
    );
    disk.release("pod-1");
    site.is_clean();
}

#[test]
fn rule_21_a_disk_that_is_not_attached_is_inaccessible_and_what_is_no_disk_is_not_found() {
    let site = Site::new();
    let ask = |id: &str, path: &str| {
        site.csi
            .node_get_volume_health(proto::NodeGetVolumeHealthRequest {
                volume_id: id.to_owned(),
                volume_publish_path: path.to_owned(),
                ..proto::NodeGetVolumeHealthRequest::default()
            })
    };
    let disk = site.disk("pvc-1");
    let elsewhere = ask(&disk.id, text(&disk.target("pod-1")));
    assert_eq!(
        told(elsewhere.expect("told").volume_health),
        [(Status::Inaccessible, "ReportedByBackend".to_owned())]
    );
    refused(ask("no-disk", ""), Code::NotFound);
    refused(ask("", ""), Code::InvalidArgument);
    let message = refused(ask(&disk.id, "relative/path"), Code::InvalidArgument);
    assert!(message.contains("volume_publish_path"), "{message}");
    disk.delete().expect("deleted");
    site.is_clean();
}

#[test]
fn rule_22_storage_is_well_where_nothing_is_wrong_and_where_nothing_is_mounted() {
    let site = Site::new();
    let ask = || {
        let request = proto::NodeGetStorageHealthRequest::default();
        site.csi.node_get_storage_health(request).expect("told")
    };
    assert_eq!(ask().backend_health, []);
    let disk = site.disk("pvc-1").in_use("pod-1");
    assert_eq!(ask().backend_health, []);
    // What is wrong with a volume is not wrong with the storage of all.
    turns_read_only(&disk.staging());
    assert_eq!(ask().backend_health, []);
    disk.release("pod-1");
    site.is_clean();
}

#[test]
fn rule_22_a_component_that_does_nothing_on_nodes_claims_no_health_there_and_has_none() {
    let node = Node::empty();
    let file = "component = \"guest\"\ncsi-name = \"guest.example.com\"\n[grants.mounts]\n";
    node.add_driver("guest", file);
    let guest = WatGuest::named("guest").exports("identity controller");
    node.install(&[&guest.write(node.path("guest.wasm"))]);
    let csi = node.serve("guest");
    let claimed = csi
        .node_get_capabilities(proto::NodeGetCapabilitiesRequest {})
        .expect("answered");
    assert!(!format!("{claimed:?}").contains("Health"), "{claimed:?}");
    let storage = csi.node_get_storage_health(proto::NodeGetStorageHealthRequest::default());
    refused(storage, Code::Unimplemented);
    let volume = csi.node_get_volume_health(proto::NodeGetVolumeHealthRequest {
        volume_id: "v-1".to_owned(),
        ..proto::NodeGetVolumeHealthRequest::default()
    });
    refused(volume, Code::Unimplemented);
}

fn of_backend(
    site: &Site,
    id: &str,
) -> Result<proto::ControllerGetVolumeHealthResponse, tonic::Status> {
    site.csi
        .controller_get_volume_health(proto::ControllerGetVolumeHealthRequest {
            volume_id: id.to_owned(),
            ..proto::ControllerGetVolumeHealthRequest::default()
        })
}

fn lock(site: &Site, disk: &str, reasons: &[&str]) {
    site.cloud
        .set(&json!({ "disks": { disk: { "locks": reasons } } }));
}

#[test]
fn rule_23_the_controller_tells_what_the_backend_knows_of_a_volume() {
    let site = Site::new();
    let disk = site.disk("pvc-1");
    assert_eq!(
        told(of_backend(&site, &disk.id).expect("told").volume_health),
        []
    );
    lock(&site, &disk.id, &["financial"]);
    let answer = of_backend(&site, &disk.id).expect("told");
    let entries = &answer
        .volume_health
        .as_ref()
        .expect("health")
        .health_statuses;
    assert!(entries[0].message.contains("financial"), "{entries:?}");
    assert_eq!(
        told(answer.volume_health),
        [(Status::Degraded, "DiskLocked".to_owned())]
    );
    lock(&site, &disk.id, &[]);
    refused(of_backend(&site, "d-bp1nosuchdisk0000001"), Code::NotFound);
    refused(of_backend(&site, "no-disk"), Code::NotFound);
    refused(of_backend(&site, ""), Code::InvalidArgument);
    disk.delete().expect("deleted");
    site.is_clean();
}

#[test]
fn rule_23_a_backend_that_hangs_says_nothing_of_the_volume_and_holds_up_nobody() {
    let site = Site::new();
    let disk = site.disk("pvc-1");
    let asked_before = site.cloud.requests("DescribeDisks");
    site.cloud
        .fault(&json!({ "action": "DescribeDisks", "kind": "slow-reply" }));
    thread::scope(|scope| {
        let slow = scope.spawn(|| of_backend(&site, &disk.id));
        eventually("the question to arrive", || {
            site.cloud.requests("DescribeDisks") > asked_before
        });
        assert!(site.csi.sidecars().contains("ready true"));
        site.cloud.clear_faults();
        let answer = slow.join().expect("no panic").expect("told");
        assert_eq!(told(answer.volume_health), []);
    });
    let gone = json!({
        "action": "DescribeDisks", "kind": "error-before", "code": "ServiceUnavailable", "status": 503, "times": 99,
    });
    site.cloud.fault(&gone);
    refused(of_backend(&site, &disk.id), Code::Unavailable);
    site.cloud.clear_faults();
    disk.delete().expect("deleted");
    site.is_clean();
}

#[test]
fn rule_24_volumes_that_are_not_well_are_listed_and_no_others() {
    let site = Site::new();
    let list = |max_entries: i32, token: &str| {
        site.csi
            .controller_list_volume_health(proto::ControllerListVolumeHealthRequest {
                max_entries,
                starting_token: token.to_owned(),
                ..proto::ControllerListVolumeHealthRequest::default()
            })
    };
    let disks: Vec<_> = (0..3)
        .map(|number| site.disk(&format!("pvc-{number}")))
        .collect();
    assert_eq!(list(0, "").expect("told").entries, []);
    lock(&site, &disks[1].id, &["security"]);
    let (mut unwell, mut token) = (Vec::new(), String::new());
    loop {
        let page = list(1, &token).expect("a page");
        assert!(page.entries.len() <= 1, "{page:?}");
        unwell.extend(page.entries.into_iter().map(|it| it.volume_id));
        token = page.next_token;
        if token.is_empty() {
            break;
        }
    }
    assert_eq!(unwell, [disks[1].id.clone()]);
    refused(list(0, "no-token"), Code::Aborted);
    refused(list(-1, ""), Code::InvalidArgument);
    lock(&site, &disks[1].id, &[]);
    for disk in disks {
        disk.delete().expect("deleted");
    }
    site.is_clean();
}

#[test]
fn rules_23_and_24_are_unimplemented_for_a_backend_that_knows_no_health() {
    let node = Node::with_local("v1");
    let csi = node.serve("local");
    let claimed = csi
        .controller_get_capabilities(proto::ControllerGetCapabilitiesRequest {})
        .expect("answered");
    assert!(!format!("{claimed:?}").contains("Health"), "{claimed:?}");
    let one = csi.controller_get_volume_health(proto::ControllerGetVolumeHealthRequest {
        volume_id: "v1".to_owned(),
        ..proto::ControllerGetVolumeHealthRequest::default()
    });
    refused(one, Code::Unimplemented);
    let all =
        csi.controller_list_volume_health(proto::ControllerListVolumeHealthRequest::default());
    refused(all, Code::Unimplemented);
}

#[test]
fn rule_25_a_snapshot_is_reachable_from_everywhere_and_no_place_for_one_is_taken() {
    let site = Site::new();
    let claimed = site
        .csi
        .get_plugin_capabilities(proto::GetPluginCapabilitiesRequest {})
        .expect("answered");
    assert!(
        !format!("{claimed:?}").contains("SnapshotAccessibility"),
        "{claimed:?}"
    );
    let disk = site.disk("pvc-1").in_use("pod-1");
    let request = |places: &[&str]| proto::CreateSnapshotRequest {
        name: "snap-1".to_owned(),
        source_volume_id: disk.id.clone(),
        accessibility_requirements: (!places.is_empty()).then(|| proto::TopologyRequirement {
            preferred: places
                .iter()
                .map(|zone| proto::Topology {
                    segments: [("topology.kubernetes.io/zone".to_owned(), (*zone).to_owned())]
                        .into(),
                })
                .collect(),
            requisite: Vec::new(),
        }),
        ..proto::CreateSnapshotRequest::default()
    };
    let message = refused(
        site.csi.create_snapshot(request(&["cn-hangzhou-h"])),
        Code::InvalidArgument,
    );
    assert!(message.contains("VolumeSnapshotClass"), "{message}");
    assert!(site.cloud.snapshots().is_empty());
    let made = site.csi.create_snapshot(request(&[])).expect("cut");
    let snapshot = made.snapshot.expect("a snapshot");
    assert_eq!(snapshot.accessible_topology, []);
    site.csi
        .delete_snapshot(proto::DeleteSnapshotRequest {
            snapshot_id: snapshot.snapshot_id,
            ..proto::DeleteSnapshotRequest::default()
        })
        .expect("deleted");
    disk.release("pod-1");
    site.is_clean();
}
