//! What workers are asked, answered by what there is in the model. Work beneath a directory is real: real workers do it,
//! beneath directories of the model's, or of servers that are real.

use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use super::kept::ModelMount;
use super::state::{Backend, Model, Servers};
use crate::sys::MountEntry;
use crate::volume::Access;
use crate::worker::{
    DirectoryOrigin, EntryKind, Fault, FaultKind, FileOperation, HttpsRequest, Reached, Remote,
    Reply, Request, WorkerClient,
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

    /// The directory that workers are to work in for it: one of the model, or a real server's own.
    fn stand_in(&self, directory: DirectoryOrigin) -> Result<DirectoryOrigin, Fault> {
        match directory {
            DirectoryOrigin::Remote(remote) => match self.model.servers() {
                Servers::Real => Ok(DirectoryOrigin::Remote(remote)),
                Servers::Modelled => self.model.share(&remote).map(DirectoryOrigin::Local),
            },
            DirectoryOrigin::Local(path) if self.model.is_beneath(&path) => {
                let made = std::fs::create_dir_all(&path);
                made.map(|()| DirectoryOrigin::Local(path))
                    .map_err(|error| {
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
        let directory = self.stand_in(directory)?;
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
        let top = match self.stand_in(directory.clone())? {
            DirectoryOrigin::Local(path) => path,
            DirectoryOrigin::Remote(remote) => PathBuf::from(remote.source_text()),
        };
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

    /// A share that is to be mounted has to be there. A real server is asked by whoever could work on it.
    fn find_share(&mut self, remote: &Remote, deadline: Instant) -> Result<(), Fault> {
        if self.model.servers() == Servers::Modelled {
            return self.model.share(remote).map(drop);
        }
        let directory = DirectoryOrigin::Remote(remote.clone());
        let request = Request::OpenDirectory { directory };
        self.workers.call(request, deadline).map(drop)
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
            Request::Resolve { .. } | Request::Reach(_) | Request::Https(_)
                if self.model.servers() == Servers::Real =>
            {
                self.workers.call(request, deadline)
            }
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
                self.find_share(&remote, deadline)?;
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
                let directory = self.stand_in(directory)?;
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

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::time::Duration;

    use super::*;
    use crate::broker::fake_worker::{ADDRESS, FakeWorker};
    use crate::broker::model::state::{Granted, ModelSettings};

    /// Of a model, before workers that note what they are asked.
    fn over(workers: &FakeWorker, servers: Servers) -> (ModelWorker, tempfile::TempDir) {
        let directory = tempfile::tempdir().expect("a directory");
        let settings = ModelSettings {
            directory: directory.path().to_owned(),
            granted: Granted::ByFile,
            servers,
            hosts: BTreeMap::new(),
            devices: Vec::new(),
            tape: None,
        };
        let model = Model::open(settings).expect("nothing is kept");
        let worker = ModelWorker::over(Box::new(workers.clone()), model);
        (worker, directory)
    }

    fn ask(worker: &mut ModelWorker, request: Request) -> Result<Reply, Fault> {
        worker.call(request, Instant::now() + Duration::from_secs(10))
    }

    fn look_up() -> Request {
        Request::Https(HttpsRequest::Resolve {
            host: "api".to_owned(),
        })
    }

    fn mount() -> Request {
        Request::MountRemote {
            target: "/t".into(),
            remote: Remote {
                fs_type: "nfs".into(),
                server: "filer".into(),
                address: ADDRESS.into(),
                client: None,
                path: "/export".into(),
                options: Vec::new(),
                secrets: Vec::new(),
            },
            access: Access::ReadWrite,
        }
    }

    #[test]
    fn real_servers_are_asked_and_what_is_mounted_of_them_is_the_models() {
        let workers = FakeWorker::default();
        let (mut worker, _directory) = over(&workers, Servers::Real);
        let address = Reply::Addresses(vec![ADDRESS.into()]);
        assert_eq!(ask(&mut worker, look_up()), Ok(address));
        assert_eq!(ask(&mut worker, mount()), Ok(Reply::Done));
        assert_eq!(
            workers.asked(),
            ["RESOLVE api", "MOUNT nfs filer:/export"],
            "the share is looked for, once"
        );
        let mount = worker.mount_at(Path::new("/t")).expect("the model's");
        assert_eq!(mount.source, "filer:/export");
    }

    #[test]
    fn nobody_is_asked_where_servers_are_the_models_or_away() {
        let workers = FakeWorker::default();
        let (mut worker, _directory) = over(&workers, Servers::Modelled);
        for request in [look_up(), mount()] {
            ask(&mut worker, request).expect("the model answers");
        }
        let (mut worker, _directory) = over(&workers, Servers::Real);
        worker.model.set_backend(Backend::Away);
        for request in [look_up(), mount()] {
            let fault = ask(&mut worker, request).expect_err("away");
            assert_eq!(fault.kind, FaultKind::Unreachable);
        }
        assert_eq!(workers.asked(), [""; 0]);
    }
}
