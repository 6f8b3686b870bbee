//! The operations both front-ends call.
//!
//! Here is what every storage driver needs and none should write again: one operation at a time for each
//! volume, intent in the journal before anything happens, repeated calls answered from what is really
//! mounted, deadlines, and undoing by the version that did. No transport is in sight.
//!
//! What a guest answers is an operation's error, and `unsupported` where the component lacks the export; an
//! operation's own documentation has what the host adds.
//!
//! ```text
//! operation, request      one call, under the lock of what it changes; what callers ask
//! component, capabilities which component serves, and what it can do
//! provision, expand       volumes come, grow and go
//! snapshot, group_snapshot
//! attach, attach_on_mount to a node: asked for by itself, or because a pod mounts
//! publish, staging        stage, publish and their inverses; the staging that pods share
//! mount, unmount          at one path; mount_spec, mount_source, mount_state: what, from where, what is there
//! mount_rules             what may be mounted where, repeated mounts, read-only after writable
//! mount_table             what the kernel shows
//! stale_mount             a mount that is no longer what was mounted
//! ```

mod attach;
mod attach_on_mount;
mod capabilities;
mod component;
mod driver_stats;
mod expand;
mod group_snapshot;
mod lock;
mod mount;
mod mount_cache;
mod mount_rules;
mod mount_source;
mod mount_spec;
mod mount_state;
mod mount_table;
mod mounted_volume;
mod node;
mod operation;
mod parameters;
mod provision;
mod request;
mod response;
mod snapshot;
mod stage_publish;
mod staging_access;
mod staging_check;
mod staging_path;
mod stale_mount;
mod unmount;
mod volume_stats;

use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, Instant};

use crate::config::{DriverConfig, Paths, StateError};
use crate::journal::{DetachedVolumes, Journal};
use crate::runtime::{DriverState, Runtime};
use crate::worker::client::{MeasuringWorkers, NetworkWorkers, WorkerCounters};

use capabilities::CachedCapabilities;
use mount_cache::MountCache;

pub use crate::runtime::{Export, Scope};
pub use crate::worker::{Measured, Room};
pub use capabilities::Capabilities;
pub use driver_stats::DriverStats;
pub use parameters::PROVISIONER_IDENTITY;
pub use request::{
    AttachVolume, ExpandOnNode, PublishVolume, Sharing, StageVolume, StagedFor, TargetCleanup,
    VolumeLocation, VolumeReference,
};
pub use response::{Component, ExpandOutcome};

/// How long an operation waits for another one on the same volume before it answers `in-progress`.
/// kubelet's own retries begin at half a second; two pods of one volume started together fit in easily.
const LOCK_WAIT: Duration = Duration::from_secs(10);

/// One driver on this machine. Clones share everything but their timeouts.
#[derive(Debug, Clone)]
pub struct Driver {
    config: Arc<DriverConfig>,
    paths: Arc<Paths>,
    runtime: Arc<Runtime>,
    journal: Arc<Journal>,
    detached: Arc<DetachedVolumes>,
    network: NetworkWorkers,
    measuring: MeasuringWorkers,
    worker_counters: WorkerCounters,
    state: DriverState,
    capabilities: Arc<Mutex<Option<CachedCapabilities>>>,
    mount_cache: Arc<MountCache>,
    closed: Arc<OnceLock<()>>,
    timeouts: CallTimeouts,
}

/// How long a caller waits.
#[derive(Debug, Clone, Copy)]
pub struct CallTimeouts {
    /// For the answer; the driver's own deadline counts where it comes sooner.
    pub answer: Option<Instant>,
    /// For another operation on the same volume, before the answer is `in-progress`.
    pub lock: Duration,
}

impl Default for CallTimeouts {
    /// Of callers that do not say.
    fn default() -> Self {
        Self {
            answer: None,
            lock: LOCK_WAIT,
        }
    }
}

impl Driver {
    /// With its configuration, on these paths, whose state is this host's to use ([`Paths::check_state`]).
    pub fn new(config: DriverConfig, paths: Paths) -> Self {
        let journal = Arc::new(Journal::new(paths.journal().join(&config.name.0)));
        let runtime = Arc::new(Runtime::new(paths.clone()));
        let detached = Arc::new(DetachedVolumes::new(paths.detached().join(&config.name.0)));
        let worker_counters = WorkerCounters::default();
        let network = NetworkWorkers::new(paths.compiler(), worker_counters.clone());
        let state = DriverState::new(config.name.clone(), paths.run.clone());
        Self {
            config: Arc::new(config),
            paths: Arc::new(paths),
            runtime,
            journal,
            detached,
            network,
            measuring: MeasuringWorkers::new(worker_counters.clone()),
            worker_counters,
            state,
            capabilities: Arc::default(),
            mount_cache: Arc::default(),
            closed: Arc::default(),
            timeouts: CallTimeouts::default(),
        }
    }

    /// The same driver, for a caller with those timeouts.
    #[must_use]
    pub fn with_timeouts(&self, timeouts: CallTimeouts) -> Self {
        Self {
            timeouts,
            ..self.clone()
        }
    }

    /// The same driver, in a process that runs many calls at once: how many bytes all its guests may take.
    #[must_use]
    pub fn with_guests_within(self, bytes: usize) -> Self {
        let (name, run) = (self.config.name.clone(), self.paths.run.clone());
        Self {
            state: DriverState::of_guests_within(bytes, name, run),
            ..self
        }
    }

    /// What its work has cost by now.
    pub fn stats(&self) -> DriverStats {
        let stats = self.worker_counters.stats();
        DriverStats {
            guest: self.state.guest_time(),
            host: stats.waited,
            workers_killed: vec![
                ("deadline", stats.killed_at_deadline),
                ("stuck", stats.killed_and_stuck),
                ("failure", stats.killed_after_failure),
            ],
            refusals: self
                .state
                .refusals()
                .map(|(capability, count)| (capability.name(), count))
                .collect(),
        }
    }

    /// When a call that begins now has to be over.
    pub fn deadline(&self, now: Instant) -> Instant {
        let own = now + self.config.limits.deadline;
        self.timeouts.answer.map_or(own, |answer| answer.min(own))
    }

    /// Whether the state of this node is still for this host to use, after another one may have been here.
    ///
    /// # Errors
    /// Of a later host.
    pub fn check_state(&self) -> Result<(), StateError> {
        self.paths.check_state()
    }

    /// Which driver this is.
    pub fn config(&self) -> &DriverConfig {
        &self.config
    }
}
