//! Operations of a dry run: what is mounted and attached in the model, in the place of this node.
//!
//! What a guest is asked, and what is refused before it is, are those of every operation; of mounting only as much as a
//! guest can tell is done again here.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::mount_rules::refuse_unstaged;
use super::mount_spec::narrowed_access;
use super::operation::Operation;
use super::request::{AttachVolume, ExpandOnNode, PublishVolume, StageVolume, VolumeReference};
use super::response::ExpandOutcome;
use super::session::Session;
use super::staging_check::publish_context;
use super::staging_path::staged_device;
use crate::broker::{Backend, Grown, Model, NeedsAttaching, Purpose, Target};
use crate::error::DriverError;
use crate::runtime::{Guest, StageRequest};
use crate::store::Export;
use crate::volume::{
    Access, AccessType, CapacityRange, CreateVolume, NodeId, Parameters, StagingPath, TargetPath,
    VolumeId, VolumeInfo, VolumeKey,
};

/// A session whose driver has a model of a node.
#[derive(Debug, Clone, Copy)]
pub struct Rehearsal<'a> {
    session: &'a Session,
    model: &'a Model,
}

impl Session {
    /// None where there is a node.
    pub fn rehearsal(&self) -> Option<Rehearsal<'_>> {
        let model = self.shared.answering.model()?;
        Some(Rehearsal {
            session: self,
            model,
        })
    }
}

/// What is to be mounted, where, and how.
struct Wanted<'a> {
    volume: &'a VolumeReference,
    path: &'a Path,
    access: Access,
    kind: &'a AccessType,
    publish_context: Parameters,
}

impl Rehearsal<'_> {
    /// As [`Session::create_volume`].
    pub fn create_volume(&self, request: &CreateVolume) -> Result<VolumeInfo, DriverError> {
        let volume = self.session.create_volume(request)?;
        self.model.has_size(&volume.id.0, volume.capacity_bytes);
        Ok(volume)
    }

    /// As [`Session::delete_volume`].
    pub fn delete_volume(&self, id: &VolumeId) -> Result<(), DriverError> {
        if let Some(path) = self.model.mounted_where(&id.0) {
            return Err(DriverError::failed_precondition(format!(
                "cannot delete volume {:?}: it is mounted at {}",
                id.0,
                path.display()
            )));
        }
        self.session.delete_volume(id)?;
        self.model.forget(&id.0);
        Ok(())
    }

    /// As [`Session::attach_volume`].
    pub fn attach_volume(&self, request: &AttachVolume) -> Result<Parameters, DriverError> {
        let context = self.session.attach_volume(request)?;
        self.model.attach(&request.volume.id.0);
        Ok(context)
    }

    /// As [`Session::detach_volume`].
    pub fn detach_volume(&self, key: &VolumeKey, node: &NodeId) -> Result<(), DriverError> {
        self.session.detach_volume(key, node)?;
        self.model.detach(&key.0);
        Ok(())
    }

    /// As [`Session::expand_volume`].
    pub fn expand_volume(
        &self,
        volume: &VolumeReference,
        capacity: CapacityRange,
    ) -> Result<u64, DriverError> {
        let bytes = self.session.expand_volume(volume, capacity)?;
        self.model.has_size(&volume.id.0, bytes);
        Ok(bytes)
    }

    /// As [`Session::stage_volume`].
    pub fn stage_volume(&self, request: &StageVolume) -> Result<(), DriverError> {
        let operation = self.session.begin(&request.volume.key)?;
        let path = staged_at(&request.staging, &request.kind);
        let guest = self.session.node_guest(&operation)?;
        let record = self.session.record(&request.volume)?;
        let wanted = Wanted {
            volume: &request.volume,
            path: &path,
            access: request.access,
            kind: &request.kind,
            publish_context: publish_context(&record, &request.publish_context),
        };
        self.mount(&operation, &guest, &wanted)?;
        self.model.is_staging_of(&path, &request.volume.key.0);
        Ok(())
    }

    /// As [`Session::unstage_volume`].
    pub fn unstage_volume(&self, staging: &StagingPath) {
        self.model.unmount(&staged_device(staging.as_path()));
        self.model.unmount(staging.as_path());
    }

    /// As [`Session::publish_volume`].
    pub fn publish_volume(&self, request: &PublishVolume) -> Result<(), DriverError> {
        let operation = self.session.begin(&request.volume.key)?;
        let (key, path) = (&request.volume.key.0, request.target.as_path());
        let guest = self.session.node_guest(&operation)?;
        if self.is_there(path, &request.volume)? {
            return Ok(());
        }
        if let Some(staging) = self.model.staging_of(key) {
            let access = narrowed_access(request.access, &request.kind);
            self.model.bind(&staging, path, access);
        } else {
            refuse_unstaged(&guest, &request.volume)?;
            let wanted = Wanted {
                volume: &request.volume,
                path,
                access: request.access,
                kind: &request.kind,
                publish_context: Parameters::default(),
            };
            self.mount(&operation, &guest, &wanted)?;
        }
        self.model.is_target_of(path, key);
        Ok(())
    }

    /// As [`Session::unpublish_volume`].
    pub fn unpublish_volume(&self, target: &TargetPath) {
        self.model.unmount(target.as_path());
    }

    /// As [`Session::expand_on_node`].
    pub fn expand_on_node(&self, request: &ExpandOnNode) -> Result<ExpandOutcome, DriverError> {
        let without_disk = self.session.expand_on_node(request)?;
        match self
            .model
            .grow_mounted(&request.key.0, request.required_bytes)
        {
            Grown::Filesystem => Ok(ExpandOutcome::Filesystem),
            Grown::RawDevice => Ok(ExpandOutcome::Nothing),
            Grown::NotMounted => Ok(without_disk),
            Grown::TooSmall { bytes } => Err(DriverError::unavailable(format!(
                "the device of volume {:?} has {bytes} bytes, and must have {} first; try again",
                request.key.0, request.required_bytes
            ))),
        }
    }

    /// Whether what is behind the component answers from now on.
    pub fn set_backend(&self, backend: Backend) {
        self.model.set_backend(backend);
    }

    /// Lines that the tape of what servers answer lacked since this was asked last, each as it could be written.
    pub fn missing_lines(&self) -> Vec<String> {
        self.model.missing_lines()
    }

    /// In what the operation went another way than the tape says, if there is one. How it ended is told as a line of a
    /// tape.
    pub fn differences(&self, end: &str) -> Vec<String> {
        let replay = self.session.shared.answering.replay();
        replay.map_or_else(Vec::new, |replay| replay.differences(end))
    }

    /// What there is now, for the next operation.
    ///
    /// # Errors
    /// Where it cannot be written.
    pub fn keep(&self) -> io::Result<()> {
        self.model.keep()
    }

    /// Whether the volume is mounted there already.
    ///
    /// # Errors
    /// `already-exists` for anything else.
    fn is_there(&self, path: &Path, volume: &VolumeReference) -> Result<bool, DriverError> {
        match self.model.holds(path, &volume.key.0) {
            None => Ok(false),
            Some(true) => Ok(true),
            Some(false) => Err(DriverError::already_exists(format!(
                "{} already holds something else; unmount it first",
                path.display()
            ))),
        }
    }

    fn mount(
        &self,
        operation: &Operation,
        guest: &Arc<Guest>,
        wanted: &Wanted<'_>,
    ) -> Result<(), DriverError> {
        let Wanted { volume, path, .. } = wanted;
        if self.is_there(path, volume)? {
            return Ok(());
        }
        let context = self.session.volume_parameters(&guest.manifest, volume)?;
        let access = narrowed_access(wanted.access, wanted.kind);
        let (setup, target) = operation.setup_with(Target {
            path: path.to_path_buf(),
            access,
            mounted: None,
            purpose: Purpose::Mount,
        });
        let request = StageRequest {
            id: &volume.id,
            context: &context,
            publish_context: &wanted.publish_context,
            access,
            kind: wanted.kind,
            target,
        };
        let needs_attaching = match guest.manifest.exports(Export::Attachment) {
            true => NeedsAttaching::Yes,
            false => NeedsAttaching::No,
        };
        self.model.begin_staging(&volume.id.0, needs_attaching);
        let staged = guest.stage_volume(setup, &request);
        self.model.end_staging();
        if let Err(error) = staged {
            self.model.unmount(path);
            return Err(error);
        }
        let is_mounted = self.model.mount_at(path).is_some();
        match is_mounted || self.session.shared.answering.replay().is_some() {
            true => Ok(()),
            false => Err(DriverError::internal(format!(
                "guest {:?} said that volume {:?} is mounted, but nothing is mounted at {}",
                self.session.config().component,
                volume.id.0,
                path.display()
            ))
            .from_guest()),
        }
    }
}

fn staged_at(staging: &StagingPath, kind: &AccessType) -> PathBuf {
    match kind {
        AccessType::Block => staged_device(staging.as_path()),
        AccessType::Filesystem { .. } => staging.as_path().to_owned(),
    }
}
