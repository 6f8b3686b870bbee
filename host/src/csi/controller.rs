//! Volumes come and go, are attached to nodes, grow and change.

use tonic::{Request, Response, Status};

use super::plugin::Service;
use super::proto::controller_server::Controller;
use super::proto::{
    ControllerExpandVolumeRequest, ControllerExpandVolumeResponse,
    ControllerGetCapabilitiesRequest, ControllerGetCapabilitiesResponse,
    ControllerGetVolumeHealthRequest, ControllerGetVolumeHealthResponse,
    ControllerGetVolumeRequest, ControllerGetVolumeResponse, ControllerListVolumeHealthRequest,
    ControllerListVolumeHealthResponse, ControllerModifyVolumeRequest,
    ControllerModifyVolumeResponse, ControllerPublishVolumeRequest,
    ControllerPublishVolumeResponse, ControllerUnpublishVolumeRequest,
    ControllerUnpublishVolumeResponse, CreateSnapshotRequest, CreateSnapshotResponse,
    CreateVolumeRequest, CreateVolumeResponse, DeleteSnapshotRequest, DeleteSnapshotResponse,
    DeleteVolumeRequest, DeleteVolumeResponse, GetCapacityRequest, GetCapacityResponse,
    GetSnapshotRequest, GetSnapshotResponse, ListSnapshotsRequest, ListSnapshotsResponse,
    ListVolumesRequest, ListVolumesResponse, ValidateVolumeCapabilitiesRequest,
    ValidateVolumeCapabilitiesResponse, controller_get_volume_response, list_snapshots_response,
    list_volumes_response, validate_volume_capabilities_response,
};
use super::{capabilities, request, response, volume_health};
use crate::driver::{AttachVolume, Scope, VolumeReference};
use crate::error::{Condition, DriverError};
use crate::volume::{
    AccessType, CreateSnapshot, CreateVolume, NodeId, Parameters, SnapshotFilter, SnapshotId,
    VolumeId,
};

#[tonic::async_trait]
impl Controller for Service {
    async fn create_volume(
        &self,
        request: Request<CreateVolumeRequest>,
    ) -> Result<Response<CreateVolumeResponse>, Status> {
        self.answer("CreateVolume", request, |session, message| {
            // Mutable parameters are those of the class that may change later; a new volume gets both.
            let mut parameters = message.parameters;
            parameters.extend(message.mutable_parameters);
            let created = session.create_volume(&CreateVolume {
                name: request::required("name", &message.name)?.to_owned(),
                capacity: request::range(message.capacity_range)?,
                capabilities: request::capabilities(message.volume_capabilities)?,
                parameters: request::parameters(
                    session,
                    Scope::Creation,
                    "parameters",
                    parameters,
                )?,
                source: request::source(message.volume_content_source)?,
                places: request::places(message.accessibility_requirements),
            })?;
            Ok(CreateVolumeResponse {
                volume: Some(response::volume(created)),
            })
        })
        .await
    }

    async fn delete_volume(
        &self,
        request: Request<DeleteVolumeRequest>,
    ) -> Result<Response<DeleteVolumeResponse>, Status> {
        self.answer("DeleteVolume", request, |session, message| {
            session.delete_volume(&request::volume_id(&message.volume_id)?)?;
            Ok(DeleteVolumeResponse {})
        })
        .await
    }

    async fn controller_publish_volume(
        &self,
        request: Request<ControllerPublishVolumeRequest>,
    ) -> Result<Response<ControllerPublishVolumeResponse>, Status> {
        self.answer("ControllerPublishVolume", request, |session, message| {
            let node = request::required("node_id", &message.node_id)?.to_owned();
            let capability = request::capability(message.volume_capability)?;
            let publish_context = session.attach_volume(&AttachVolume {
                volume: request::volume(session, &message.volume_id, message.volume_context)?,
                node: NodeId(node),
                access: request::access(capability.mode, message.readonly),
                kind: Some(capability.kind),
            })?;
            Ok(ControllerPublishVolumeResponse {
                publish_context: response::publish_context(
                    &publish_context,
                    message.readonly,
                    session.version().map(|version| version.as_str()),
                ),
            })
        })
        .await
    }

    /// An empty node means every node.
    async fn controller_unpublish_volume(
        &self,
        request: Request<ControllerUnpublishVolumeRequest>,
    ) -> Result<Response<ControllerUnpublishVolumeResponse>, Status> {
        self.answer("ControllerUnpublishVolume", request, |session, message| {
            let key = request::key(&message.volume_id)?;
            session.detach_volume(&key, &NodeId(message.node_id))?;
            Ok(ControllerUnpublishVolumeResponse {})
        })
        .await
    }

    async fn validate_volume_capabilities(
        &self,
        request: Request<ValidateVolumeCapabilitiesRequest>,
    ) -> Result<Response<ValidateVolumeCapabilitiesResponse>, Status> {
        self.answer("ValidateVolumeCapabilities", request, |session, message| {
            let asked = message.volume_capabilities.clone();
            let capabilities = request::capabilities(message.volume_capabilities)?;
            let volume =
                request::volume(session, &message.volume_id, message.volume_context.clone())?;
            match session.validate_volume(&volume.id, &volume.context, &capabilities) {
                Ok(()) => Ok(ValidateVolumeCapabilitiesResponse {
                    confirmed: Some(validate_volume_capabilities_response::Confirmed {
                        volume_context: message.volume_context,
                        volume_capabilities: asked,
                        parameters: message.parameters,
                        mutable_parameters: message.mutable_parameters,
                    }),
                    message: String::new(),
                }),
                // Not an error here: the answer to the question is no, and this is why.
                Err(error) if error.condition() == Condition::Unsupported => {
                    Ok(ValidateVolumeCapabilitiesResponse {
                        confirmed: None,
                        message: error.chain(),
                    })
                }
                Err(error) => Err(error),
            }
        })
        .await
    }

    async fn list_volumes(
        &self,
        request: Request<ListVolumesRequest>,
    ) -> Result<Response<ListVolumesResponse>, Status> {
        self.answer("ListVolumes", request, |session, message| {
            let (max, from) = request::page(message.max_entries, message.starting_token)?;
            let page = session.list_volumes(max, from.as_ref())?;
            let entry = |mut info: crate::volume::VolumeInfo| list_volumes_response::Entry {
                status: Some(list_volumes_response::VolumeStatus {
                    published_node_ids: response::nodes(std::mem::take(&mut info.nodes)),
                }),
                volume: Some(response::volume(info)),
            };
            Ok(ListVolumesResponse {
                entries: page.volumes.into_iter().map(entry).collect(),
                next_token: page.next.map(|token| token.0).unwrap_or_default(),
            })
        })
        .await
    }

    async fn get_capacity(
        &self,
        request: Request<GetCapacityRequest>,
    ) -> Result<Response<GetCapacityResponse>, Status> {
        self.answer("GetCapacity", request, |session, message| {
            let parameters =
                request::parameters(session, Scope::Creation, "parameters", message.parameters)?;
            let place = message.accessible_topology.map(request::topology);
            let bytes = session.available_capacity(&parameters, place.as_ref())?;
            Ok(GetCapacityResponse {
                available_capacity: response::signed(bytes),
                maximum_volume_size: None,
                minimum_volume_size: None,
            })
        })
        .await
    }

    async fn controller_get_capabilities(
        &self,
        request: Request<ControllerGetCapabilitiesRequest>,
    ) -> Result<Response<ControllerGetCapabilitiesResponse>, Status> {
        self.answer_now("ControllerGetCapabilities", request, |session| {
            Ok(ControllerGetCapabilitiesResponse {
                capabilities: capabilities::of_controller(session.capabilities()?),
            })
        })
    }

    async fn create_snapshot(
        &self,
        request: Request<CreateSnapshotRequest>,
    ) -> Result<Response<CreateSnapshotResponse>, Status> {
        self.answer("CreateSnapshot", request, |session, message| {
            let source = request::required("source_volume_id", &message.source_volume_id)?;
            request::no_places_of_snapshots(session, message.accessibility_requirements)?;
            let snapshot = session.create_snapshot(&CreateSnapshot {
                name: request::required("name", &message.name)?.to_owned(),
                source: VolumeId(source.to_owned()),
                parameters: request::parameters(
                    session,
                    Scope::Snapshot,
                    "parameters",
                    message.parameters,
                )?,
            })?;
            Ok(CreateSnapshotResponse {
                snapshot: Some(response::snapshot(snapshot)),
            })
        })
        .await
    }

    async fn delete_snapshot(
        &self,
        request: Request<DeleteSnapshotRequest>,
    ) -> Result<Response<DeleteSnapshotResponse>, Status> {
        self.answer("DeleteSnapshot", request, |session, message| {
            session.delete_snapshot(&request::snapshot_id(&message.snapshot_id)?)?;
            Ok(DeleteSnapshotResponse {})
        })
        .await
    }

    async fn list_snapshots(
        &self,
        request: Request<ListSnapshotsRequest>,
    ) -> Result<Response<ListSnapshotsResponse>, Status> {
        self.answer("ListSnapshots", request, |session, message| {
            let (max, from) = request::page(message.max_entries, message.starting_token)?;
            let given = |id: String| (!id.is_empty()).then_some(id);
            let filter = SnapshotFilter {
                snapshot: given(message.snapshot_id).map(SnapshotId),
                source: given(message.source_volume_id).map(VolumeId),
            };
            let page = session.list_snapshots(&filter, max, from.as_ref())?;
            let entry = |snapshot| list_snapshots_response::Entry {
                snapshot: Some(response::snapshot(snapshot)),
            };
            Ok(ListSnapshotsResponse {
                entries: page.snapshots.into_iter().map(entry).collect(),
                next_token: page.next.map(|token| token.0).unwrap_or_default(),
            })
        })
        .await
    }

    async fn get_snapshot(
        &self,
        request: Request<GetSnapshotRequest>,
    ) -> Result<Response<GetSnapshotResponse>, Status> {
        self.answer("GetSnapshot", request, |session, message| {
            let snapshot = session.get_snapshot(&request::snapshot_id(&message.snapshot_id)?)?;
            Ok(GetSnapshotResponse {
                snapshot: Some(response::snapshot(snapshot)),
            })
        })
        .await
    }

    /// The filesystem of a disk grows on its node afterwards; a raw device and a share have nothing to do
    /// there.
    async fn controller_expand_volume(
        &self,
        request: Request<ControllerExpandVolumeRequest>,
    ) -> Result<Response<ControllerExpandVolumeResponse>, Status> {
        self.answer("ControllerExpandVolume", request, |session, message| {
            let range = message
                .capacity_range
                .ok_or_else(|| DriverError::invalid_argument("the request lacks capacity_range"))?;
            let range = request::range(Some(range))?;
            let is_block = match message.volume_capability {
                None => false,
                given => request::capability(given)?.kind == AccessType::Block,
            };
            let volume = VolumeReference {
                key: request::key(&message.volume_id)?,
                id: request::volume_id(&message.volume_id)?,
                context: Parameters::default(),
            };
            let bytes = session.expand_volume(&volume, range)?;
            Ok(ControllerExpandVolumeResponse {
                capacity_bytes: response::signed(bytes),
                node_expansion_required: session.capabilities()?.local_filesystem() && !is_block,
            })
        })
        .await
    }

    async fn controller_get_volume(
        &self,
        request: Request<ControllerGetVolumeRequest>,
    ) -> Result<Response<ControllerGetVolumeResponse>, Status> {
        self.answer("ControllerGetVolume", request, |session, message| {
            let mut info = session.get_volume(&request::volume_id(&message.volume_id)?)?;
            Ok(ControllerGetVolumeResponse {
                status: Some(controller_get_volume_response::VolumeStatus {
                    published_node_ids: response::nodes(std::mem::take(&mut info.nodes)),
                }),
                volume: Some(response::volume(info)),
            })
        })
        .await
    }

    async fn controller_get_volume_health(
        &self,
        request: Request<ControllerGetVolumeHealthRequest>,
    ) -> Result<Response<ControllerGetVolumeHealthResponse>, Status> {
        self.answer("ControllerGetVolumeHealth", request, |session, message| {
            let id = request::volume_id(&message.volume_id)?;
            let conditions = session.volume_health(&id)?;
            Ok(ControllerGetVolumeHealthResponse {
                volume_health: Some(volume_health::of_volume(id.0, conditions)),
            })
        })
        .await
    }

    async fn controller_list_volume_health(
        &self,
        request: Request<ControllerListVolumeHealthRequest>,
    ) -> Result<Response<ControllerListVolumeHealthResponse>, Status> {
        self.answer("ControllerListVolumeHealth", request, |session, message| {
            let (max, from) = request::page(message.max_entries, message.starting_token)?;
            let page = session.list_volume_health(max, from.as_ref())?;
            Ok(volume_health::of_page(page))
        })
        .await
    }

    async fn controller_modify_volume(
        &self,
        request: Request<ControllerModifyVolumeRequest>,
    ) -> Result<Response<ControllerModifyVolumeResponse>, Status> {
        self.answer("ControllerModifyVolume", request, |session, message| {
            let id = request::volume_id(&message.volume_id)?;
            let parameters = request::parameters(
                session,
                Scope::Modification,
                "mutable_parameters",
                message.mutable_parameters,
            )?;
            session.modify_volume(&id, &parameters)?;
            Ok(ControllerModifyVolumeResponse {})
        })
        .await
    }
}
