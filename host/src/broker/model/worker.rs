//! What workers are asked, answered by what there is in the model. Work beneath a directory is real: real workers do it,
//! beneath directories of the model's.

use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use super::kept::ModelMount;
use super::state::{Backend, Model};
use crate::sys::MountEntry;
use crate::volume::Access;
use crate::worker::{
    DirectoryOrigin, EntryKind, Fault, FaultKind, FileOperation, HttpsRequest, Reached, Reply,
    Request, WorkerClient,
};

/// Of one call.
pub(crate) struct ModelWorker {
    model: Model,
    workers: Box<dyn WorkerClient>,
}

impl ModelWorker {
    /// Work beneath directories goes on to those.
    pub(crate) fn over(workers: Box<dyn WorkerClient>, model: Model) -> Self {
        Self { model, workers }
    }

    /// The directory of the model that stands for it.
    fn stand_in(&self, directory: DirectoryOrigin) -> Result<PathBuf, Fault> {
        match directory {
            DirectoryOrigin::Remote(remote) => self.model.share(&remote),
            DirectoryOrigin::Local(path) if self.model.is_beneath(&path) => {
                let made = std::fs::create_dir_all(&path);
                made.map(|()| path).map_err(|error| {
                    let message = format!("cannot make a directory for a dry run: {error}");
                    Fault::new(FaultKind::of(&error), message)
                })
            }
            DirectoryOrigin::Local(_) => Err(Fault::new(
                FaultKind::Denied,
                "a dry run has no directory of this node",
            )),
        }
    }

    fn work(
        &mut self,
        directory: DirectoryOrigin,
        operation: FileOperation,
        deadline: Instant,
    ) -> Result<Reply, Fault> {
        let directory = DirectoryOrigin::Local(self.stand_in(directory)?);
        let request = Request::Files {
            directory,
            operation,
        };
        self.workers.call(request, deadline)
    }

    /// What a bind mount of it would be.
    fn bound(
        &mut self,
        directory: DirectoryOrigin,
        path: String,
        access: Access,
        deadline: Instant,
    ) -> Result<ModelMount, Fault> {
        let top = self.stand_in(directory.clone())?;
        let look = FileOperation::Look { path: path.clone() };
        let refused =
            |kind, why: &str| Fault::new(kind, format!("cannot open directory {path:?}: {why}"));
        let Reply::Properties(found) = self.work(directory, look, deadline)? else {
            return Err(refused(
                FaultKind::Other,
                "the worker gave an answer of another kind",
            ));
        };
        match found.kind {
            EntryKind::Directory => Ok(ModelMount::of_directory(&top, &path, access)),
            EntryKind::Symlink => Err(refused(
                FaultKind::Denied,
                "a symlink is on the way, and none is followed; name the directory that it leads to",
            )),
            EntryKind::File | EntryKind::Other => {
                Err(refused(FaultKind::Invalid, "Not a directory"))
            }
        }
    }

    fn looked_up(&self, host: &str) -> Reply {
        let address: Result<IpAddr, _> = host.parse();
        Reply::Addresses(vec![address.unwrap_or_else(|_| self.model.address(host))])
    }
}

impl WorkerClient for ModelWorker {
    fn call(&mut self, request: Request, deadline: Instant) -> Result<Reply, Fault> {
        if self.model.backend() == Backend::Away {
            let reason = "nobody answers in this dry run";
            return Err(Fault::new(FaultKind::Unreachable, reason));
        }
        match request {
            Request::Resolve { host } | Request::Https(HttpsRequest::Resolve { host }) => {
                Ok(self.looked_up(&host))
            }
            Request::Reach(server) => match server.addresses.first() {
                Some(address) => Ok(Reply::Reached(Reached {
                    server: *address,
                    client: None,
                })),
                None => Err(unknown("a server without an address")),
            },
            Request::MountRemote {
                target,
                remote,
                access,
            } => {
                self.model.share(&remote)?;
                let mount = ModelMount::of_share(&remote, access);
                self.model.mount(target, mount);
                Ok(Reply::Done)
            }
            Request::BindDirectory {
                directory,
                path,
                target,
                access,
            } => {
                let mount = self.bound(directory, path, access, deadline)?;
                self.model.mount(target, mount);
                Ok(Reply::Done)
            }
            Request::CompareDirectory {
                directory,
                path,
                target,
            } => {
                let access = match self.model.mount_at(&target) {
                    Some(entry) if entry.read_only => Access::ReadOnly,
                    Some(_) | None => Access::ReadWrite,
                };
                let wanted = self.bound(directory, path, access, deadline)?;
                self.model.compare(&target, &wanted)?;
                Ok(Reply::Done)
            }
            Request::OpenDirectory { directory } => {
                let directory = DirectoryOrigin::Local(self.stand_in(directory)?);
                self.workers
                    .call(Request::OpenDirectory { directory }, deadline)
            }
            Request::Files {
                directory,
                operation,
            } => self.work(directory, operation, deadline),
            Request::Device(request) => self.model.device(request),
            Request::Https(HttpsRequest::Send(message)) => {
                self.model.exchange(&message).map(Reply::Https)
            }
            // Nobody asks these for a guest.
            Request::PrepareTarget { .. }
            | Request::RemoveTarget { .. }
            | Request::BindMount { .. }
            | Request::Unmount { .. }
            | Request::Measure { .. } => Err(unknown("a target")),
        }
    }

    fn mount_at(&self, path: &Path) -> Option<Arc<MountEntry>> {
        self.model.mount_at(path).map(Arc::new)
    }
}

fn unknown(what: &str) -> Fault {
    Fault::new(
        FaultKind::Unsupported,
        format!("a dry run does not know {what}"),
    )
}
