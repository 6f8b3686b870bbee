//! `node_info` and `node_health`: what a guest says of this node.

use super::attach_limit::AttachLimit;
use super::lock::LockScope;
use super::operation::Operation;
use super::parameters::validate_partial;
use super::request::VolumeReference;
use super::session::Session;
use crate::error::DriverError;
use crate::store::{Export, Scope};
use crate::sys;
use crate::volume::{Health, NodeId, NodeInfo};

impl Session {
    /// What this node can hold, and where it is if that matters: three exports, one answer. The operator's limit counts
    /// where the backend has one.
    pub fn node_info(&self, given: Option<AttachLimit>) -> Result<NodeInfo, DriverError> {
        let operation = self.begin_on(LockScope::ReadOnly)?;
        let guest = self.guest_with(&operation, Export::Node, "describe this node")?;
        let mut info = guest.get_info(operation.setup())?;
        if guest.manifest.exports(Export::Accessibility) {
            info.place = guest.get_topology(operation.setup())?;
        }
        if let Some(limit) = self.attach_limit(&guest, &operation, given)? {
            info.max_volumes = limit;
        }
        Ok(info)
    }

    /// How a volume is doing, seen from this node. Waits for no other operation: a volume that hangs is the
    /// one that is asked about.
    pub fn node_health(&self, volume: &VolumeReference) -> Result<Health, DriverError> {
        let operation = self.begin_on(LockScope::ReadOnly)?;
        let guest = self.guest_with(&operation, Export::Node, "report the health of volumes")?;
        let record = self.record(volume)?;
        // CSI asks by the id alone; with what the volume was mounted, the journal knows.
        let context = match volume.context.pairs() {
            [] => record.context(),
            _ => volume.context.clone(),
        };
        let context = validate_partial(&guest.manifest.description, Scope::Volume, &context)?;
        let publish_context = record.publish_context(None);
        guest.get_health(operation.setup(), &volume.id, &context, &publish_context)
    }

    /// The backend's name of this node; the cluster's where it has none of its own.
    pub(super) fn this_node(&self, operation: &Operation) -> Result<NodeId, DriverError> {
        let guest = self.guest_with(operation, Export::Node, "describe this node")?;
        if let Some(id) = guest.get_info(operation.setup())?.id {
            return Ok(id);
        }
        // kubelet registers its node under the host's name in lower case, unless it was told another.
        sys::host_name()
            .map(|name| NodeId(name.to_lowercase()))
            .map_err(|error| {
                DriverError::unavailable("cannot read the name of this node").caused_by(error)
            })
    }
}
