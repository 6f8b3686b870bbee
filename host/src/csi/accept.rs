//! Callers that come to a driver's socket: accepted until nobody can wait there any more.

use std::convert::Infallible;
use std::io;
use std::time::Duration;

use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{mpsc, watch};
use tokio::time::{MissedTickBehavior, interval, sleep, timeout};
use tokio_stream::wrappers::ReceiverStream;

use super::linger::Connection;
use crate::driver::Driver;
use crate::sys::SocketName;

/// How often a process looks whether its name still leads to somebody.
const LOOK: Duration = Duration::from_secs(1);

/// A caller that found the name before it was gone has connected by then.
const LATECOMERS: Duration = Duration::from_millis(100);

/// Where accepting fails for a reason that stays for a while, as too many open files.
const PAUSE: Duration = Duration::from_millis(100);

/// A socket with the name that leads to it.
#[derive(Debug)]
pub(super) struct Acceptor {
    name: SocketName,
    listener: UnixListener,
    driver: Driver,
    connections: mpsc::Sender<io::Result<Connection>>,
    open: mpsc::Sender<Infallible>,
}

/// Whoever is accepted; and what ends when the last of them is gone.
pub(super) type Accepted = (
    ReceiverStream<io::Result<Connection>>,
    mpsc::Receiver<Infallible>,
);

impl Acceptor {
    /// The stream of whoever is accepted ends when this does.
    pub(super) fn new(
        name: SocketName,
        listener: std::os::unix::net::UnixListener,
        driver: Driver,
    ) -> io::Result<(Self, Accepted)> {
        listener.set_nonblocking(true)?;
        let (connections, accepted) = mpsc::channel(1);
        let (open, all_closed) = mpsc::channel(1);
        let acceptor = Self {
            name,
            listener: UnixListener::from_std(listener)?,
            driver,
            connections,
            open,
        };
        Ok((acceptor, (ReceiverStream::new(accepted), all_closed)))
    }

    /// Accepts until it is told to stop; then gives up the name, and accepts who has connected already. Closed with
    /// them in it, the socket would reset their connections, although they were let in.
    pub(super) async fn accept_until(mut self, mut stop: watch::Receiver<()>) {
        let mut look = interval(LOOK);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                accepted = self.listener.accept() => self.hand_over(accepted).await,
                _ = look.tick() => self.look().await,
                _ = stop.changed() => break,
                () = self.connections.closed() => break,
            }
        }
        if let Err(error) = self.name.give_up() {
            tracing::warn!(%error, "cannot give up the socket");
        }
        self.accept_the_rest().await;
    }

    async fn accept_the_rest(&mut self) {
        while let Ok(accepted) = timeout(LATECOMERS, self.listener.accept()).await {
            self.hand_over(accepted).await;
        }
    }

    async fn hand_over<A>(&self, accepted: io::Result<(UnixStream, A)>) {
        match accepted {
            Ok((connection, _)) => {
                let connection = Connection::new(connection, self.open.clone());
                // Nobody takes it where the server has ended.
                let _ = self.connections.send(Ok(connection)).await;
            }
            Err(error) => {
                tracing::warn!(%error, "cannot accept a connection");
                sleep(PAUSE).await;
            }
        }
    }

    /// Whoever took over may have gone again, as a new version does that was a mistake: then its callers are ours, if
    /// it left the state as we know it.
    async fn look(&mut self) {
        match self.take_back() {
            Ok(None) => {}
            Ok(Some(listener)) => {
                tracing::warn!("nobody listened at the socket any more; listening there again");
                self.accept_the_rest().await;
                self.listener = listener;
            }
            Err(error) => tracing::debug!(%error, "cannot listen at the socket again"),
        }
    }

    fn take_back(&mut self) -> io::Result<Option<UnixListener>> {
        if !self.name.is_deserted()? {
            return Ok(None);
        }
        self.driver.check_state().map_err(io::Error::other)?;
        let Some(listener) = self.name.take_back()? else {
            return Ok(None);
        };
        listener.set_nonblocking(true)?;
        UnixListener::from_std(listener).map(Some)
    }
}
