//! The workers of one call: which of them carries out a request.

use std::sync::{Arc, Mutex};
use std::time::Instant;

use super::job;
use super::network::NetworkWorkers;
use super::process::{MountNamespace, Worker, is_for_the_network};
use super::worker_settings::{Purpose, WorkSite};
use crate::sys::Lock;
use crate::sys::byte_lock::ByteLocks;
use crate::worker::statfs;
use crate::worker::{DirectoryOrigin, Fault, FaultKind, Reply, Request, WorkerClient};

/// The workers of one call, started when first needed.
#[derive(Debug)]
struct Workers {
    site: WorkSite,
    network: NetworkWorkers,
    host: Option<Worker>,
    private: Option<Worker>,
    /// One for both of them: a call that kept one while it waited for another could wait for calls that do the same.
    slot: Option<Arc<ByteLocks>>,
    stuck: bool,
    /// Last, because its file may go where no worker holds it any more.
    lock: Lock,
}

impl Workers {
    fn new(lock: Lock, site: WorkSite, network: NetworkWorkers) -> Self {
        Self {
            site,
            network,
            host: None,
            private: None,
            slot: None,
            stuck: false,
            lock,
        }
    }

    fn worker(
        &mut self,
        namespace: MountNamespace,
        purpose: Purpose,
        deadline: Instant,
    ) -> Result<&mut Worker, Fault> {
        let worker = match namespace {
            MountNamespace::Host => &mut self.host,
            MountNamespace::Private => &mut self.private,
        };
        match worker {
            Some(worker) => Ok(worker),
            empty => {
                let slot = self.site.slot_of_call(&mut self.slot, purpose, deadline)?;
                Ok(empty.insert(Worker::start(namespace, &self.lock, slot)?))
            }
        }
    }

    fn forget(&mut self, namespace: MountNamespace) {
        match namespace {
            MountNamespace::Host => self.host = None,
            MountNamespace::Private => self.private = None,
        }
    }
}

impl WorkerClient for Workers {
    fn call(&mut self, request: Request, deadline: Instant) -> Result<Reply, Fault> {
        if job::is_job(&request) {
            return job::run(&self.site, &request, deadline);
        }
        if is_for_the_network(&request) {
            return self.network.call(&request, &purpose(&request), deadline);
        }
        let namespace = namespace_of(&request);
        let notes = self.site.notes.clone();
        let worker = self.worker(namespace, purpose_of(&request), deadline)?;
        match worker.ask(&request, &notes, deadline) {
            Ok(answer) => answer,
            Err(lost) => {
                // A worker that did not answer is not asked again; the next request gets a fresh one.
                let fault = worker.end(lost, &purpose(&request));
                self.network.counters().killed(&fault);
                tracing::warn!(%fault, "a worker was given up");
                self.forget(namespace);
                if fault.kind == FaultKind::Stuck {
                    self.stuck = true;
                    // That worker keeps it, for nobody knows how long; the next one counts too.
                    self.slot = None;
                }
                Err(fault)
            }
        }
    }
}

/// The workers of one call, asked by the driver and by its guest's host functions in turn.
#[derive(Debug, Clone)]
pub struct SharedWorkers(Arc<Mutex<Workers>>);

impl SharedWorkers {
    /// For one call. Every worker inherits the lock and so keeps it until it is really gone. `site` is the driver's;
    /// `network` outlives the call.
    pub fn new(lock: Lock, site: WorkSite, network: NetworkWorkers) -> Self {
        Self(Arc::new(Mutex::new(Workers::new(lock, site, network))))
    }

    /// Whether a worker could not be killed: what it was asked to do may still happen.
    pub fn is_stuck(&self) -> bool {
        self.0.lock().map_or(true, |workers| workers.stuck)
    }
}

impl WorkerClient for SharedWorkers {
    fn call(&mut self, request: Request, deadline: Instant) -> Result<Reply, Fault> {
        match self.0.lock() {
            Ok(mut workers) => {
                let counters = workers.network.counters().clone();
                counters.waiting(|| workers.call(request, deadline))
            }
            Err(_) => Err(Fault::new(
                FaultKind::Other,
                "an earlier request of this call panicked",
            )),
        }
    }
}

fn namespace_of(request: &Request) -> MountNamespace {
    match request {
        Request::OpenDirectory {
            directory: DirectoryOrigin::Remote(_),
        }
        | Request::Files {
            directory: DirectoryOrigin::Remote(_),
            ..
        } => MountNamespace::Private,
        // Growing mounts the filesystem for a moment, which is nobody else's business.
        Request::Device(device) if device.mounts_unseen() => MountNamespace::Private,
        Request::Resolve { .. }
        | Request::Reach(_)
        | Request::PrepareTarget { .. }
        | Request::RemoveTarget { .. }
        | Request::MountRemote { .. }
        | Request::BindDirectory { .. }
        | Request::CompareDirectory { .. }
        | Request::BindMount { .. }
        | Request::Unmount { .. }
        | Request::Measure { .. }
        | Request::OpenDirectory { .. }
        | Request::Files { .. }
        | Request::Device(_)
        | Request::Https(_) => MountNamespace::Host,
    }
}

/// Taking away is never kept waiting by what was begun.
fn purpose_of(request: &Request) -> Purpose {
    match matches!(
        request,
        Request::Unmount { .. } | Request::RemoveTarget { .. }
    ) {
        true => Purpose::TakingAway,
        false => Purpose::AnythingElse,
    }
}

/// What the person who reads about a missing answer has to look at.
fn purpose(request: &Request) -> String {
    match request {
        Request::Resolve { host } => format!("looking up {host:?}"),
        Request::Reach(server) => format!("connecting to server {:?}", server.name),
        Request::MountRemote { remote, .. } => format!("mounting {}", remote.source_text()),
        Request::OpenDirectory {
            directory: DirectoryOrigin::Remote(remote),
        }
        | Request::Files {
            directory: DirectoryOrigin::Remote(remote),
            ..
        } => format!("working on {}", remote.source_text()),
        Request::OpenDirectory {
            directory: DirectoryOrigin::Local(path),
        }
        | Request::Files {
            directory: DirectoryOrigin::Local(path),
            ..
        } => format!("working on {}", path.display()),
        Request::Unmount { target, .. } => format!("unmounting {}", target.display()),
        Request::Measure { path } => statfs::purpose(path),
        Request::PrepareTarget { target, .. }
        | Request::RemoveTarget { target }
        | Request::BindDirectory { target, .. }
        | Request::CompareDirectory { target, .. }
        | Request::BindMount { target, .. } => format!("working on {}", target.display()),
        Request::Device(request) => request.purpose(),
        Request::Https(request) => request.purpose(),
    }
}
