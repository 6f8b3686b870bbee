//! The operations both front-ends call.
//!
//! Here is what every storage driver needs and none should write again: one operation at a time for each
//! volume, intent in the journal before anything happens, repeated calls answered from what is really
//! mounted, deadlines, and undoing by the version that did. No transport is in sight.

mod attach;
mod content;
mod expand;
mod parameters;
mod place;
mod publish;

use std::time::{Duration, Instant};

use crate::config::{DriverConfig, Paths};
use crate::error::DriverError;
use crate::grant::Capability;
use crate::journal::{Journal, JournalError, VolumeRecord, file_stem};
use crate::runtime::{Export, Manifest, Runtime};
use crate::sys::{Lock, LockError, SharedWorkers};
use crate::volume::{
    Access, AccessType, NodeId, Parameters, Secrets, StagingPath, TargetPath, VolumeId, VolumeKey,
};

/// How long an operation waits for another one on the same volume before it answers `in-progress`.
/// kubelet's own retries begin at half a second; two pods of one volume started together fit in easily.
const LOCK_WAIT: Duration = Duration::from_secs(10);

/// One driver on this machine.
#[derive(Debug)]
pub struct Driver {
    config: DriverConfig,
    paths: Paths,
    runtime: Runtime,
    journal: Journal,
}

/// What a driver can do, from what its component exports and imports: it cannot claim what it lacks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Capabilities {
    /// It attaches volumes to nodes.
    pub attach: bool,
    /// It grows volumes.
    pub expand: bool,
    /// Its volumes hold file systems of this node's own kernel, on block devices.
    pub local_filesystem: bool,
}

/// A volume, as the caller speaks of it.
#[derive(Debug, Clone)]
pub struct VolumeReference {
    /// Under which it is locked and journaled.
    pub key: VolumeKey,
    /// The backend's name of it.
    pub id: VolumeId,
    /// Its parameters.
    pub context: Parameters,
}

/// `publish_volume`: a volume for one pod.
#[derive(Debug)]
pub struct PublishVolume {
    /// Which.
    pub volume: VolumeReference,
    /// Where.
    pub target: TargetPath,
    /// Read-only or not.
    pub access: Access,
    /// Device or directory.
    pub kind: AccessType,
    /// For the host alone; no guest sees them.
    pub secrets: Secrets,
}

/// `stage_volume`: a volume for this node.
#[derive(Debug)]
pub struct StageVolume {
    /// Which.
    pub volume: VolumeReference,
    /// Where.
    pub staging: StagingPath,
    /// What attaching returned; what the journal knows if empty.
    pub publish_context: Parameters,
    /// Read-only or not.
    pub access: Access,
    /// Device or directory.
    pub kind: AccessType,
}

/// `attach_volume`: a volume tied to a node.
#[derive(Debug)]
pub struct AttachVolume {
    /// Which.
    pub volume: VolumeReference,
    /// To which node.
    pub node: NodeId,
    /// Read-only or not.
    pub access: Access,
}

impl Driver {
    /// With its configuration, on these paths.
    pub fn new(config: DriverConfig, paths: Paths) -> Self {
        let journal = Journal::new(paths.journal().join(&config.name.0));
        let runtime = Runtime::new(paths.clone());
        Self {
            config,
            paths,
            runtime,
            journal,
        }
    }

    /// What its component can do. Neither compiles nor goes anywhere: kubelet holds a lock over all
    /// plugins while it waits.
    ///
    /// # Errors
    /// Where there is no component, or it is not compiled yet.
    pub fn capabilities(&self) -> Result<Capabilities, DriverError> {
        self.runtime
            .manifest(&self.config)
            .map(|manifest| Capabilities::of(&manifest))
    }

    /// The same for any other operation: a component that is not compiled yet is compiled now.
    ///
    /// # Errors
    /// Where there is no component, or it cannot be compiled.
    pub fn prepared_capabilities(&self) -> Result<Capabilities, DriverError> {
        let deadline = Instant::now() + self.config.limits.deadline;
        self.runtime
            .prepared_manifest(&self.config, deadline)
            .map(|manifest| Capabilities::of(&manifest))
    }

    /// Which driver this is.
    pub fn config(&self) -> &DriverConfig {
        &self.config
    }

    fn begin(&self, key: &VolumeKey) -> Result<Operation, DriverError> {
        let span = tracing::Span::current();
        span.record("driver.name", self.config.name.0.as_str());
        span.record("volume.id", key.0.as_str());
        let started = Instant::now();
        let deadline = started + self.config.limits.deadline;
        let file = self
            .paths
            .locks()
            .join(&self.config.name.0)
            .join(format!("{}.lock", file_stem(key.0.as_bytes())));
        let lock =
            Lock::acquire(&file, deadline.min(started + LOCK_WAIT)).map_err(
                |error| match error {
                    error @ LockError::Held => {
                        DriverError::in_progress(format!("cannot work on volume {:?} now", key.0))
                            .caused_by(error)
                    }
                    error @ LockError::Io { .. } => {
                        DriverError::unavailable(format!("cannot work on volume {:?}", key.0))
                            .caused_by(error)
                    }
                },
            )?;
        let jobs = self.paths.state.join("jobs").join(&self.config.name.0);
        Ok(Operation {
            deadline,
            workers: SharedWorkers::new(lock, jobs),
        })
    }

    fn record(&self, volume: &VolumeReference) -> Result<VolumeRecord, DriverError> {
        let known = self.journal.load(&volume.key)?;
        Ok(known.unwrap_or_else(|| VolumeRecord::new(&volume.key, &volume.id, &volume.context)))
    }

    /// The parameters as the guest spells them; unknown and missing ones are named.
    fn checked(
        &self,
        manifest: &Manifest,
        volume: &VolumeReference,
    ) -> Result<Parameters, DriverError> {
        parameters::spelled(&manifest.description, &volume.context)
    }
}

/// One operation on one volume: the lock is in the workers, and lasts as long as any of them.
struct Operation {
    deadline: Instant,
    workers: SharedWorkers,
}

impl Capabilities {
    fn of(manifest: &Manifest) -> Self {
        Self {
            attach: manifest.exports(Export::Attachment),
            expand: manifest.exports(Export::Expansion),
            local_filesystem: manifest.imports(Capability::BlockDevices),
        }
    }
}

impl From<JournalError> for DriverError {
    fn from(error: JournalError) -> Self {
        let message =
            "cannot keep track of the volume; check space and permissions of the state directory";
        match error {
            JournalError::Unwritable { .. } | JournalError::Unreadable { .. } => {
                Self::unavailable(message).caused_by(error)
            }
            JournalError::Damaged { .. } => {
                Self::internal("cannot tell what was done to the volume").caused_by(error)
            }
        }
    }
}
