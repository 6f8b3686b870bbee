//! `GET /metrics`, `/livez` and `/readyz`, on a Unix socket beneath the run directory and, where the operator wants it, at
//! an address or at a socket of that name.
//!
//! Small answers for few callers: one request a connection, some connections at once, each for a short time. kubelet
//! restarts a process whose health it cannot ask, so that nobody else's connections may keep it from asking.
//!
//! In `serve` the thread that answers here carries every call of the process: that it answers is all that `/livez` says, since
//! a restart mends nothing else. `/healthz` is another name for it, as the CSI project's livenessprobe has it.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use hyper::header::{ALLOW, CONTENT_TYPE};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};
use tokio::sync::watch;
use tokio_stream::wrappers::{TcpListenerStream, UnixListenerStream};
use tokio_stream::{Stream, StreamExt};

use super::connections::{Connections, Peer};
use super::{Metrics, MetricsAddress};
use crate::csi::accept::{Acceptor, TakeBack};
use crate::csi::graceful_close::Connection;
use crate::csi::health::Health;
use crate::sys::{self, SocketName};

/// From accepting to the last byte, which takes milliseconds.
const CONNECTION_TIMEOUT: Duration = Duration::from_secs(5);

/// For a request's head: a line, and some headers.
const MAX_HEAD: usize = 8 << 10;

/// Where accepting fails for a reason that stays for a while, as too many open files; or an address is somebody else's.
const PAUSE: Duration = Duration::from_secs(1);

const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
const PLAIN: &str = "text/plain; charset=utf-8";

/// All that there is to say.
const OK: &str = "ok\n";

/// What is told; clones share it. Nothing of it waits for anybody.
pub trait Pages: Clone + Send + Sync + 'static {
    /// `/metrics`, in `OpenMetrics`' text format.
    ///
    /// # Errors
    /// What is counted cannot be written.
    fn metrics(&self) -> Result<String, std::fmt::Error>;

    /// `/livez`: one line for each thing that a restart would mend.
    fn hangs(&self) -> Vec<String>;

    /// `/readyz`: one line for each thing that is wrong.
    fn troubles(&self) -> Vec<String>;
}

/// Of who serves CSI.
#[derive(Debug, Clone)]
pub(in crate::csi) struct ServePages {
    pub(in crate::csi) metrics: Metrics,
    pub(in crate::csi) health: Health,
}

impl Pages for ServePages {
    fn metrics(&self) -> Result<String, std::fmt::Error> {
        self.metrics.text()
    }

    /// That this is answered is all that there is to say: the thread that does carries every call.
    fn hangs(&self) -> Vec<String> {
        Vec::new()
    }

    fn troubles(&self) -> Vec<String> {
        self.health.troubles()
    }
}

/// Where a process that serves no CSI tells how it is.
#[derive(Debug)]
pub struct MetricsListener(Address);

impl MetricsListener {
    /// At that address, or at a socket of that name.
    ///
    /// # Errors
    /// Where it cannot be had.
    pub fn open(address: &MetricsAddress) -> io::Result<Self> {
        match address {
            MetricsAddress::Tcp(address) => Address::listen(*address, Occupied::ForGood),
            MetricsAddress::Unix(path) => Address::take_over(path.clone()),
        }
        .map(Self)
    }

    /// Answers for as long as it is polled.
    ///
    /// # Errors
    /// Where the socket cannot be used.
    pub async fn answer(self, pages: impl Pages) -> io::Result<()> {
        self.0.answer(pages).await
    }
}

/// Open sockets, before there are threads.
#[derive(Debug)]
pub(in crate::csi) struct Listeners {
    address: Option<Address>,
    /// The operator's socket, which is to be taken over.
    wanted: Option<PathBuf>,
    socket: Option<(SocketFile, std::os::unix::net::UnixListener)>,
}

/// The operator's.
#[derive(Debug)]
enum Address {
    Listened(std::net::TcpListener),
    /// The process before this one has it, until it ends.
    Awaited(SocketAddr),
    /// A socket with that name, which goes from one process to the next.
    Named(SocketName, std::os::unix::net::UnixListener),
}

/// Whether an address that somebody has becomes free.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::csi) enum Occupied {
    /// Somebody has it whom we know nothing of.
    ForGood,
    /// By the process that this one takes over from, which is about to be stopped.
    ForAWhile,
}

impl Address {
    fn listen(address: SocketAddr, occupied: Occupied) -> io::Result<Self> {
        let listener = match std::net::TcpListener::bind(address) {
            Err(error)
                if error.kind() == io::ErrorKind::AddrInUse && occupied == Occupied::ForAWhile =>
            {
                tracing::info!(%address, "metrics are served there as soon as the process before this one has ended");
                return Ok(Self::Awaited(address));
            }
            bound => bound?,
        };
        listener.set_nonblocking(true)?;
        tell(&MetricsAddress::Tcp(listener.local_addr()?));
        Ok(Self::Listened(listener))
    }

    fn take_over(path: PathBuf) -> io::Result<Self> {
        let (name, listener, _) = SocketName::take_over(&path)?;
        tell(&MetricsAddress::Unix(path));
        Ok(Self::Named(name, listener))
    }

    /// Until the runtime ends.
    async fn answer(self, pages: impl Pages) -> io::Result<()> {
        let listener = match self {
            Self::Listened(listener) => TcpListener::from_std(listener)?,
            Self::Awaited(address) => awaited(address).await?,
            Self::Named(name, listener) => return answer_at_name(name, listener, pages).await,
        };
        answer_all(TcpListenerStream::new(listener), pages).await;
        Ok(())
    }
}

async fn awaited(address: SocketAddr) -> io::Result<TcpListener> {
    loop {
        match TcpListener::bind(address).await {
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
                tokio::time::sleep(PAUSE).await;
            }
            bound => {
                tell(&MetricsAddress::Tcp(address));
                return bound;
            }
        }
    }
}

async fn answer_at_name(
    name: SocketName,
    listener: std::os::unix::net::UnixListener,
    pages: impl Pages,
) -> io::Result<()> {
    let upkeep = Box::new(TakeBack::of_any());
    let (acceptor, (accepted, _)) = Acceptor::new(name, listener, upkeep)?;
    // Nobody stops it but the end of the runtime.
    let (_running, stop) = watch::channel(());
    let accepted = accepted.map(Ok);
    tokio::join!(acceptor.accept_until(stop), answer_all(accepted, pages));
    Ok(())
}

fn tell(address: &MetricsAddress) {
    tracing::info!(%address, "metrics at /metrics, health at /livez and /readyz");
}

/// A socket of ours; removed when this is dropped.
#[derive(Debug)]
pub(in crate::csi) struct SocketFile(PathBuf);

impl Drop for SocketFile {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

impl Listeners {
    /// In that directory, and at that address. Without the directory calls are served all the same, and
    /// `drivebay status` does not see them.
    ///
    /// # Errors
    /// Where the address cannot be had.
    pub(in crate::csi) fn open(
        directory: &Path,
        address: Option<&MetricsAddress>,
        occupied: Occupied,
    ) -> io::Result<Self> {
        let (address, wanted) = match address {
            Some(MetricsAddress::Tcp(address)) => {
                (Some(Address::listen(*address, occupied)?), None)
            }
            Some(MetricsAddress::Unix(path)) => (None, Some(path.clone())),
            None => (None, None),
        };
        let socket = sys::listen_in(directory).and_then(|(path, listener)| {
            let path = SocketFile(path);
            listener.set_nonblocking(true)?;
            Ok((path, listener))
        });
        let socket = socket.map_err(|error| {
            tracing::warn!(%error, directory = %directory.display(), "drivebay status will not see this process");
        });
        Ok(Self {
            address,
            wanted,
            socket: socket.ok(),
        })
    }

    /// Takes over the operator's socket, of which whoever has it now goes on answering until then.
    ///
    /// # Errors
    /// Where it cannot be had.
    pub(in crate::csi) fn take_name(mut self) -> io::Result<Self> {
        if let Some(path) = self.wanted.take() {
            self.address = Some(Address::take_over(path)?);
        }
        Ok(self)
    }

    /// Answers until the runtime ends. What comes back has to be kept as long as that.
    pub(in crate::csi) fn answer(self, pages: &impl Pages) -> io::Result<Option<SocketFile>> {
        if let Some(address) = self.address {
            let answered = address.answer(pages.clone());
            tokio::spawn(async move {
                if let Err(error) = answered.await {
                    tracing::error!(%error, "cannot serve metrics");
                }
            });
        }
        let Some((path, listener)) = self.socket else {
            return Ok(None);
        };
        let incoming = UnixListenerStream::new(UnixListener::from_std(listener)?);
        tokio::spawn(answer_all(incoming, pages.clone()));
        Ok(Some(path))
    }
}

async fn answer_all<S, C>(mut incoming: S, pages: impl Pages)
where
    S: Stream<Item = io::Result<C>> + Unpin,
    C: Caller,
{
    let mut connections = Connections::default();
    while let Some(connection) = incoming.next().await {
        let connection = match connection {
            Ok(connection) => connection,
            Err(error) => {
                tracing::warn!(%error, "cannot accept a connection for metrics");
                tokio::time::sleep(PAUSE).await;
                continue;
            }
        };
        let (peer, pages) = (connection.peer(), pages.clone());
        let answering = tokio::spawn(async move {
            let answered = answer_one(connection, &pages);
            // Whoever hangs up, or does not speak HTTP, is nobody's concern.
            let _ = tokio::time::timeout(CONNECTION_TIMEOUT, answered).await;
        });
        connections.add(peer, answering.abort_handle());
        // What has been asked is answered before the next one is let in: a flood of connections would else end
        // each before it was looked at.
        tokio::task::yield_now().await;
    }
}

/// Somebody who connected.
trait Caller: AsyncRead + AsyncWrite + Unpin + Send + 'static {
    fn peer(&self) -> Peer;
}

impl Caller for TcpStream {
    fn peer(&self) -> Peer {
        Peer::of(self.peer_addr().ok())
    }
}

impl Caller for UnixStream {
    fn peer(&self) -> Peer {
        Peer::of(None)
    }
}

impl Caller for Connection {
    fn peer(&self) -> Peer {
        Peer::of(None)
    }
}

async fn answer_one<C>(connection: C, pages: &impl Pages) -> hyper::Result<()>
where
    C: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let answer = service_fn(|request: hyper::Request<hyper::body::Incoming>| {
        let response = answer(pages, request.method(), request.uri().path());
        async move { Ok::<_, Infallible>(response) }
    });
    http1::Builder::new()
        .timer(TokioTimer::new())
        .keep_alive(false)
        .max_buf_size(MAX_HEAD)
        .serve_connection(TokioIo::new(connection), answer)
        .await
}

fn answer(pages: &impl Pages, method: &Method, path: &str) -> Response<String> {
    if method != Method::GET && method != Method::HEAD {
        let mut response = plain(StatusCode::METHOD_NOT_ALLOWED, "only GET\n".to_owned());
        response
            .headers_mut()
            .insert(ALLOW, hyper::header::HeaderValue::from_static("GET, HEAD"));
        return response;
    }
    match path {
        "/metrics" => match pages.metrics() {
            Ok(text) => response(StatusCode::OK, OPEN_METRICS, text),
            Err(error) => plain(StatusCode::INTERNAL_SERVER_ERROR, format!("{error}\n")),
        },
        "/livez" | "/healthz" => well_unless(&pages.hangs()),
        "/readyz" => well_unless(&pages.troubles()),
        _ => plain(
            StatusCode::NOT_FOUND,
            "there are /metrics, /livez and /readyz\n".to_owned(),
        ),
    }
}

/// One line for each thing that is wrong.
fn well_unless(troubles: &[String]) -> Response<String> {
    match troubles {
        [] => plain(StatusCode::OK, OK.to_owned()),
        troubles => plain(StatusCode::SERVICE_UNAVAILABLE, troubles.join("\n") + "\n"),
    }
}

fn plain(status: StatusCode, text: String) -> Response<String> {
    response(status, PLAIN, text)
}

fn response(status: StatusCode, content: &'static str, body: String) -> Response<String> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    response.headers_mut().insert(
        CONTENT_TYPE,
        hyper::header::HeaderValue::from_static(content),
    );
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_paths_are_there_and_only_for_reading() {
        let pages = ServePages {
            metrics: Metrics::of(&[]),
            health: Health::of(&[]),
        };
        let status = |method: Method, path: &str| answer(&pages, &method, path).status();
        assert_eq!(status(Method::GET, "/metrics"), StatusCode::OK);
        for path in ["/livez", "/readyz", "/healthz"] {
            assert_eq!(status(Method::HEAD, path), StatusCode::OK, "{path}");
        }
        assert_eq!(status(Method::GET, "/"), StatusCode::NOT_FOUND);
        assert_eq!(status(Method::GET, "/metrics/"), StatusCode::NOT_FOUND);
        assert_eq!(
            status(Method::POST, "/metrics"),
            StatusCode::METHOD_NOT_ALLOWED
        );
    }

    #[test]
    fn each_driver_with_which_something_is_wrong_has_a_line() {
        assert_eq!(well_unless(&[]).status(), StatusCode::OK);
        let response = well_unless(&["nfs: not ready".to_owned(), "local: refused".to_owned()]);
        assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(response.body(), "nfs: not ready\nlocal: refused\n");
    }
}
