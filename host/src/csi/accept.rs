//! Callers that come to a driver's socket: accepted until nobody can wait there any more.

use std::convert::Infallible;
use std::fmt;
use std::future::pending;
use std::io;
use std::os::unix::net::UnixListener as StdUnixListener;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{mpsc, watch};
use tokio::task::{JoinHandle, spawn_blocking};
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

/// What is done about a socket's name.
pub(super) trait Upkeep: fmt::Debug + Send + Sync {
    /// Whether something has to be done now. Asked each second by the thread that carries all calls, so that it waits
    /// for nothing.
    fn is_due(&mut self, name: &SocketName) -> io::Result<bool>;

    /// Does it, on a thread that may wait: others lock the directory, and whoever watches it is given time to look. A
    /// new socket, where the name leads to this process again because of it.
    fn renew(&mut self, name: &mut SocketName) -> io::Result<Option<StdUnixListener>>;
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
    kept: Arc<Mutex<KeptName>>,
    listener: UnixListener,
    connections: mpsc::Sender<Connection>,
    open: mpsc::Sender<Infallible>,
}

/// Locked by whoever does something about it, which is one at a time.
#[derive(Debug)]
struct KeptName {
    name: SocketName,
    upkeep: Box<dyn Upkeep>,
}

/// Something that is being done about a name.
type Renewing = JoinHandle<io::Result<Option<StdUnixListener>>>;

/// Whoever is accepted; and what ends when the last of them is gone.
pub(super) type Accepted = (ReceiverStream<Connection>, mpsc::Receiver<Infallible>);

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
    fn is_due(&mut self, name: &SocketName) -> io::Result<bool> {
        name.is_deserted()
    }

    fn renew(&mut self, name: &mut SocketName) -> io::Result<Option<StdUnixListener>> {
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

impl KeptName {
    fn is_due(&mut self) -> io::Result<bool> {
        self.upkeep.is_due(&self.name)
    }

    fn renew(&mut self) -> io::Result<Option<StdUnixListener>> {
        self.upkeep.renew(&mut self.name)
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
            kept: Arc::new(Mutex::new(KeptName { name, upkeep })),
            listener: listen(listener)?,
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
        let mut renewing: Option<Renewing> = None;
        loop {
            tokio::select! {
                accepted = self.listener.accept() => self.hand_over(accepted).await,
                _ = look.tick(), if renewing.is_none() => renewing = self.look(),
                renewed = end_of(&mut renewing) => {
                    renewing = None;
                    self.listen_anew(renewed).await;
                }
                _ = stop.changed() => break,
                () = self.connections.closed() => break,
            }
        }
        if let Some(renewing) = renewing {
            self.listen_anew(outcome(renewing.await)).await;
        }
        self.give_up().await;
        self.accept_the_rest().await;
        // Where a name is dropped it is looked at once more.
        let kept = self.kept;
        let _ = spawn_blocking(move || drop(kept)).await;
    }

    async fn give_up(&self) {
        let kept = Arc::clone(&self.kept);
        let given_up = spawn_blocking(move || lock(&kept).name.give_up());
        if let Err(error) = outcome(given_up.await) {
            tracing::warn!(%error, "cannot give up the socket");
        }
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
                let _ = self.connections.send(connection).await;
            }
            Err(error) => {
                tracing::warn!(%error, "cannot accept a connection");
                sleep(PAUSE).await;
            }
        }
    }

    fn look(&self) -> Option<Renewing> {
        let is_due = lock(&self.kept).is_due();
        match is_due {
            Ok(false) => None,
            Ok(true) => {
                let kept = Arc::clone(&self.kept);
                Some(spawn_blocking(move || lock(&kept).renew()))
            }
            Err(error) => {
                tracing::debug!(%error, "cannot look at the socket");
                None
            }
        }
    }

    async fn listen_anew(&mut self, renewed: io::Result<Option<StdUnixListener>>) {
        match renewed {
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

/// Never where there is none.
async fn end_of(renewing: &mut Option<Renewing>) -> io::Result<Option<StdUnixListener>> {
    match renewing {
        Some(renewing) => outcome(renewing.await),
        None => pending().await,
    }
}

fn outcome<T>(ended: Result<io::Result<T>, tokio::task::JoinError>) -> io::Result<T> {
    ended.unwrap_or_else(|error| Err(io::Error::other(error)))
}

fn lock(kept: &Mutex<KeptName>) -> MutexGuard<'_, KeptName> {
    kept.lock().unwrap_or_else(PoisonError::into_inner)
}

fn listen(listener: StdUnixListener) -> io::Result<UnixListener> {
    listener.set_nonblocking(true)?;
    UnixListener::from_std(listener)
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Receiver, Sender, channel};

    use tokio::runtime;
    use tokio_stream::StreamExt;

    use super::*;

    /// So long that a test which waits for it has failed.
    const NEVER: Duration = Duration::from_secs(20);

    /// Has something to do at once, which goes on until somebody says a word.
    #[derive(Debug)]
    struct Slow {
        begun: Sender<()>,
        word: Mutex<Receiver<()>>,
        ended: Sender<bool>,
        is_done: bool,
    }

    impl Upkeep for Slow {
        fn is_due(&mut self, _name: &SocketName) -> io::Result<bool> {
            Ok(!self.is_done)
        }

        fn renew(&mut self, _name: &mut SocketName) -> io::Result<Option<StdUnixListener>> {
            self.is_done = true;
            let _ = self.begun.send(());
            let word = self.word.lock().expect("nobody panicked");
            let _ = self.ended.send(word.recv_timeout(NEVER).is_ok());
            Ok(None)
        }
    }

    #[test]
    fn callers_are_accepted_while_a_name_is_renewed_and_it_is_given_up_after_that() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("csi.sock");
        let (name, listener, _) = SocketName::take_over(&path).expect("free");
        let ((begun, begins), (say, word), (ended, ends)) = (channel(), channel(), channel());
        let upkeep = Slow {
            begun,
            word: Mutex::new(word),
            ended,
            is_done: false,
        };
        let runtime = runtime::Builder::new_current_thread().enable_all().build();
        runtime.expect("a runtime").block_on(async {
            let acceptor = Acceptor::new(name, listener, Box::new(upkeep)).expect("it listens");
            let (acceptor, (mut accepted, _)) = acceptor;
            let (stop, stopping) = watch::channel(());
            let accepting = tokio::spawn(acceptor.accept_until(stopping));
            while begins.try_recv().is_err() {
                sleep(Duration::from_millis(1)).await;
            }
            for _ in 0..3 {
                let _caller = UnixStream::connect(&path).await.expect("it listens");
                let caller = timeout(NEVER, accepted.next()).await.expect("in time");
                caller.expect("it goes on");
            }
            drop(stop);
            say.send(()).expect("somebody waits for it");
            timeout(NEVER, accepting)
                .await
                .expect("in time")
                .expect("it ends");
        });
        assert_eq!(ends.try_recv(), Ok(true), "nobody was heard meanwhile");
        assert!(!path.exists());
    }
}
