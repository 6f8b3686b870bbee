//! When a driver goes from the process that serves it to this one: as soon as this one could serve it as well.
//!
//! In a rollout a new process starts beside the old one. One without a component, one that may not do what the driver
//! does, and one that cannot tell what node this is, would take the driver from a process that works, and kubelet, which
//! asks for NodeGetInfo before it registers a driver, would be left without any. So it waits, and says why. Where nobody
//! listens there is nothing to take over: then Probe and kubelet are told what is wrong.

mod takeover_status;

use std::os::unix::net::UnixListener;
use std::path::Path;
use std::time::{Duration, Instant};

use tokio::task::spawn_blocking;
use tokio::time::sleep;
use tonic::Request;

use super::backoff::Backoff;
use super::plugin::Service;
use super::proto::NodeGetInfoRequest;
use super::proto::node_server::Node;
use crate::driver::Readiness;
use crate::sys::{self, Predecessor, SocketName};
pub(super) use takeover_status::TakeoverStatus;

/// How often it is looked whether the other process is still there, and this one ready.
const LOOK: Duration = Duration::from_secs(1);

/// What a driver's service waits for before it takes a socket.
#[derive(Debug)]
pub(super) struct Takeover<'a> {
    service: &'a Service,
    /// Between two questions of NodeGetInfo, which ask the backend.
    backoff: Backoff,
    /// Why it failed, until it is asked again.
    failure: Option<String>,
}

impl<'a> Takeover<'a> {
    pub(super) fn of(service: &'a Service) -> Self {
        Self {
            service,
            backoff: Backoff::default(),
            failure: None,
        }
    }

    /// Listens at the driver's socket, in the place of whoever listens there once that is right.
    pub(super) async fn listen(mut self, socket: &Path) -> (SocketName, UnixListener) {
        loop {
            self.may_take(socket).await;
            let path = socket.to_owned();
            // Others may have the directory locked.
            let taken = spawn_blocking(move || SocketName::take_over(&path)).await;
            let reason = match taken {
                Ok(Ok((name, listener, predecessor))) => {
                    self.status().is_over();
                    tell(self.service, socket, predecessor);
                    return (name, listener);
                }
                Ok(Err(error)) => error.to_string(),
                Err(error) => error.to_string(),
            };
            self.waits(format!("cannot listen at {}: {reason}", socket.display()));
            sleep(LOOK).await;
        }
    }

    /// Until nobody listens there, or this process could serve the driver as well as whoever does.
    pub(super) async fn may_take(&mut self, socket: &Path) {
        while is_another_at(socket) {
            let Some(reason) = self.shortcoming().await else {
                return;
            };
            self.waits(reason);
            sleep(LOOK).await;
        }
    }

    /// Why this process could not serve the driver now.
    async fn shortcoming(&mut self) -> Option<String> {
        if let Readiness::NotYet(error) | Readiness::Unable(error) =
            self.service.0.driver.readiness()
        {
            (self.failure, self.backoff) = (None, Backoff::default());
            return Some(format!("it is not ready: {}", error.chain()));
        }
        if !self.service.is_asked_by_kubelet() || self.status().has_told_node() {
            return None;
        }
        if self.failure.is_some() && !self.backoff.is_over(Instant::now()) {
            return self.failure.clone();
        }
        self.failure = self.node_get_info().await.err();
        match self.failure {
            None => self.status().told_node(),
            Some(_) => {
                self.backoff.begin(Instant::now());
            }
        }
        self.failure.clone()
    }

    /// As kubelet asks.
    async fn node_get_info(&self) -> Result<(), String> {
        let asked = self
            .service
            .node_get_info(Request::new(NodeGetInfoRequest {}));
        let answer = asked.await.map(drop);
        answer.map_err(|status| format!("NodeGetInfo fails: {}", status.message()))
    }

    fn waits(&self, reason: String) {
        let driver = &self.service.0.driver;
        if self.status().waits(&reason) {
            tracing::warn!(
                driver.name = driver.config().name.0,
                reason,
                "another process serves the driver and keeps it until this one can serve it as well"
            );
        }
    }

    fn status(&self) -> &TakeoverStatus {
        &self.service.0.takeover_status
    }
}

/// Whose socket cannot be looked at is found out by taking it.
pub(super) fn is_another_at(socket: &Path) -> bool {
    sys::is_listened_at(socket).unwrap_or(false)
}

/// Says of whom a socket was taken.
pub(super) fn tell(service: &Service, socket: &Path, predecessor: Predecessor) {
    if predecessor == Predecessor::Alive {
        tracing::info!(
            driver.name = service.0.driver.config().name.0,
            socket = %socket.display(),
            "taken over from another process, which keeps the callers that it has until it is stopped"
        );
    }
}
