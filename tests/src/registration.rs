//! kubelet, as a driver's registration socket sees it: each time a new connection.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use tokio::runtime::{self, Runtime};
use tonic::transport::{Channel, Endpoint};
use tonic::{Response, Status};

use crate::csi_proto::registration::registration_client::RegistrationClient;
use crate::csi_proto::registration::{InfoRequest, PluginInfo, RegistrationStatus};
use crate::eventually;

/// One driver's socket in kubelet's directory.
#[derive(Debug)]
pub struct RegistrationSocket {
    path: PathBuf,
    runtime: Runtime,
}

impl RegistrationSocket {
    /// At that path, whether it is there or not.
    pub fn at(path: &Path) -> Self {
        let runtime = runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .expect("threads");
        Self {
            path: path.to_owned(),
            runtime,
        }
    }

    /// Its path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What tells one socket from the next, if there is one.
    pub fn inode(&self) -> Option<u64> {
        let found = fs::symlink_metadata(&self.path);
        if let Err(error) = &found {
            assert_eq!(error.kind(), io::ErrorKind::NotFound, "{error}");
        }
        found.ok().map(|found| found.ino())
    }

    /// Waits until it is there, and another one than that.
    #[track_caller]
    pub fn is_another_than(&self, before: Option<u64>) {
        eventually("another registration socket", || {
            self.inode().is_some_and(|inode| Some(inode) != before)
        });
    }

    /// Who is there.
    pub fn info(&self) -> Result<PluginInfo, Status> {
        self.runtime.block_on(async {
            let mut client = RegistrationClient::new(self.dial());
            let answer = client.get_info(InfoRequest {}).await;
            answer.map(Response::into_inner)
        })
    }

    /// Tells the driver that it is registered.
    #[track_caller]
    pub fn accept(&self) {
        self.notify(RegistrationStatus {
            plugin_registered: true,
            error: String::new(),
        });
    }

    /// Tells the driver that it is not, and why.
    #[track_caller]
    pub fn refuse(&self, why: &str) {
        self.notify(RegistrationStatus {
            plugin_registered: false,
            error: why.to_owned(),
        });
    }

    #[track_caller]
    fn notify(&self, status: RegistrationStatus) {
        let answer = self.runtime.block_on(async {
            let mut client = RegistrationClient::new(self.dial());
            client.notify_registration_status(status).await
        });
        answer.expect("kubelet is heard");
    }

    fn dial(&self) -> Channel {
        Endpoint::from_shared(format!("unix://{}", self.path.display()))
            .expect("a socket")
            .connect_lazy()
    }
}
