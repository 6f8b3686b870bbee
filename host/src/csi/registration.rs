//! kubelet's plugin registration, version 1: how kubelet learns that a driver is there.
//!
//! kubelet watches a directory, dials each socket whose name comes there, asks who it is and tells what became of it.
//! A driver has one socket there, always of the same name: kubelet takes a driver away with the first of its sockets
//! that goes, so that two of them, as two pods of a rollout would have, end with a driver that nobody can find. A new
//! process renames its socket over the one before, which kubelet sees as a name that comes: it then takes the driver
//! away and registers it again, with what NodeGetInfo says now.
//!
//! ```text
//! kubelet_status  how a driver stands with kubelet, and whether that is in order
//! renewal         the socket that kubelet refused, or that somebody removed
//! ```

mod kubelet_status;
mod renewal;

use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use tokio::sync::watch;
use tokio::task::spawn_blocking;
use tokio::time::sleep;
use tokio_stream::StreamExt;
use tonic::codegen::Service as _;
use tonic::{Request, Response, Status};

use super::accept::Acceptor;
use super::authority::ForLocalhost;
use super::backoff::Backoff;
use super::http2;
use super::plugin::Service;
use super::proto::registration::registration_server::{Registration, RegistrationServer};
use super::proto::registration::{
    InfoRequest, PluginInfo, RegistrationStatus, RegistrationStatusResponse,
};
use super::takeover::Takeover;
use crate::error::GuestText;
use crate::sys::SocketName;
pub(super) use kubelet_status::KubeletStatus;
use renewal::Renewal;

/// How kubelet knows drivers of CSI from other plugins.
const PLUGIN_TYPE: &str = "CSIPlugin";

/// kubelet compares versions of CSI here, and knows 1.0.0 and 0.x: node-driver-registrar says the same.
const SUPPORTED_VERSIONS: [&str; 1] = ["1.0.0"];

/// kubelet asks a driver for NodeGetInfo at once, and doubles its pause up to two minutes each time that fails. So a
/// driver that is about to be ready is not shown to it before; one that takes longer is, so that kubelet says why.
const READY_WAIT: Duration = Duration::from_secs(10);

/// How often a driver that is not ready is looked at.
const LOOK: Duration = Duration::from_millis(100);

/// A driver that is to be known to kubelet.
#[derive(Debug)]
pub(super) struct Registrar {
    service: Service,
    info: PluginInfo,
    kubelet_status: KubeletStatus,
    socket: PathBuf,
}

/// Why a driver cannot be made known to kubelet.
#[derive(Debug, thiserror::Error)]
#[error("cannot answer kubelet at {}", socket.display())]
pub struct RegistrationError {
    socket: PathBuf,
    source: Box<dyn std::error::Error + Send + Sync>,
}

/// The name of a driver's socket in kubelet's directory.
pub fn registration_socket(directory: &Path, csi_name: &str) -> PathBuf {
    directory.join(format!("{csi_name}-reg.sock"))
}

impl Registrar {
    /// For a service that is to be registered at a directory, with the socket at which it answers.
    pub(super) fn of(service: &Service, endpoint: &Path) -> Option<Self> {
        let (directory, kubelet_status) = service.0.registration.as_ref()?;
        Some(Self {
            service: service.clone(),
            info: PluginInfo {
                r#type: PLUGIN_TYPE.to_owned(),
                name: service.0.name.clone(),
                endpoint: endpoint.display().to_string(),
                supported_versions: SUPPORTED_VERSIONS.map(str::to_owned).to_vec(),
            },
            kubelet_status: kubelet_status.clone(),
            socket: registration_socket(directory, &service.0.name),
        })
    }

    /// Offers the driver to kubelet until it is told to stop. Whatever kubelet answers, and whoever removes the socket:
    /// it goes on.
    pub(super) async fn serve(
        self,
        mut stop: watch::Receiver<()>,
    ) -> Result<(), RegistrationError> {
        let socket = self.socket.clone();
        let failed = |source| RegistrationError { socket, source };
        tokio::select! {
            () = self.may_be_offered() => {}
            _ = stop.changed() => return Ok(()),
        }
        let (name, listener) = tokio::select! {
            taken = self.take_name() => taken,
            _ = stop.changed() => return Ok(()),
        };
        let renewal = Renewal::new(
            self.service.0.driver.clone(),
            self.kubelet_status.clone(),
            self.socket.clone(),
        );
        let accepting = Acceptor::new(name, listener, Box::new(renewal));
        let (acceptor, (accepted, _)) = match accepting {
            Ok(accepting) => accepting,
            Err(error) => return Err(failed(error.into())),
        };
        tracing::info!(
            csi.name = self.info.name,
            socket = %self.socket.display(),
            endpoint = self.info.endpoint,
            "offered to kubelet"
        );
        let registration = RegistrationServer::new(self);
        let service = move |request| registration.clone().call(request);
        let answered = http2::answer_all(accepted.map(ForLocalhost::new), service);
        tokio::join!(answered, acceptor.accept_until(stop));
        Ok(())
    }

    /// Another process that is registered, by whatever socket it serves the driver, stays so until this one could be.
    async fn may_be_offered(&self) {
        let driver = &self.service.0.driver;
        let until = Instant::now() + READY_WAIT;
        while driver.session().capabilities().is_err() && Instant::now() < until {
            sleep(LOOK).await;
        }
        Takeover::of(&self.service).may_take(&self.socket).await;
        self.service.0.takeover_status.is_over();
    }

    async fn take_name(&self) -> (SocketName, std::os::unix::net::UnixListener) {
        let mut backoff = Backoff::default();
        loop {
            // It waits, which the thread that carries all calls must not.
            let socket = self.socket.clone();
            let taken = spawn_blocking(move || SocketName::take_over_in_sight(&socket)).await;
            match taken.unwrap_or_else(|error| Err(io::Error::other(error))) {
                Ok((name, listener, _)) => {
                    self.kubelet_status.offered(Instant::now());
                    return (name, listener);
                }
                Err(error) => {
                    let pause = backoff.next_pause();
                    self.kubelet_status.has_no_socket(&self.socket, &error);
                    sleep(pause).await;
                }
            }
        }
    }
}

#[tonic::async_trait]
impl Registration for Registrar {
    /// Asks nobody: kubelet waits for one second, whether the driver is ready or not.
    async fn get_info(
        &self,
        _request: Request<InfoRequest>,
    ) -> Result<Response<PluginInfo>, Status> {
        self.kubelet_status.asked();
        Ok(Response::new(self.info.clone()))
    }

    async fn notify_registration_status(
        &self,
        request: Request<RegistrationStatus>,
    ) -> Result<Response<RegistrationStatusResponse>, Status> {
        let status = request.into_inner();
        let csi_name = &self.info.name;
        if status.plugin_registered {
            tracing::info!(csi.name = csi_name, "registered at kubelet");
            self.kubelet_status.registered();
        } else {
            let error = GuestText::sentence(&status.error).to_string();
            tracing::error!(
                csi.name = csi_name,
                error,
                "kubelet did not register the driver, and is offered it again; where NodeGetInfo failed, this log and \
                 `drivebay check` say why, else see kubelet's log"
            );
            self.kubelet_status.refused(error);
        }
        Ok(Response::new(RegistrationStatusResponse {}))
    }
}
