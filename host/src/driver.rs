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
//! session, guest          one call, by one version of the component; capabilities: what that can do
//! answering, by_hand      who answers what its guest asks; what differs where a person runs a component
//! rehearsal               operations of a dry run
//! operation, request      what is done under the lock of what it changes; what callers ask
//! provision, expand       volumes come, grow and go; filesystem: what nobody could mount is refused before
//! snapshot, group_snapshot
//! attach, attach_on_mount to a node: asked for by itself, or because a pod mounts
//! attach_limit            how many volumes a node can have
//! stage_publish, staging_* stage, publish and their inverses; the staging that pods share
//! repeat                  what a repeated call finds done already
//! mount, unmount          at one path; mount_spec, mount_source, mount_state: what, from where, what is there
//! mount_rules             what may be mounted where, repeated mounts, read-only after writable
//! mount_table             what the kernel shows
//! stale_mount             a mount that is no longer what was mounted
//! volume_health, storage_health, health_conditions
//!                         what is wrong with a volume, and with what is behind all of them
//! ```

mod answering;
mod attach;
mod attach_limit;
mod attach_on_mount;
#[cfg(feature = "compiler")]
mod by_hand;
mod capabilities;
mod driver_stats;
mod expand;
mod filesystem;
mod group_snapshot;
mod guest;
mod health_conditions;
mod kubernetes_words;
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
mod privileges;
mod provision;
#[cfg(feature = "compiler")]
mod rehearsal;
mod repeat;
mod request;
mod response;
#[cfg(feature = "compiler")]
mod self_test;
mod session;
mod snapshot;
mod stage_publish;
mod staging_access;
mod staging_check;
mod staging_path;
mod stale_mount;
mod storage_health;
mod unmount;
mod version_stats;
mod versions_in_use;
mod volume_health;
mod volume_stats;

use std::sync::{Arc, Mutex, Once, OnceLock};

use crate::broker::DriverState;
use crate::config::{DriverConfig, Paths, StateError};
use crate::error::DriverError;
use crate::journal::{DetachedVolumes, Journal};
use crate::runtime::{GuestTime, Runtime};
use crate::store::ActiveVersions;
use crate::sys::Looks;
use crate::worker::client::{MeasuringWorkers, NetworkWorkers, WorkerCounters};

use answering::Answering;
use mount_cache::MountCache;
use session::Shared;

#[cfg(feature = "compiler")]
pub use crate::broker::{Backend, MADE_UP_TOKEN, Servers};
pub use crate::store::{Export, Scope, or_activated};
pub use crate::worker::{Measured, Room};
pub use attach_limit::AttachLimit;
#[cfg(feature = "compiler")]
pub use by_hand::{ByHand, DryRun, DryRunGrants, Exchange, Listener, tape_head};
pub use capabilities::Capabilities;
pub use driver_stats::DriverStats;
pub use kubernetes_words::is_about_the_pod;
pub use privileges::{Work, check_privileges, missing_programs};
#[cfg(feature = "compiler")]
pub use rehearsal::Rehearsal;
pub use request::{
    AttachVolume, ExpandOnNode, PublishVolume, Sharing, StageVolume, StagedFor, TargetCleanup,
    VolumeLocation, VolumeReference,
};
pub use response::{Component, ExpandOutcome};
#[cfg(feature = "compiler")]
pub use self_test::SELF_TEST;
pub use session::{CallTimeouts, Session};
pub use version_stats::{DecidedVersions, VersionStats};
pub use versions_in_use::{versions_in_use, versions_in_use_by};

/// Whether a driver can be called.
#[derive(Debug)]
pub enum Readiness {
    /// It can.
    Ready,
    /// There is no compiled component that may serve, which can change with the next moment.
    NotYet(DriverError),
    /// This process may not do what the driver does, as long as it lives.
    Unable(DriverError),
}

/// One driver on this machine. Clones share everything.
#[derive(Debug, Clone)]
pub struct Driver {
    shared: Arc<Shared>,
    state: DriverState,
}

impl Driver {
    /// With its configuration, on these paths, whose state is this host's to use ([`Paths::check_state`]).
    pub fn new(config: DriverConfig, paths: Paths) -> Self {
        Self::answered_by(Answering::default(), config, paths)
    }

    /// The same for a component that a person runs by hand.
    #[cfg(feature = "compiler")]
    pub fn by_hand(config: DriverConfig, paths: Paths, by_hand: ByHand) -> Self {
        Self::answered_by(by_hand.into(), config, paths)
    }

    fn answered_by(answering: Answering, config: DriverConfig, paths: Paths) -> Self {
        let name = &config.name;
        let worker_counters = WorkerCounters::default();
        let state = DriverState::new(name.clone(), paths.run.clone());
        let shared = Shared {
            runtime: Runtime::new(paths.clone(), answering.traces()),
            answering,
            journal: Journal::new(paths.journal().join(&name.0)),
            detached: DetachedVolumes::new(paths.detached().join(&name.0)),
            network: NetworkWorkers::new(paths.compiler(), worker_counters.clone()),
            measuring: MeasuringWorkers::new(worker_counters.clone()),
            worker_counters,
            guest_time: GuestTime::default(),
            capabilities: Mutex::default(),
            mount_cache: MountCache::default(),
            looks: Looks::default(),
            closed: OnceLock::new(),
            unable: OnceLock::new(),
            told_useless_limits: Once::new(),
            versions: ActiveVersions::new(paths.clone(), Arc::new(config)),
            paths,
        };
        Self {
            shared: Arc::new(shared),
            state,
        }
    }

    /// One call of it, by the version that serves now.
    pub fn session(&self) -> Session {
        self.session_within(CallTimeouts::default())
    }

    /// The same for a caller with those timeouts.
    pub fn session_within(&self, timeouts: CallTimeouts) -> Session {
        Session::new(Arc::clone(&self.shared), self.state.clone(), timeouts)
    }

    /// The same driver, in a process that runs many calls at once: how many bytes all its guests may take.
    #[must_use]
    pub fn with_guests_within(self, bytes: usize) -> Self {
        let (name, run) = (self.config().name.clone(), self.shared.paths.run.clone());
        Self {
            state: DriverState::of_guests_within(bytes, name, run),
            ..self
        }
    }

    /// What its work has cost by now.
    pub fn stats(&self) -> DriverStats {
        let stats = self.shared.worker_counters.stats();
        DriverStats {
            guest: self.shared.guest_time.total(),
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

    /// Whether this process may do what the driver's file grants, for callers of that kind. What is found counts from
    /// now on for [`Self::readiness`].
    ///
    /// # Errors
    /// `failed-precondition` with what is missing.
    pub fn check_privileges(&self, work: Work) -> Result<(), DriverError> {
        check_privileges(self.config(), work).inspect_err(|error| {
            let _ = self.shared.unable.set(error.to_string());
        })
    }

    /// Whether calls can be answered now. Neither compiles nor waits.
    pub fn readiness(&self) -> Readiness {
        if let Some(reason) = self.shared.unable.get() {
            return Readiness::Unable(DriverError::failed_precondition(reason.clone()));
        }
        match self.session().capabilities() {
            Ok(_) => Readiness::Ready,
            Err(error) => Readiness::NotYet(error),
        }
    }

    /// Whether the state of this node is still for this host to use, after another one may have been here.
    ///
    /// # Errors
    /// Of a later host.
    pub fn check_state(&self) -> Result<(), StateError> {
        self.shared.paths.check_state()
    }

    /// The versions that this process has loaded, whatever lies on the disk by now.
    pub fn loaded(&self) -> Vec<Component> {
        let loaded = self.shared.runtime.loaded_versions();
        loaded
            .iter()
            .map(|manifest| manifest.as_ref().into())
            .collect()
    }

    /// What became of the versions that were offered on this node, as it was written down last.
    pub fn version_stats(&self) -> VersionStats {
        VersionStats::read(&self.shared.paths, &self.config().name)
    }

    /// As its file in drivers.d was when the process read it.
    pub fn config(&self) -> &DriverConfig {
        self.shared.versions.configured()
    }
}
