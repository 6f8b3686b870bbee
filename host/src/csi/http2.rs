//! HTTP/2, which gRPC speaks, on connections that were accepted.
//!
//! As tonic's own server would do it, without what that puts around each call: several boxes, a timer that runs out in few
//! of them, and a table of routes with patterns.

use std::convert::Infallible;
use std::pin::pin;

use hyper::body::Incoming;
use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::watch;
use tokio_stream::{Stream, StreamExt};
use tonic::body::Body;

use super::deadline::{InTime, patience};

/// Answers them until nobody comes any more and all calls in flight have their answers.
pub(super) async fn answer_all<C, S, A>(accepted: impl Stream<Item = C>, service: S)
where
    C: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    S: Fn(Request<Incoming>) -> A + Clone + Send + 'static,
    A: Future<Output = Result<Response<Body>, Infallible>> + Send + Unpin + 'static,
{
    let (open, last_call) = watch::channel(());
    let mut accepted = pin!(accepted);
    while let Some(connection) = accepted.next().await {
        tokio::spawn(answer(connection, service.clone(), last_call.clone()));
    }
    drop(last_call);
    // Nobody listens where nobody is connected.
    let _ = open.send(());
    open.closed().await;
}

/// Until the caller leaves, or is told that no more calls are taken and has the answers to those that it made.
async fn answer<C, S, A>(connection: C, service: S, mut last_call: watch::Receiver<()>)
where
    C: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    S: Fn(Request<Incoming>) -> A,
    A: Future<Output = Result<Response<Body>, Infallible>> + Send + Unpin + 'static,
{
    let in_time = service_fn(move |request: Request<Incoming>| {
        let patience = patience(request.headers());
        InTime::new(patience, service(request))
    });
    // How many calls run at once is bounded elsewhere, and callers of gRPC look at no clock of ours.
    let connection = http2::Builder::new(TokioExecutor::new())
        .max_concurrent_streams(None)
        .auto_date_header(false)
        .serve_connection(TokioIo::new(connection), in_time);
    let mut connection = pin!(connection);
    // Why a caller breaks off is nobody's concern here.
    tokio::select! {
        biased;
        _ = &mut connection => {}
        _ = last_call.changed() => {
            connection.as_mut().graceful_shutdown();
            let _ = connection.await;
        }
    }
}
