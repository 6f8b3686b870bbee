//! NFS by CSI: the project's own suite, volumes of another driver, servers that die or forget.

use std::collections::HashMap;
use std::fs;
use std::time::{Duration, Instant};

use drivebay_tests::csi_proto::volume_capability::access_mode::Mode;
use drivebay_tests::csi_proto::{self as proto};
use drivebay_tests::{Csi, Node, Sanity, mounted, text};
use nix::mount::{MsFlags, mount};
use tonic::Code;

use crate::lab::{FILER, exported, node, pull_the_plug};

/// What NFS has no operation for, and so the driver no capability; and what the suite's authors switched off.
const LACKING: [&str; 13] = [
    // Whatever is exported can be mounted from any node.
    "ControllerPublishVolume",
    "ControllerUnpublishVolume",
    "NodeStageVolume",
    "NodeUnstageVolume",
    // The suite's life of a volume begins with attaching it.
    "volume lifecycle",
    // No filesystem of the node's own has to grow.
    "NodeExpandVolume",
    // A share's directories are not a list of volumes, nor its archives one of snapshots.
    "ListVolumes",
    "ListSnapshots",
    "ControllerListVolumeHealth",
    // Archives lie on the share, which is nowhere in particular.
    "creating a snapshot with accessibility requirements",
    // Nothing about a directory can be modified.
    "ModifyVolume",
    "volume attribute class",
    // Shares have no moment that several of them share.
    "GroupController Service",
];

pub(crate) fn serve() -> Csi {
    node().serve_with("nfs", &["--node-id", "vm"])
}

#[test]
#[ignore = "needs the VM's NFS"]
fn nfs_passes_csi_sanity() {
    fs::create_dir_all(exported("/sanity")).expect("the server is here");
    let csi = serve();
    let share = [("server", FILER), ("share", "/sanity")];
    Sanity::new(node(), &csi)
        .parameters(&share)
        .snapshot_parameters(&share)
        .run()
        .assert_passes(&LACKING);
    assert!(csi.stop());
}

/// A volume as a PersistentVolume of csi-driver-nfs has it.
pub(crate) fn old_volume(directory: &str) -> proto::NodePublishVolumeRequest {
    let inside = exported("/old").join(directory);
    fs::create_dir_all(&inside).expect("the server is here");
    fs::write(inside.join("greeting"), "hello").expect("writable");
    let parent = node().path("pods").join(directory);
    fs::create_dir_all(&parent).expect("writable");
    let pair = |key: &str, value: &str| (key.to_owned(), value.to_owned());
    proto::NodePublishVolumeRequest {
        volume_id: format!("{FILER}#old#{directory}##"),
        target_path: text(&parent.join("mount")).to_owned(),
        volume_capability: Some(mounted(Mode::MultiNodeMultiWriter)),
        volume_context: HashMap::from([
            pair("server", FILER),
            pair("share", "/old"),
            pair("subdir", directory),
            pair("csi.storage.k8s.io/pv/name", directory),
            pair("csi.storage.k8s.io/pvc/name", "data"),
            pair("csi.storage.k8s.io/pvc/namespace", "shop"),
            pair("csi.storage.k8s.io/pod.name", "web-0"),
            pair("csi.storage.k8s.io/pod.namespace", "shop"),
            pair("csi.storage.k8s.io/pod.uid", "1"),
            pair("csi.storage.k8s.io/serviceAccount.name", "default"),
            pair("csi.storage.k8s.io/ephemeral", "false"),
            pair(
                "storage.kubernetes.io/csiProvisionerIdentity",
                "1-2-nfs.csi.k8s.io",
            ),
        ]),
        ..proto::NodePublishVolumeRequest::default()
    }
}

pub(crate) fn unpublish(csi: &Csi, request: &proto::NodePublishVolumeRequest) {
    csi.node_unpublish_volume(proto::NodeUnpublishVolumeRequest {
        volume_id: request.volume_id.clone(),
        target_path: request.target_path.clone(),
    })
    .expect("unpublished");
}

#[test]
#[ignore = "needs the VM's NFS"]
fn a_volume_of_csi_driver_nfs_mounts_and_a_second_pod_shares_it() {
    let csi = serve();
    let first = old_volume("pvc-old");
    csi.node_publish_volume(first.clone()).expect("published");
    let greeting = |request: &proto::NodePublishVolumeRequest| {
        fs::read_to_string(format!("{}/greeting", request.target_path)).expect("mounted")
    };
    assert_eq!(greeting(&first), "hello");
    let mut second = first.clone();
    second.target_path = format!("{}-2", first.target_path);
    let pod = "csi.storage.k8s.io/pod.name".to_owned();
    second.volume_context.insert(pod, "web-1".to_owned());
    csi.node_publish_volume(second.clone()).expect("published");
    assert_eq!(greeting(&second), "hello");
    unpublish(&csi, &first);
    unpublish(&csi, &second);
    assert!(csi.stop());
}

#[test]
#[ignore = "needs the VM's NFS"]
fn statistics_of_a_dead_server_end_before_the_caller_gives_up_and_hold_up_nobody() {
    let csi = serve();
    let dead = old_volume("pvc-dead");
    csi.node_publish_volume(dead.clone()).expect("published");
    let stats = |patience| {
        csi.node_get_volume_stats_within(
            patience,
            proto::NodeGetVolumeStatsRequest {
                volume_id: dead.volume_id.clone(),
                volume_path: dead.target_path.clone(),
                ..proto::NodeGetVolumeStatsRequest::default()
            },
        )
    };
    let whole = stats(Duration::from_secs(60)).expect("measured");
    assert!(whole.usage.iter().any(|usage| usage.total > 0));
    let unplugged = pull_the_plug();
    let patience = Duration::from_secs(5);
    let begun = Instant::now();
    let refused = stats(patience).expect_err("nobody answers");
    assert!(begun.elapsed() < patience, "its own timer went off first");
    assert_eq!(refused.code(), Code::Unavailable, "{refused:?}");
    assert!(csi.sidecars().contains("ready true"));
    drop(unplugged);
    unpublish(&csi, &dead);
    assert!(csi.stop());
}

#[test]
#[ignore = "needs the VM's NFS"]
fn a_mount_that_its_server_forgot_is_made_anew_by_publishing_again() {
    let csi = serve();
    let volume = old_volume("pvc-stale");
    csi.node_publish_volume(volume.clone()).expect("published");
    // Restored from a backup: the same path, another directory.
    let directory = exported("/old/pvc-stale");
    fs::remove_dir_all(&directory).expect("ours");
    fs::create_dir(exported("/old/in-its-place")).expect("writable");
    fs::create_dir(&directory).expect("writable");
    fs::write(directory.join("greeting"), "restored").expect("writable");
    fs::remove_dir(exported("/old/in-its-place")).expect("ours");
    let looked = fs::read_dir(&volume.target_path).map(drop);
    assert!(looked.is_err(), "the mount is not stale");
    csi.node_publish_volume(volume.clone()).expect("published");
    let greeting = fs::read_to_string(format!("{}/greeting", volume.target_path));
    assert_eq!(greeting.expect("mounted anew"), "restored");
    Node::holds_one_mount(volume.target_path.as_ref());
    unpublish(&csi, &volume);
    assert!(csi.stop());
}

#[test]
#[ignore = "needs the VM's NFS"]
fn a_share_that_another_driver_mounted_is_recognised_and_taken_over() {
    let csi = serve();
    let volume = old_volume("pvc-foreign");
    let other = old_volume("pvc-other");
    fs::create_dir_all(&volume.target_path).expect("writable");
    mount(
        Some(format!("{FILER}:/old/pvc-foreign").as_str()),
        volume.target_path.as_str(),
        Some("nfs4"),
        MsFlags::empty(),
        Some(format!("vers=4.2,hard,addr={FILER},clientaddr={FILER}").as_str()),
    )
    .expect("root");
    let stats = |volume_id: &str| {
        csi.node_get_volume_stats(proto::NodeGetVolumeStatsRequest {
            volume_id: volume_id.to_owned(),
            volume_path: volume.target_path.clone(),
            ..proto::NodeGetVolumeStatsRequest::default()
        })
    };
    for _ in 0..2 {
        let measured = stats(&volume.volume_id).expect("measured");
        assert!(measured.usage.iter().any(|usage| usage.total > 0));
        let refused = stats(&other.volume_id).expect_err("another volume");
        assert_eq!(refused.code(), Code::NotFound, "{refused:?}");
    }
    csi.node_publish_volume(volume.clone())
        .expect("it is there");
    Node::holds_one_mount(volume.target_path.as_ref());
    let elsewhere = proto::NodePublishVolumeRequest {
        target_path: volume.target_path.clone(),
        ..other
    };
    let refused = csi.node_publish_volume(elsewhere).expect_err("occupied");
    assert_eq!(refused.code(), Code::AlreadyExists, "{refused:?}");
    unpublish(&csi, &volume);
    assert!(csi.stop());
}
