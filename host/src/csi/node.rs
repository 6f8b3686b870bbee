//! What happens where the pod runs.

use tonic::{Request, Response, Status};

use super::plugin::Service;
use super::proto::node_server::Node;
use super::proto::{
    NodeExpandVolumeRequest, NodeExpandVolumeResponse, NodeGetCapabilitiesRequest,
    NodeGetCapabilitiesResponse, NodeGetInfoRequest, NodeGetInfoResponse,
    NodeGetStorageHealthRequest, NodeGetStorageHealthResponse, NodeGetVolumeHealthRequest,
    NodeGetVolumeHealthResponse, NodeGetVolumeStatsRequest, NodeGetVolumeStatsResponse,
    NodePublishVolumeRequest, NodePublishVolumeResponse, NodeStageVolumeRequest,
    NodeStageVolumeResponse, NodeUnpublishVolumeRequest, NodeUnpublishVolumeResponse,
    NodeUnstageVolumeRequest, NodeUnstageVolumeResponse,
};
use super::{capabilities, request, response, volume_health};
use crate::driver::{
    ExpandOnNode, Measured, PublishVolume, Session, StageVolume, StagedFor, TargetCleanup,
    VolumeLocation,
};
use crate::error::{Condition, DriverError};
use crate::volume::{StagingPath, TargetPath, VolumeKey};

#[tonic::async_trait]
impl Node for Service {
    async fn node_stage_volume(
        &self,
        request: Request<NodeStageVolumeRequest>,
    ) -> Result<Response<NodeStageVolumeResponse>, Status> {
        let at_once = |session: &Session, wanted: &Staged| {
            let is_staged = session.is_staged(&wanted.request);
            Ok(is_staged.then_some(NodeStageVolumeResponse {}))
        };
        self.answer_fast_or_on_thread(
            "NodeStageVolume",
            request,
            |message| &message.volume_id,
            staged,
            at_once,
            |session, wanted| {
                let staged = session.stage_volume(&wanted.request);
                staged.map_err(|error| of_both(session, wanted.attached_by.as_deref(), error))?;
                Ok(NodeStageVolumeResponse {})
            },
        )
        .await
    }

    async fn node_unstage_volume(
        &self,
        request: Request<NodeUnstageVolumeRequest>,
    ) -> Result<Response<NodeUnstageVolumeResponse>, Status> {
        self.answer("NodeUnstageVolume", request, |session, message| {
            let volume = request::volume_id(&message.volume_id)?;
            let staging = request::staging(&message.staging_target_path)?;
            session.unstage_volume(&staging, Some(&volume))?;
            Ok(NodeUnstageVolumeResponse {})
        })
        .await
    }

    async fn node_publish_volume(
        &self,
        request: Request<NodePublishVolumeRequest>,
    ) -> Result<Response<NodePublishVolumeResponse>, Status> {
        let at_once = |session: &Session, wanted: &PublishVolume| {
            let is_published = session.is_published(wanted);
            Ok(is_published.then_some(NodePublishVolumeResponse {}))
        };
        self.answer_fast_or_on_thread(
            "NodePublishVolume",
            request,
            |message| &message.volume_id,
            published,
            at_once,
            |session, wanted| {
                session.publish_volume(wanted)?;
                Ok(NodePublishVolumeResponse {})
            },
        )
        .await
    }

    async fn node_unpublish_volume(
        &self,
        request: Request<NodeUnpublishVolumeRequest>,
    ) -> Result<Response<NodeUnpublishVolumeResponse>, Status> {
        self.answer("NodeUnpublishVolume", request, |session, message| {
            request::volume_id(&message.volume_id)?;
            let target = request::target(&message.target_path)?;
            session.unpublish_volume(&target, TargetCleanup::Remove)?;
            Ok(NodeUnpublishVolumeResponse {})
        })
        .await
    }

    async fn node_get_volume_stats(
        &self,
        request: Request<NodeGetVolumeStatsRequest>,
    ) -> Result<Response<NodeGetVolumeStatsResponse>, Status> {
        let at_once = |session: &Session, (key, at): &(VolumeKey, TargetPath)| {
            let measured = session.volume_stats_at_once(key, at.as_path())?;
            Ok(measured.map(stats))
        };
        self.answer_fast_or_on_thread(
            "NodeGetVolumeStats",
            request,
            |message| &message.volume_id,
            |_, message| {
                let key = request::key(&message.volume_id)?;
                Ok((key, request::volume_path(&message.volume_path)?))
            },
            at_once,
            |session, (key, at)| session.volume_stats(key, at.as_path()).map(stats),
        )
        .await
    }

    /// Also of a volume that could not be mounted: that is when it is asked.
    async fn node_get_volume_health(
        &self,
        request: Request<NodeGetVolumeHealthRequest>,
    ) -> Result<Response<NodeGetVolumeHealthResponse>, Status> {
        self.answer("NodeGetVolumeHealth", request, |session, message| {
            let key = request::key(&message.volume_id)?;
            let named =
                request::mount_paths(&message.staging_target_path, &message.volume_publish_path)?;
            let conditions = session.node_volume_health(&key, &named)?;
            Ok(NodeGetVolumeHealthResponse {
                volume_health: Some(volume_health::of_volume(key.0, conditions)),
            })
        })
        .await
    }

    async fn node_get_storage_health(
        &self,
        request: Request<NodeGetStorageHealthRequest>,
    ) -> Result<Response<NodeGetStorageHealthResponse>, Status> {
        self.answer("NodeGetStorageHealth", request, |session, _| {
            session.storage_health().map(volume_health::of_storage)
        })
        .await
    }

    async fn node_expand_volume(
        &self,
        request: Request<NodeExpandVolumeRequest>,
    ) -> Result<Response<NodeExpandVolumeResponse>, Status> {
        self.answer("NodeExpandVolume", request, |session, message| {
            let key = request::key(&message.volume_id)?;
            let at = request::volume_path(&message.volume_path)?;
            let range = request::range(message.capacity_range)?;
            let required_bytes = range.required_bytes.unwrap_or_default();
            session.expand_on_node(&ExpandOnNode {
                key,
                at: VolumeLocation::Certain(at.as_path().to_owned()),
                required_bytes,
            })?;
            Ok(NodeExpandVolumeResponse {
                capacity_bytes: response::signed(required_bytes),
            })
        })
        .await
    }

    async fn node_get_capabilities(
        &self,
        request: Request<NodeGetCapabilitiesRequest>,
    ) -> Result<Response<NodeGetCapabilitiesResponse>, Status> {
        self.answer_now("NodeGetCapabilities", request, |session| {
            Ok(NodeGetCapabilitiesResponse {
                capabilities: capabilities::of_node(session.capabilities()?),
            })
        })
    }

    async fn node_get_info(
        &self,
        request: Request<NodeGetInfoRequest>,
    ) -> Result<Response<NodeGetInfoResponse>, Status> {
        let (given, limit) = (self.0.node.clone(), self.0.attach_limit);
        self.answer("NodeGetInfo", request, move |session, _| {
            let info = session.node_info(limit)?;
            let node = info.id.or(given).ok_or_else(|| {
                DriverError::failed_precondition(
                    "the backend has no name for this node; give the cluster's by --node-id or NODE_ID",
                )
            })?;
            let has_place = !info.place.0.is_empty();
            Ok(NodeGetInfoResponse {
                node_id: node.0,
                max_volumes_per_node: i64::from(info.max_volumes),
                accessible_topology: has_place.then(|| response::topology(info.place)),
            })
        })
        .await
    }
}

/// What has to be staged, and by which version of the component it was attached.
struct Staged {
    request: StageVolume,
    attached_by: Option<String>,
}

fn staged(session: &Session, message: NodeStageVolumeRequest) -> Result<Staged, DriverError> {
    let attached_by = request::attached_by(&message.publish_context);
    match to_stage(session, message) {
        Ok(request) => Ok(Staged {
            request,
            attached_by,
        }),
        Err(error) => Err(of_both(session, attached_by.as_deref(), error)),
    }
}

fn to_stage(
    session: &Session,
    message: NodeStageVolumeRequest,
) -> Result<StageVolume, DriverError> {
    let volume = request::volume(session, &message.volume_id, message.volume_context)?;
    let staging = request::staging(&message.staging_target_path)?;
    let capability = request::capability(message.volume_capability)?;
    let (publish_context, is_read_only) = request::publish_context(message.publish_context);
    Ok(StageVolume {
        volume,
        staging,
        publish_context,
        access: request::access(capability.mode, is_read_only),
        staged_for: StagedFor::Everyone,
        kind: capability.kind,
    })
}

/// While controller and node have different versions, one may not know what the other means: whoever reads of it has to
/// know that.
fn of_both(session: &Session, attached_by: Option<&str>, error: DriverError) -> DriverError {
    let here = session.version().map(|version| version.as_str());
    let Some((there, here)) = attached_by.zip(here) else {
        return error;
    };
    if error.condition() != Condition::InvalidArgument || there == here {
        return error;
    }
    DriverError::failed_precondition(format!(
        "the volume was attached by version {there} of the component, and this node has {here}, which does not understand it; let the node take up the other version first"
    ))
    .caused_by(error)
}

/// What has to appear at which target.
fn published(
    session: &Session,
    message: NodePublishVolumeRequest,
) -> Result<PublishVolume, DriverError> {
    let volume = request::volume(session, &message.volume_id, message.volume_context)?;
    let target = request::target(&message.target_path)?;
    let capability = request::capability(message.volume_capability)?;
    let (publish_context, is_read_only) = request::publish_context(message.publish_context);
    Ok(PublishVolume {
        volume,
        target,
        access: request::access(capability.mode, message.readonly || is_read_only),
        sharing: request::sharing(capability.mode),
        staging: staged_at(session, &message.staging_target_path)?,
        publish_context,
        staged_for: StagedFor::Everyone,
        kind: capability.kind,
    })
}

fn stats(measured: Measured) -> NodeGetVolumeStatsResponse {
    NodeGetVolumeStatsResponse {
        usage: response::usage(measured),
    }
}

/// Where the caller says it staged the volume, for drivers that stage.
fn staged_at(session: &Session, path: &str) -> Result<Option<StagingPath>, DriverError> {
    if !session.capabilities()?.stages() {
        return Ok(None);
    }
    if path.is_empty() {
        return Err(DriverError::failed_precondition(
            "the request lacks staging_target_path, and this driver publishes from there",
        ));
    }
    request::staging(path).map(Some)
}
