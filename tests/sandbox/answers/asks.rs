//! A caller's question for each export.

use drivebay_tests::csi_proto::volume_capability::access_mode::Mode;
use drivebay_tests::csi_proto::{self as proto, volume_content_source};
use drivebay_tests::{Csi, mounted};
use tonic::Status;

pub(super) fn creation() -> proto::CreateVolumeRequest {
    proto::CreateVolumeRequest {
        name: "pvc-1".to_owned(),
        capacity_range: Some(proto::CapacityRange {
            required_bytes: 10,
            limit_bytes: 20,
        }),
        volume_capabilities: vec![mounted(Mode::SingleNodeWriter)],
        ..proto::CreateVolumeRequest::default()
    }
}

pub(super) fn create(csi: &Csi) -> Result<(), Status> {
    csi.create_volume(creation()).map(drop)
}

pub(super) fn copy(csi: &Csi) -> Result<(), Status> {
    let source = volume_content_source::VolumeSource {
        volume_id: "v-0".to_owned(),
    };
    let source = proto::VolumeContentSource {
        r#type: Some(volume_content_source::Type::Volume(source)),
    };
    csi.create_volume(proto::CreateVolumeRequest {
        volume_content_source: Some(source),
        ..creation()
    })
    .map(drop)
}

pub(super) fn get(csi: &Csi) -> Result<(), Status> {
    let volume_id = "v-1".to_owned();
    csi.controller_get_volume(proto::ControllerGetVolumeRequest { volume_id })
        .map(drop)
}

pub(super) fn list(csi: &Csi) -> Result<(), Status> {
    csi.list_volumes(proto::ListVolumesRequest {
        max_entries: 1,
        starting_token: "here".to_owned(),
    })
    .map(drop)
}

pub(super) fn get_health(csi: &Csi) -> Result<(), Status> {
    csi.controller_get_volume_health(proto::ControllerGetVolumeHealthRequest {
        volume_id: "v-1".to_owned(),
        ..proto::ControllerGetVolumeHealthRequest::default()
    })
    .map(drop)
}

pub(super) fn list_health(csi: &Csi) -> Result<(), Status> {
    csi.controller_list_volume_health(proto::ControllerListVolumeHealthRequest {
        max_entries: 1,
        ..proto::ControllerListVolumeHealthRequest::default()
    })
    .map(drop)
}

pub(super) fn attaching() -> proto::ControllerPublishVolumeRequest {
    proto::ControllerPublishVolumeRequest {
        volume_id: "v-1".to_owned(),
        node_id: "node-1".to_owned(),
        volume_capability: Some(mounted(Mode::SingleNodeWriter)),
        volume_context: [("share".to_owned(), "a".to_owned())].into(),
        ..proto::ControllerPublishVolumeRequest::default()
    }
}

pub(super) fn attach(csi: &Csi) -> Result<(), Status> {
    csi.controller_publish_volume(attaching()).map(drop)
}

pub(super) fn snap(csi: &Csi) -> Result<(), Status> {
    csi.create_snapshot(proto::CreateSnapshotRequest {
        name: "snap-1".to_owned(),
        source_volume_id: "v-1".to_owned(),
        ..proto::CreateSnapshotRequest::default()
    })
    .map(drop)
}

pub(super) fn get_snapshot(csi: &Csi) -> Result<(), Status> {
    csi.get_snapshot(proto::GetSnapshotRequest {
        snapshot_id: "s-1".to_owned(),
        ..proto::GetSnapshotRequest::default()
    })
    .map(drop)
}

pub(super) fn list_snapshots(csi: &Csi) -> Result<(), Status> {
    csi.list_snapshots(proto::ListSnapshotsRequest {
        source_volume_id: "v-1".to_owned(),
        ..proto::ListSnapshotsRequest::default()
    })
    .map(drop)
}

pub(super) fn snap_group(csi: &Csi) -> Result<(), Status> {
    csi.create_volume_group_snapshot(proto::CreateVolumeGroupSnapshotRequest {
        name: "group-1".to_owned(),
        source_volume_ids: vec!["v-1".to_owned()],
        ..proto::CreateVolumeGroupSnapshotRequest::default()
    })
    .map(drop)
}

pub(super) fn get_group(csi: &Csi) -> Result<(), Status> {
    csi.get_volume_group_snapshot(proto::GetVolumeGroupSnapshotRequest {
        group_snapshot_id: "g-1".to_owned(),
        snapshot_ids: vec!["s-1".to_owned()],
        ..proto::GetVolumeGroupSnapshotRequest::default()
    })
    .map(drop)
}

pub(super) fn expand(csi: &Csi) -> Result<(), Status> {
    csi.controller_expand_volume(proto::ControllerExpandVolumeRequest {
        volume_id: "v-1".to_owned(),
        capacity_range: creation().capacity_range,
        ..proto::ControllerExpandVolumeRequest::default()
    })
    .map(drop)
}

pub(super) fn info(csi: &Csi) -> Result<(), Status> {
    csi.node_get_info(proto::NodeGetInfoRequest {}).map(drop)
}
