//! Health of shares, by CSI: servers that are silent, that forgot what is mounted, and that lost what they had.

use std::fs;
use std::time::Duration;

use drivebay_tests::Csi;
use drivebay_tests::csi_proto::{
    self as proto, StorageHealthErrorType, VolumeHealthErrorType as Status,
};
use tonic::Code;

use crate::csi::{old_volume, serve, unpublish};
use crate::lab::{FILER, exported, pull_the_plug};

/// More than one server may take to say how it is.
const PATIENCE: Duration = Duration::from_secs(20);

/// What is wrong with a published volume.
fn on_node(csi: &Csi, of: &proto::NodePublishVolumeRequest) -> Vec<(Status, String)> {
    let request = proto::NodeGetVolumeHealthRequest {
        volume_id: of.volume_id.clone(),
        volume_publish_path: of.target_path.clone(),
        ..proto::NodeGetVolumeHealthRequest::default()
    };
    let answer = csi.node_get_volume_health_within(PATIENCE, request);
    let health = answer.expect("told").volume_health.expect("its health");
    let entries = health.health_statuses.iter();
    entries
        .map(|entry| (entry.status(), entry.reason.clone()))
        .collect()
}

fn storage(csi: &Csi) -> Vec<(StorageHealthErrorType, String)> {
    let request = proto::NodeGetStorageHealthRequest::default();
    let told = csi.node_get_storage_health(request).expect("told");
    let told = told.backend_health.iter();
    told.map(|it| (it.status(), it.message.clone())).collect()
}

#[test]
#[ignore = "needs the VM's NFS"]
fn a_server_that_is_silent_is_told_before_the_caller_gives_up_and_its_worker_is_gone() {
    let csi = serve();
    let volume = old_volume("pvc-silent");
    csi.node_publish_volume(volume.clone()).expect("published");
    assert_eq!(on_node(&csi, &volume), []);
    assert_eq!(storage(&csi), []);
    let unplugged = pull_the_plug();
    assert_eq!(
        on_node(&csi, &volume),
        [(Status::Inaccessible, "ServerUnreachable".to_owned())]
    );
    let told = storage(&csi);
    assert_eq!(told.len(), 1, "{told:?}");
    assert_eq!(told[0].0, StorageHealthErrorType::StorageUnreachable);
    assert!(told[0].1.contains(FILER), "{told:?}");
    assert!(csi.sidecars().contains("ready true"));
    drop(unplugged);
    assert_eq!(on_node(&csi, &volume), []);
    assert_eq!(storage(&csi), []);
    unpublish(&csi, &volume);
    assert!(csi.stop());
}

#[test]
#[ignore = "needs the VM's NFS"]
fn a_share_that_its_server_forgot_is_stale_and_its_server_is_well() {
    let csi = serve();
    let volume = old_volume("pvc-forgotten");
    csi.node_publish_volume(volume.clone()).expect("published");
    let directory = exported("/old/pvc-forgotten");
    fs::remove_dir_all(&directory).expect("ours");
    fs::create_dir(exported("/old/in-its-place")).expect("writable");
    fs::create_dir(&directory).expect("writable");
    fs::remove_dir(exported("/old/in-its-place")).expect("ours");
    let looked = fs::read_dir(&volume.target_path).map(drop);
    assert!(looked.is_err(), "the mount is not stale");
    assert_eq!(
        on_node(&csi, &volume),
        [(Status::Inaccessible, "MountStale".to_owned())]
    );
    assert_eq!(storage(&csi), []);
    unpublish(&csi, &volume);
    assert!(csi.stop());
}

#[test]
#[ignore = "needs the VM's NFS"]
fn a_volume_that_nobody_mounted_here_is_not_found() {
    let csi = serve();
    let never = old_volume("pvc-never");
    let request = proto::NodeGetVolumeHealthRequest {
        volume_id: never.volume_id.clone(),
        volume_publish_path: never.target_path.clone(),
        ..proto::NodeGetVolumeHealthRequest::default()
    };
    let refused = csi.node_get_volume_health(request).expect_err("unheard of");
    assert_eq!(refused.code(), Code::NotFound, "{refused:?}");
    assert!(csi.stop());
}

#[test]
#[ignore = "needs the VM's NFS"]
fn the_controller_tells_a_lost_directory_from_a_silent_server_and_from_no_volume() {
    let csi = serve();
    fs::create_dir_all(exported("/pool")).expect("the server is here");
    let mut request = drivebay_tests::disk_request("pvc-lost");
    let pair = |key: &str, value: &str| (key.to_owned(), value.to_owned());
    request.parameters = [pair("server", FILER), pair("share", "/pool")].into();
    let made = csi.create_volume(request).expect("made").volume;
    let id = made.expect("a volume").volume_id;
    let ask = |id: &str| {
        csi.controller_get_volume_health(proto::ControllerGetVolumeHealthRequest {
            volume_id: id.to_owned(),
            ..proto::ControllerGetVolumeHealthRequest::default()
        })
    };
    let told = |id: &str| {
        let health = ask(id).expect("told").volume_health.expect("its health");
        let entries = health.health_statuses.iter();
        let told = entries.map(|entry| (entry.status(), entry.reason.clone()));
        told.collect::<Vec<_>>()
    };
    assert_eq!(told(&id), []);
    let unplugged = pull_the_plug();
    assert_eq!(
        told(&id),
        [(Status::Inaccessible, "ServerUnreachable".to_owned())]
    );
    drop(unplugged);
    fs::remove_dir_all(exported("/pool/pvc-lost")).expect("ours");
    assert_eq!(
        told(&id),
        [(Status::DataLoss, "DirectoryMissing".to_owned())]
    );
    csi.delete_volume(proto::DeleteVolumeRequest {
        volume_id: id.clone(),
        ..proto::DeleteVolumeRequest::default()
    })
    .expect("deleted");
    for missing in [id.as_str(), "no-share"] {
        let refused = ask(missing).expect_err("no volume");
        assert_eq!(refused.code(), Code::NotFound, "{missing}: {refused:?}");
    }
    assert!(csi.stop());
}
