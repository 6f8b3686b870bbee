//! Snapshots of several volumes, cut together.

use tonic::{Request, Response, Status};

use super::plugin::Service;
use super::proto::group_controller_server::GroupController;
use super::proto::{
    CreateVolumeGroupSnapshotRequest, CreateVolumeGroupSnapshotResponse,
    DeleteVolumeGroupSnapshotRequest, DeleteVolumeGroupSnapshotResponse,
    GetVolumeGroupSnapshotRequest, GetVolumeGroupSnapshotResponse,
    GroupControllerGetCapabilitiesRequest, GroupControllerGetCapabilitiesResponse,
};
use super::{capabilities, request, response};
use crate::driver::Scope;
use crate::volume::CreateGroupSnapshot;

#[tonic::async_trait]
impl GroupController for Service {
    async fn group_controller_get_capabilities(
        &self,
        request: Request<GroupControllerGetCapabilitiesRequest>,
    ) -> Result<Response<GroupControllerGetCapabilitiesResponse>, Status> {
        self.answer_now("GroupControllerGetCapabilities", request, |session| {
            Ok(GroupControllerGetCapabilitiesResponse {
                capabilities: capabilities::of_group_controller(session.capabilities()?),
            })
        })
    }

    async fn create_volume_group_snapshot(
        &self,
        request: Request<CreateVolumeGroupSnapshotRequest>,
    ) -> Result<Response<CreateVolumeGroupSnapshotResponse>, Status> {
        self.answer("CreateVolumeGroupSnapshot", request, |session, message| {
            let group = session.create_group_snapshot(&CreateGroupSnapshot {
                name: request::required("name", &message.name)?.to_owned(),
                sources: request::source_volume_ids(message.source_volume_ids)?,
                parameters: request::parameters(
                    session,
                    Scope::GroupSnapshot,
                    "parameters",
                    message.parameters,
                )?,
            })?;
            Ok(CreateVolumeGroupSnapshotResponse {
                group_snapshot: Some(response::group_snapshot(group)),
            })
        })
        .await
    }

    async fn delete_volume_group_snapshot(
        &self,
        request: Request<DeleteVolumeGroupSnapshotRequest>,
    ) -> Result<Response<DeleteVolumeGroupSnapshotResponse>, Status> {
        self.answer("DeleteVolumeGroupSnapshot", request, |session, message| {
            session.delete_group_snapshot(
                &request::group_snapshot_id(&message.group_snapshot_id)?,
                &request::snapshot_ids(message.snapshot_ids)?,
            )?;
            Ok(DeleteVolumeGroupSnapshotResponse {})
        })
        .await
    }

    async fn get_volume_group_snapshot(
        &self,
        request: Request<GetVolumeGroupSnapshotRequest>,
    ) -> Result<Response<GetVolumeGroupSnapshotResponse>, Status> {
        self.answer("GetVolumeGroupSnapshot", request, |session, message| {
            let group = session.get_group_snapshot(
                &request::group_snapshot_id(&message.group_snapshot_id)?,
                &request::snapshot_ids(message.snapshot_ids)?,
            )?;
            Ok(GetVolumeGroupSnapshotResponse {
                group_snapshot: Some(response::group_snapshot(group)),
            })
        })
        .await
    }
}
