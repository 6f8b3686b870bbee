//! The operations both front-ends call.
//!
//! Here is what every storage driver needs and none should write again: one operation at a time for each
//! volume, intent in the journal before anything happens, repeated calls answered from what is really
//! mounted, deadlines, and undoing by the version that did. No transport is in sight.

mod access;
mod attach;
mod content;
mod defect;
mod expand;
mod figures;
mod group_snapshot;
mod mounted;
mod node;
mod on_mount;
mod parameters;
mod place;
mod provision;
mod publish;
mod snapshot;
mod staging;
mod stats;

use std::fmt;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use crate::config::{DriverConfig, Paths};
use crate::error::{DriverError, GuestText};
use crate::grant::Capability;
use crate::journal::{DetachedVolumes, Journal, JournalError, VolumeRecord, file_stem};
use crate::runtime::{DriverMemory, Guest, Manifest, Runtime};
use crate::sys::{
    self, Afterwards, Lock, LockError, MeasuringWorkers, NetworkWorkers, SharedWorkers, WorkSite,
    WorkerToll,
};
use crate::volume::{
    Access, AccessType, GroupSnapshotId, NodeId, Parameters, Secrets, SnapshotId, StagingPath,
    TargetPath, VolumeId, VolumeKey,
};

use mounted::Recognised;

pub use crate::runtime::{Export, Scope};
pub use crate::sys::{Measured, Room};
pub use access::StagedFor;
pub use expand::{ExpandOnNode, Growth, Whereabouts};
pub use figures::Figures;
pub use parameters::PROVISIONER_IDENTITY;
pub use publish::Emptied;

/// How long an operation waits for another one on the same volume before it answers `in-progress`.
/// kubelet's own retries begin at half a second; two pods of one volume started together fit in easily.
const LOCK_WAIT: Duration = Duration::from_secs(10);

/// One driver on this machine. Clones share everything but their patience.
#[derive(Debug, Clone)]
pub struct Driver {
    config: Arc<DriverConfig>,
    paths: Arc<Paths>,
    runtime: Arc<Runtime>,
    journal: Arc<Journal>,
    detached: Arc<DetachedVolumes>,
    network: NetworkWorkers,
    measuring: MeasuringWorkers,
    toll: WorkerToll,
    memory: DriverMemory,
    claimed: Arc<Mutex<Option<Claimed>>>,
    recognised: Arc<Recognised>,
    closed: Arc<OnceLock<()>>,
    patience: Patience,
}

/// What the component that was asked about last can do.
#[derive(Debug)]
struct Claimed {
    manifest: Arc<Manifest>,
    capabilities: Capabilities,
}

/// How long a caller waits.
#[derive(Debug, Clone, Copy)]
pub struct Patience {
    /// For the answer; the driver's own deadline counts where it comes sooner.
    pub answer: Option<Instant>,
    /// For another operation on the same volume, before the answer is `in-progress`.
    pub lock: Duration,
}

impl Default for Patience {
    /// Of callers that do not say.
    fn default() -> Self {
        Self {
            answer: None,
            lock: LOCK_WAIT,
        }
    }
}

/// What a driver can do, from what its component exports and imports: it cannot claim what it lacks. The
/// default is nothing at all.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Capabilities {
    /// One bit for each.
    exports: u16,
    local_filesystem: bool,
}

/// A component, as it calls itself and as its bytes are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Component {
    /// Its own name.
    pub name: GuestText,
    /// Its own version.
    pub version: GuestText,
    /// SHA-256, hex.
    pub sha256: String,
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
    /// Whether other targets may hold it meanwhile.
    pub sharing: Sharing,
    /// Where it was staged, if the caller says so; it is then published from nowhere else.
    pub staging: Option<StagingPath>,
    /// What attaching returned; what the journal knows if empty.
    pub publish_context: Parameters,
    /// Whose access that staging has.
    pub staged_for: StagedFor,
    /// For the host alone; no guest sees them.
    pub secrets: Secrets,
}

/// How many targets a volume may appear at on one node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sharing {
    /// One.
    OneTarget,
    /// Any number.
    ManyTargets,
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
    /// Whose access that is.
    pub staged_for: StagedFor,
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
    /// How it is going to be used there, for callers that cannot mean the same attachment otherwise.
    pub kind: Option<AccessType>,
    /// Read-only or not.
    pub access: Access,
}

impl Driver {
    /// With its configuration, on these paths.
    pub fn new(config: DriverConfig, paths: Paths) -> Self {
        let journal = Arc::new(Journal::new(paths.journal().join(&config.name.0)));
        let runtime = Arc::new(Runtime::new(paths.clone()));
        let detached = Arc::new(DetachedVolumes::new(paths.detached().join(&config.name.0)));
        let toll = WorkerToll::default();
        let network = NetworkWorkers::new(paths.compiler(), toll.clone());
        let memory = DriverMemory::new(config.name.clone(), paths.run.clone());
        Self {
            config: Arc::new(config),
            paths: Arc::new(paths),
            runtime,
            journal,
            detached,
            network,
            measuring: MeasuringWorkers::new(toll.clone()),
            toll,
            memory,
            claimed: Arc::default(),
            recognised: Arc::default(),
            closed: Arc::default(),
            patience: Patience::default(),
        }
    }

    /// The same driver, for a caller with that patience.
    #[must_use]
    pub fn with_patience(&self, patience: Patience) -> Self {
        Self {
            patience,
            ..self.clone()
        }
    }

    /// The same driver, in a process that runs many calls at once: how many bytes all its guests may take.
    #[must_use]
    pub fn with_guests_within(self, bytes: usize) -> Self {
        let (name, run) = (self.config.name.clone(), self.paths.run.clone());
        Self {
            memory: DriverMemory::of_guests_within(bytes, name, run),
            ..self
        }
    }

    /// When a call that begins now has to be over.
    pub fn deadline(&self, now: Instant) -> Instant {
        let own = now + self.config.limits.deadline;
        self.patience.answer.map_or(own, |answer| answer.min(own))
    }

    /// What its component can do. Neither compiles nor goes anywhere: kubelet holds a lock over all
    /// plugins while it waits.
    ///
    /// # Errors
    /// Where there is no component, or it is not compiled yet.
    pub fn capabilities(&self) -> Result<Capabilities, DriverError> {
        self.runtime
            .manifest(&self.config)
            .map(|manifest| self.claimed_by(manifest))
    }

    /// Callers ask in each call, and names are long to read.
    fn claimed_by(&self, manifest: Arc<Manifest>) -> Capabilities {
        let mut claimed = self.claimed.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = claimed.as_ref()
            && Arc::ptr_eq(&known.manifest, &manifest)
        {
            return known.capabilities;
        }
        let capabilities = Capabilities::of(&manifest);
        *claimed = Some(Claimed {
            manifest,
            capabilities,
        });
        capabilities
    }

    /// The same for any other operation: a component that is not compiled yet is compiled now.
    ///
    /// # Errors
    /// Where there is no component, or it cannot be compiled.
    pub fn prepared_capabilities(&self) -> Result<Capabilities, DriverError> {
        let deadline = self.deadline(Instant::now());
        self.runtime
            .prepared_manifest(&self.config, deadline)
            .map(|manifest| self.claimed_by(manifest))
    }

    /// Which component serves now.
    ///
    /// # Errors
    /// As for [`Self::capabilities`].
    pub fn component(&self) -> Result<Component, DriverError> {
        let manifest = self.runtime.manifest(&self.config)?;
        Ok(Component {
            name: manifest.description.name.clone(),
            version: manifest.description.version.clone(),
            sha256: manifest.component_sha256.clone(),
        })
    }

    /// The version of the component that an operation of this process met last.
    pub fn last_version(&self) -> Option<GuestText> {
        let manifest = self.runtime.last_manifest()?;
        Some(manifest.description.version.clone())
    }

    /// Which driver this is.
    pub fn config(&self) -> &DriverConfig {
        &self.config
    }

    fn begin(&self, key: &VolumeKey) -> Result<Operation, DriverError> {
        self.begin_on(Subject::Volume(key))
    }

    fn begin_on(&self, subject: Subject<'_>) -> Result<Operation, DriverError> {
        let span = tracing::Span::current();
        span.record("driver.name", self.config.name.0.as_str());
        match subject {
            Subject::Volume(key) => span.record("volume.id", key.0.as_str()),
            Subject::NewVolume(name) => span.record("volume.name", name),
            Subject::Snapshot(id) => span.record("snapshot.id", id.0.as_str()),
            Subject::NewSnapshot(name) => span.record("snapshot.name", name),
            Subject::GroupSnapshot(id) => span.record("group.id", id.0.as_str()),
            Subject::NewGroupSnapshot(name) => span.record("group.name", name),
            Subject::Nothing => &span,
        };
        self.close_directories()?;
        let deadline = self.deadline(Instant::now());
        let lock = self.lock(subject, deadline)?;
        Ok(Operation {
            deadline,
            workers: SharedWorkers::new(lock, self.work_site(), self.network.clone()),
            memory: self.memory.clone(),
        })
    }

    /// Once a process: what others may have written is not believed, and not written through.
    fn close_directories(&self) -> Result<(), DriverError> {
        if self.closed.get().is_some() {
            return Ok(());
        }
        let unsafe_to_use = |error| {
            DriverError::failed_precondition("cannot rely on what the host keeps on this node")
                .caused_by(error)
                .of_process()
        };
        self.paths.close().map_err(unsafe_to_use)?;
        for directory in self.paths.trusted(&self.config.name) {
            sys::close_directory_beneath(&directory).map_err(unsafe_to_use)?;
        }
        let _ = self.closed.set(());
        Ok(())
    }

    /// For the workers of one call.
    fn work_site(&self) -> WorkSite {
        let name = &self.config.name.0;
        WorkSite::new(
            name,
            self.paths.jobs().join(name),
            self.paths.slots(),
            self.config.limits.jobs,
            self.config.limits.workers,
        )
    }

    /// Keeps others from working on a volume, beside the one that an operation is about.
    fn hold(&self, key: &VolumeKey, deadline: Instant) -> Result<Lock, DriverError> {
        self.lock(Subject::Volume(key), deadline)
    }

    fn lock(&self, subject: Subject<'_>, deadline: Instant) -> Result<Lock, DriverError> {
        let patience = deadline.min(Instant::now() + self.patience.lock);
        self.lock_file(subject, patience)
            .map_err(|error| match error {
                error @ LockError::Held => {
                    DriverError::in_progress(format!("cannot work on {subject} now"))
                        .caused_by(error)
                }
                error @ LockError::Io { .. } => {
                    DriverError::unavailable(format!("cannot work on {subject}")).caused_by(error)
                }
            })
    }

    /// The file of a volume's lock stays while the journal has the volume; of what comes and goes in one call,
    /// nothing stays.
    fn lock_file(&self, subject: Subject<'_>, deadline: Instant) -> Result<Lock, LockError> {
        let file = |prefix: &str, name: &str| {
            self.paths
                .locks()
                .join(&self.config.name.0)
                .join(format!("{prefix}{}.lock", file_stem(name.as_bytes())))
        };
        let passing = |prefix: &str, name: &str| {
            let lock = Lock::acquire(&file(prefix, name), deadline)?;
            Ok(lock.and(Afterwards::Goes))
        };
        match subject {
            Subject::Volume(key) => {
                let lock = Lock::acquire(&file("", &key.0), deadline)?;
                let record = self.journal.record_file(key);
                Ok(lock.and(Afterwards::StaysWith(record)))
            }
            Subject::NewVolume(name) => passing("new-volume-", name),
            Subject::Snapshot(id) => passing("snapshot-", &id.0),
            Subject::NewSnapshot(name) => passing("new-snapshot-", name),
            Subject::GroupSnapshot(id) => passing("group-snapshot-", &id.0),
            Subject::NewGroupSnapshot(name) => passing("new-group-snapshot-", name),
            Subject::Nothing => Lock::share(&file("readers-", "")),
        }
    }

    /// The current guest, for what only some components can do.
    fn guest_with(
        &self,
        operation: &Operation,
        export: Export,
        doing: &str,
    ) -> Result<Arc<Guest>, DriverError> {
        let guest = self
            .runtime
            .current_guest(&self.config, operation.deadline)?;
        self.require(&guest, export, doing)?;
        Ok(guest)
    }

    /// `unsupported` where the component cannot do that.
    fn require(&self, guest: &Guest, export: Export, doing: &str) -> Result<(), DriverError> {
        if guest.manifest.exports(export) {
            return Ok(());
        }
        Err(DriverError::unsupported(format!(
            "driver {} cannot {doing}: its component does not export {}",
            self.config.name,
            export.name()
        )))
    }

    /// Whether the driver's component describes that parameter.
    ///
    /// # Errors
    /// As for [`Self::capabilities`].
    pub fn knows(&self, scope: Scope, key: &str) -> Result<bool, DriverError> {
        let manifest = self.runtime.manifest(&self.config)?;
        Ok(manifest.description.spelling(scope, key).is_some())
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
        parameters::spelled(&manifest.description, Scope::Volume, &volume.context)
    }

    /// The same for parameters of another scope.
    fn spelled(
        &self,
        guest: &Guest,
        scope: Scope,
        given: &Parameters,
    ) -> Result<Parameters, DriverError> {
        parameters::spelled(&guest.manifest.description, scope, given)
    }
}

/// One operation on one volume: the lock is in the workers, and lasts as long as any of them.
struct Operation {
    deadline: Instant,
    workers: SharedWorkers,
    memory: DriverMemory,
}

/// What an operation changes, and is locked under.
#[derive(Debug, Clone, Copy)]
enum Subject<'a> {
    /// A volume that exists.
    Volume(&'a VolumeKey),
    /// One that is being made, by its name.
    NewVolume(&'a str),
    /// A snapshot that exists.
    Snapshot(&'a SnapshotId),
    /// One that is being cut, by its name.
    NewSnapshot(&'a str),
    /// A group of snapshots that exists.
    GroupSnapshot(&'a GroupSnapshotId),
    /// One that is being cut, by its name.
    NewGroupSnapshot(&'a str),
    /// Nothing is changed: such operations wait for nobody, and nobody for them.
    Nothing,
}

impl fmt::Display for Subject<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Volume(key) => write!(f, "volume {:?}", key.0),
            Self::NewVolume(name) => write!(f, "the volume named {name:?}"),
            Self::Snapshot(id) => write!(f, "snapshot {:?}", id.0),
            Self::NewSnapshot(name) => write!(f, "the snapshot named {name:?}"),
            Self::GroupSnapshot(id) => write!(f, "group snapshot {:?}", id.0),
            Self::NewGroupSnapshot(name) => write!(f, "the group snapshot named {name:?}"),
            Self::Nothing => write!(f, "anything"),
        }
    }
}

impl Capabilities {
    fn of(manifest: &Manifest) -> Self {
        Self {
            local_filesystem: manifest.imports(Capability::BlockDevices),
            ..manifest.exported().fold(Self::default(), Self::with)
        }
    }

    /// The same, and that interface too.
    #[must_use]
    pub fn with(self, export: Export) -> Self {
        Self {
            exports: self.exports | bit(export),
            ..self
        }
    }

    /// Whether it has the operations of that interface; those of every other answer `unsupported`.
    pub fn exports(&self, export: Export) -> bool {
        self.exports & bit(export) != 0
    }

    /// Whether volumes are staged: put in place once for the node, and from there bound to each pod. Where they
    /// are not, publishing is all there is. Those that are attached to a node are staged on it.
    pub fn stages(&self) -> bool {
        self.exports(Export::Attachment)
    }

    /// Whether its volumes hold file systems of this node's own kernel, on block devices.
    pub fn local_filesystem(&self) -> bool {
        self.local_filesystem
    }
}

fn bit(export: Export) -> u16 {
    1 << export as u16
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_export_is_claimed_for_itself_alone() {
        for export in Export::ALL {
            let capabilities = Capabilities::default().with(export);
            for other in Export::ALL {
                assert_eq!(capabilities.exports(other), other == export, "{other:?}");
            }
        }
    }

    #[test]
    fn volumes_that_are_attached_are_staged() {
        let share = Capabilities::default().with(Export::Node);
        assert!(!share.stages());
        assert!(share.with(Export::Attachment).stages());
    }
}
