//! `attachment`: a volume is tied to a node.

use super::convert::{volume, wit_access};
use super::{CallSetup, Guest};
use crate::bindings::exports::drivebay::driver as exports;
use crate::error::DriverError;
use crate::volume::{Access, NodeId, Parameters, VolumeId};

/// A volume and a node.
#[derive(Debug)]
pub struct AttachRequest<'a> {
    /// The backend's name of the volume.
    pub id: &'a VolumeId,
    /// The volume's parameters.
    pub context: &'a Parameters,
    /// What attaching returned, where it happened already.
    pub publish_context: &'a Parameters,
    /// The node, by the backend's name of it.
    pub node: &'a NodeId,
}

impl Guest {
    /// `attachment.attach-volume`
    pub fn attach_volume(
        &self,
        setup: CallSetup,
        request: &AttachRequest<'_>,
        access: Access,
    ) -> Result<Parameters, DriverError> {
        let volume = volume(request.id, request.context, request.publish_context);
        let attached = self.call(setup, "attach-volume", |store, instance| {
            let attachment =
                exports::attachment::GuestIndices::new(&self.ready)?.load(&mut *store, instance)?;
            attachment.call_attach_volume(&mut *store, &volume, &request.node.0, wit_access(access))
        })?;
        self.answered("attachment.attach-volume")
            .publish_context(attached)
    }

    /// `attachment.detach-volume`
    pub fn detach_volume(
        &self,
        setup: CallSetup,
        request: &AttachRequest<'_>,
    ) -> Result<(), DriverError> {
        let volume = volume(request.id, request.context, request.publish_context);
        self.call(setup, "detach-volume", |store, instance| {
            let attachment =
                exports::attachment::GuestIndices::new(&self.ready)?.load(&mut *store, instance)?;
            attachment.call_detach_volume(&mut *store, &volume, &request.node.0)
        })
    }

    /// `attachment.is-attached`
    pub fn is_attached(
        &self,
        setup: CallSetup,
        request: &AttachRequest<'_>,
    ) -> Result<bool, DriverError> {
        let volume = volume(request.id, request.context, request.publish_context);
        self.call(setup, "is-attached", |store, instance| {
            let attachment =
                exports::attachment::GuestIndices::new(&self.ready)?.load(&mut *store, instance)?;
            attachment.call_is_attached(&mut *store, &volume, &request.node.0)
        })
    }
}
