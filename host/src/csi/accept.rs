//! Callers that come to a driver's socket: accepted until nobody can wait there any more.

use std::convert::Infallible;
use std::fmt;
use std::io;
use std::os::unix::net::UnixListener as StdUnixListener;
use std::time::Duration;

use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{mpsc, watch};
use tokio::time::{MissedTickBehavior, interval, sleep, timeout};
use tokio_stream::wrappers::ReceiverStream;

use super::graceful_close::Connection;
use crate::driver::Driver;
use crate::sys::SocketName;

/// How often a process looks whether its name still leads to somebody.
const LOOK: Duration = Duration::from_secs(1);

/// A caller that found the name before it was gone has connected by then.
const LATECOMERS: Duration = Duration::from_millis(100);

/// Where accepting fails for a reason that stays for a while, as too many open files.
const PAUSE: Duration = Duration::from_millis(100);

/// What is done about a socket's name, each second.
pub(super) trait Upkeep: fmt::Debug + Send + Sync {
    /// A new socket, where the name leads to this process again because of it.
    fn look(&mut self, name: &mut SocketName) -> io::Result<Option<StdUnixListener>>;
}

/// Takes the name back from whoever took it over and has gone again, as a new version does that was a mistake: then its
/// callers are ours, if it left the state as we know it.
#[derive(Debug)]
pub(super) struct TakeBack {
    driver: Option<Driver>,
}

/// A socket with the name that leads to it.
#[derive(Debug)]
pub(super) struct Acceptor {
    name: SocketName,
    listener: UnixListener,
    upkeep: Box<dyn Upkeep>,
    connections: mpsc::Sender<io::Result<Connection>>,
    open: mpsc::Sender<Infallible>,
}

/// Whoever is accepted; and what ends when the last of them is gone.
pub(super) type Accepted = (
    ReceiverStream<io::Result<Connection>>,
    mpsc::Receiver<Infallible>,
);

impl TakeBack {
    /// Of a driver's callers.
    pub(super) fn of(driver: Driver) -> Self {
        Self {
            driver: Some(driver),
        }
    }

    /// Of callers that no state matters to.
    pub(super) fn of_any() -> Self {
        Self { driver: None }
    }
}

impl Upkeep for TakeBack {
    fn look(&mut self, name: &mut SocketName) -> io::Result<Option<StdUnixListener>> {
        if !name.is_deserted()? {
            return Ok(None);
        }
        if let Some(driver) = &self.driver {
            driver.check_state().map_err(io::Error::other)?;
        }
        let taken = name.take_back()?;
        if taken.is_some() {
            tracing::warn!("nobody listened at the socket any more; listening there again");
        }
        Ok(taken)
    }
}

impl Acceptor {
    /// The stream of whoever is accepted ends when this does.
    pub(super) fn new(
        name: SocketName,
        listener: StdUnixListener,
        upkeep: Box<dyn Upkeep>,
    ) -> io::Result<(Self, Accepted)> {
        let (connections, accepted) = mpsc::channel(1);
        let (open, all_closed) = mpsc::channel(1);
        let acceptor = Self {
            name,
            listener: listen(listener)?,
            upkeep,
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

    async fn look(&mut self) {
        match self.upkeep.look(&mut self.name) {
            Ok(None) => {}
            Ok(Some(anew)) => self.listen_at(anew).await,
            Err(error) => tracing::debug!(%error, "cannot listen at the socket again"),
        }
    }

    async fn listen_at(&mut self, anew: StdUnixListener) {
        match listen(anew) {
            Ok(listener) => {
                self.accept_the_rest().await;
                self.listener = listener;
            }
            Err(error) => tracing::warn!(%error, "cannot accept at the socket"),
        }
    }
}

fn listen(listener: StdUnixListener) -> io::Result<UnixListener> {
    listener.set_nonblocking(true)?;
    UnixListener::from_std(listener)
}
