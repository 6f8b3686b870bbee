//! `node`: what happens where the pod runs.

use wasmtime::component::Resource;

use super::convert::{volume, wit_access, wit_use};
use super::{CallSetup, Guest};
use crate::bindings::drivebay::driver::mounts::Target;
use crate::bindings::exports::drivebay::driver as exports;
use crate::broker::TargetHandle;
use crate::error::{DriverError, GuestText};
use crate::volume::{Access, AccessType, Health, NodeInfo, Parameters, Topology, VolumeId};

/// A volume, how it is used, and the target that it belongs at.
#[derive(Debug)]
pub struct StageRequest<'a> {
    /// The backend's name of it.
    pub id: &'a VolumeId,
    /// The volume's parameters.
    pub context: &'a Parameters,
    /// What attaching returned.
    pub publish_context: &'a Parameters,
    /// Whether its pods may write.
    pub access: Access,
    /// How it appears in a pod.
    pub kind: &'a AccessType,
    /// Lent by the call's broker, which knows where it is and what for.
    pub(crate) target: TargetHandle,
}

impl Guest {
    /// `node.stage-volume`
    pub fn stage_volume(
        &self,
        setup: CallSetup,
        request: &StageRequest<'_>,
    ) -> Result<(), DriverError> {
        let (access, kind) = wit_use(request.access, request.kind);
        let target = request.target.0;
        let arguments = exports::node::StageRequest {
            volume: volume(request.id, request.context, request.publish_context),
            access: wit_access(access),
            kind,
        };
        self.call(setup, "stage-volume", |store, instance| {
            let node =
                exports::node::GuestIndices::new(&self.ready)?.load(&mut *store, instance)?;
            let lent: Resource<Target> = Resource::new_borrow(target);
            node.call_stage_volume(&mut *store, &arguments, lent)
        })
    }

    /// `node.get-info`; where the node is, `accessibility` tells.
    pub fn get_info(&self, setup: CallSetup) -> Result<NodeInfo, DriverError> {
        let said = self.call(setup, "get-info", |store, instance| {
            let node =
                exports::node::GuestIndices::new(&self.ready)?.load(&mut *store, instance)?;
            node.call_get_info(&mut *store)
        })?;
        let id = match said.id.is_empty() {
            true => None,
            false => Some(self.answered("node.get-info").node("id", said.id)?),
        };
        Ok(NodeInfo {
            id,
            place: Topology::default(),
            max_volumes: said.max_volumes,
        })
    }

    /// `node.get-health`
    pub fn get_health(
        &self,
        setup: CallSetup,
        id: &VolumeId,
        context: &Parameters,
        publish_context: &Parameters,
    ) -> Result<Health, DriverError> {
        let volume = volume(id, context, publish_context);
        let said = self.call(setup, "get-health", |store, instance| {
            let node =
                exports::node::GuestIndices::new(&self.ready)?.load(&mut *store, instance)?;
            node.call_get_health(&mut *store, &volume)
        })?;
        Ok(match said {
            exports::node::Health::Ok => Health::Ok,
            exports::node::Health::Degraded(reason) => {
                Health::Degraded(GuestText::sentence(&reason).into())
            }
            exports::node::Health::Inaccessible(reason) => {
                Health::Inaccessible(GuestText::sentence(&reason).into())
            }
        })
    }
}
