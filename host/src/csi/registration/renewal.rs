//! The socket that kubelet looks at, made anew where that is needed: kubelet refused the driver, or somebody removed the
//! socket.
//!
//! kubelet of Kubernetes 1.36 tries a refused socket again by itself, after pauses of up to two minutes. One that does
//! not is shown the name once more, which does no harm to the other.

use std::io;
use std::os::unix::net::UnixListener;
use std::path::PathBuf;
use std::time::Instant;

use super::kubelet_status::KubeletStatus;
use crate::csi::accept::Upkeep;
use crate::csi::backoff::Backoff;
use crate::driver::Driver;
use crate::sys::{self, NameHolder, SocketName};

/// What is done about one driver's socket.
#[derive(Debug)]
pub(super) struct Renewal {
    driver: Driver,
    kubelet_status: KubeletStatus,
    socket: PathBuf,
    backoff: Backoff,
}

impl Renewal {
    pub(super) fn new(driver: Driver, kubelet_status: KubeletStatus, socket: PathBuf) -> Self {
        Self {
            driver,
            kubelet_status,
            socket,
            backoff: Backoff::default(),
        }
    }

    /// Whether a new socket is needed, and could be had.
    fn is_needed(&mut self, name: &SocketName) -> bool {
        match name.holder() {
            // The process that took over is offered to kubelet now.
            Ok(NameHolder::Another) => {
                self.kubelet_status.handed_over();
                false
            }
            Ok(NameHolder::Own) => self.kubelet_status.is_to_be_offered_again(),
            Ok(NameHolder::Nobody) => true,
            Err(error) => {
                tracing::debug!(%error, "cannot look at the registration socket");
                true
            }
        }
    }

    fn make_anew(&self, name: &mut SocketName) -> Option<UnixListener> {
        match self.try_to_make_anew(name) {
            Ok(Some(listener)) => {
                tracing::info!(socket = %self.socket.display(), "offered to kubelet again");
                self.kubelet_status.offered(Instant::now());
                Some(listener)
            }
            Ok(None) => None,
            Err(error) => {
                self.kubelet_status.has_no_socket(&self.socket, &error);
                None
            }
        }
    }

    /// The directory may have gone with the socket; and whoever took over may have left a state that is not for this
    /// host to use.
    fn try_to_make_anew(&self, name: &mut SocketName) -> io::Result<Option<UnixListener>> {
        self.driver.check_state().map_err(io::Error::other)?;
        if let Some(directory) = self.socket.parent()
            && let Some(above) = directory.parent()
            && !directory.is_dir()
        {
            sys::create_directories_beneath(above, directory)?;
        }
        name.make_anew()
    }
}

impl Upkeep for Renewal {
    fn is_due(&mut self, name: &SocketName) -> io::Result<bool> {
        if !self.is_needed(name) {
            if self.kubelet_status.is_registered() {
                self.backoff.reset();
            }
            return Ok(false);
        }
        let now = Instant::now();
        if let Some(pause) = self.backoff.begin(now) {
            tracing::warn!(
                socket = %self.socket.display(),
                ?pause,
                "kubelet refused the socket, or somebody removed it; it is made anew after a pause"
            );
            return Ok(false);
        }
        Ok(self.backoff.is_over(now))
    }

    /// kubelet may have registered the driver since.
    fn renew(&mut self, name: &mut SocketName) -> io::Result<Option<UnixListener>> {
        match self.is_needed(name) {
            true => Ok(self.make_anew(name)),
            false => Ok(None),
        }
    }
}
