//! `GET /metrics` and `GET /healthz`, on a Unix socket beneath the run directory and, where the operator
//! wants it, at an address.
//!
//! Small answers for few callers: one request a connection, some connections at once, each for a short time. kubelet
//! restarts a process whose health it cannot ask, so that nobody else's connections may keep it from asking.

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
use tokio_stream::wrappers::{TcpListenerStream, UnixListenerStream};
use tokio_stream::{Stream, StreamExt};

use super::Metrics;
use super::connections::{Connections, Peer};
use crate::sys;

/// From accepting to the last byte, which takes milliseconds.
const CONNECTION_TIMEOUT: Duration = Duration::from_secs(5);

/// For a request's head: a line, and some headers.
const MAX_HEAD: usize = 8 << 10;

/// Where accepting fails for a reason that stays for a while, as too many open files; or an address is somebody else's.
const PAUSE: Duration = Duration::from_secs(1);

const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
const PLAIN: &str = "text/plain; charset=utf-8";

/// Open sockets, before there are threads.
#[derive(Debug)]
pub(in crate::csi) struct Listeners {
    address: Option<Address>,
    socket: Option<(SocketFile, std::os::unix::net::UnixListener)>,
}

/// The operator's.
#[derive(Debug)]
enum Address {
    Listened(std::net::TcpListener),
    /// The process before this one has it, until it ends.
    Awaited(SocketAddr),
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
        tell(listener.local_addr()?);
        Ok(Self::Listened(listener))
    }

    async fn listener(self) -> io::Result<TcpListener> {
        let address = match self {
            Self::Listened(listener) => return TcpListener::from_std(listener),
            Self::Awaited(address) => address,
        };
        loop {
            match TcpListener::bind(address).await {
                Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
                    tokio::time::sleep(PAUSE).await;
                }
                bound => {
                    tell(address);
                    return bound;
                }
            }
        }
    }
}

fn tell(address: SocketAddr) {
    tracing::info!(%address, "metrics at /metrics, health at /healthz");
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
        address: Option<SocketAddr>,
        occupied: Occupied,
    ) -> io::Result<Self> {
        let address = address.map(|address| Address::listen(address, occupied));
        let address = address.transpose()?;
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
            socket: socket.ok(),
        })
    }

    /// Answers until the runtime ends. What comes back has to be kept as long as that.
    pub(in crate::csi) fn answer(self, metrics: &Metrics) -> io::Result<Option<SocketFile>> {
        if let Some(address) = self.address {
            tokio::spawn(answer_at(address, metrics.clone()));
        }
        let Some((path, listener)) = self.socket else {
            return Ok(None);
        };
        let incoming = UnixListenerStream::new(UnixListener::from_std(listener)?);
        tokio::spawn(answer_all(incoming, metrics.clone()));
        Ok(Some(path))
    }
}

async fn answer_at(address: Address, metrics: Metrics) {
    match address.listener().await {
        Ok(listener) => answer_all(TcpListenerStream::new(listener), metrics).await,
        Err(error) => tracing::error!(%error, "cannot serve metrics"),
    }
}

async fn answer_all<S, C>(mut incoming: S, metrics: Metrics)
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
        let (peer, metrics) = (connection.peer(), metrics.clone());
        let answering = tokio::spawn(async move {
            let answered = answer_one(connection, &metrics);
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

async fn answer_one<C>(connection: C, metrics: &Metrics) -> hyper::Result<()>
where
    C: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let answer = service_fn(|request: hyper::Request<hyper::body::Incoming>| {
        let response = answer(metrics, request.method(), request.uri().path());
        async move { Ok::<_, Infallible>(response) }
    });
    http1::Builder::new()
        .timer(TokioTimer::new())
        .keep_alive(false)
        .max_buf_size(MAX_HEAD)
        .serve_connection(TokioIo::new(connection), answer)
        .await
}

fn answer(metrics: &Metrics, method: &Method, path: &str) -> Response<String> {
    if method != Method::GET && method != Method::HEAD {
        let mut response = plain(StatusCode::METHOD_NOT_ALLOWED, "only GET\n".to_owned());
        response
            .headers_mut()
            .insert(ALLOW, hyper::header::HeaderValue::from_static("GET, HEAD"));
        return response;
    }
    match path {
        "/metrics" => match metrics.text() {
            Ok(text) => response(StatusCode::OK, OPEN_METRICS, text),
            Err(error) => plain(StatusCode::INTERNAL_SERVER_ERROR, format!("{error}\n")),
        },
        "/healthz" => health(&metrics.unready()),
        _ => plain(
            StatusCode::NOT_FOUND,
            "there are /metrics and /healthz\n".to_owned(),
        ),
    }
}

/// The same question as CSI's Probe, for all drivers of the process.
fn health(unready: &[&str]) -> Response<String> {
    match unready {
        [] => plain(StatusCode::OK, "ok\n".to_owned()),
        names => plain(
            StatusCode::SERVICE_UNAVAILABLE,
            format!(
                "not ready: {}; `drivebay check` says why\n",
                names.join(", ")
            ),
        ),
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
    fn only_two_paths_are_there_and_only_for_reading() {
        let metrics = Metrics::of(&[]);
        let status = |method: Method, path: &str| answer(&metrics, &method, path).status();
        assert_eq!(status(Method::GET, "/metrics"), StatusCode::OK);
        assert_eq!(status(Method::HEAD, "/healthz"), StatusCode::OK);
        assert_eq!(status(Method::GET, "/"), StatusCode::NOT_FOUND);
        assert_eq!(status(Method::GET, "/metrics/"), StatusCode::NOT_FOUND);
        assert_eq!(
            status(Method::POST, "/metrics"),
            StatusCode::METHOD_NOT_ALLOWED
        );
    }

    #[test]
    fn a_driver_that_is_not_ready_is_named() {
        let response = health(&["nfs", "local"]);
        assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert!(response.body().starts_with("not ready: nfs, local;"));
    }
}
