//! Who carries operations out: a driver on this node, or a dry run of one.

use drivebay::driver::{
    AttachVolume, ExpandOnNode, ExpandOutcome, PublishVolume, Session, StageVolume, TargetCleanup,
    VolumeReference,
};
use drivebay::error::DriverError;
use drivebay::volume::{
    CapacityRange, CreateVolume, NodeId, Parameters, StagingPath, TargetPath, VolumeId, VolumeInfo,
    VolumeKey,
};

/// One call, whichever it is. Those that change what is mounted, attached or there; all others are the session's.
#[derive(Debug)]
pub(in crate::commands) struct Caller<'a>(pub(in crate::commands) &'a Session);

impl Caller<'_> {
    pub(in crate::commands) fn create_volume(
        &self,
        request: &CreateVolume,
    ) -> Result<VolumeInfo, DriverError> {
        match self.0.rehearsal() {
            Some(rehearsal) => rehearsal.create_volume(request),
            None => self.0.create_volume(request),
        }
    }

    pub(in crate::commands) fn delete_volume(&self, id: &VolumeId) -> Result<(), DriverError> {
        match self.0.rehearsal() {
            Some(rehearsal) => rehearsal.delete_volume(id),
            None => self.0.delete_volume(id),
        }
    }

    pub(in crate::commands) fn expand_volume(
        &self,
        volume: &VolumeReference,
        capacity: CapacityRange,
    ) -> Result<u64, DriverError> {
        match self.0.rehearsal() {
            Some(rehearsal) => rehearsal.expand_volume(volume, capacity),
            None => self.0.expand_volume(volume, capacity),
        }
    }

    pub(in crate::commands) fn attach_volume(
        &self,
        request: &AttachVolume,
    ) -> Result<Parameters, DriverError> {
        match self.0.rehearsal() {
            Some(rehearsal) => rehearsal.attach_volume(request),
            None => self.0.attach_volume(request),
        }
    }

    pub(in crate::commands) fn detach_volume(
        &self,
        key: &VolumeKey,
        node: &NodeId,
    ) -> Result<(), DriverError> {
        match self.0.rehearsal() {
            Some(rehearsal) => rehearsal.detach_volume(key, node),
            None => self.0.detach_volume(key, node),
        }
    }

    pub(in crate::commands) fn stage_volume(
        &self,
        request: &StageVolume,
    ) -> Result<(), DriverError> {
        match self.0.rehearsal() {
            Some(rehearsal) => rehearsal.stage_volume(request),
            None => self.0.stage_volume(request),
        }
    }

    pub(in crate::commands) fn unstage_volume(
        &self,
        staging: &StagingPath,
    ) -> Result<(), DriverError> {
        match self.0.rehearsal() {
            Some(rehearsal) => {
                rehearsal.unstage_volume(staging);
                Ok(())
            }
            None => self.0.unstage_volume(staging, None),
        }
    }

    pub(in crate::commands) fn publish_volume(
        &self,
        request: &PublishVolume,
    ) -> Result<(), DriverError> {
        match self.0.rehearsal() {
            Some(rehearsal) => rehearsal.publish_volume(request),
            None => self.0.publish_volume(request),
        }
    }

    pub(in crate::commands) fn unpublish_volume(
        &self,
        target: &TargetPath,
    ) -> Result<(), DriverError> {
        match self.0.rehearsal() {
            Some(rehearsal) => {
                rehearsal.unpublish_volume(target);
                Ok(())
            }
            None => self.0.unpublish_volume(target, TargetCleanup::Remove),
        }
    }

    pub(in crate::commands) fn expand_on_node(
        &self,
        request: &ExpandOnNode,
    ) -> Result<ExpandOutcome, DriverError> {
        match self.0.rehearsal() {
            Some(rehearsal) => rehearsal.expand_on_node(request),
            None => self.0.expand_on_node(request),
        }
    }
}
