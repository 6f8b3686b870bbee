//! The three ports: the API with TLS, the metadata service and the control without.

pub(crate) mod control;
pub(crate) mod gateway;
pub(crate) mod metadata;
pub(crate) mod sts;

use std::sync::Arc;

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

use crate::service::Service;
use crate::wire::call::Call;

/// What a port answers, or that it hangs up.
pub(crate) type Reply = anyhow::Result<Response<Full<Bytes>>>;

/// Which of the ports.
#[derive(Clone)]
pub(crate) enum Port {
    Ecs(TlsAcceptor),
    Metadata,
    Control,
}

/// Takes connections until it is aborted, which ends its connections too.
pub(crate) async fn serve(listener: TcpListener, port: Port, service: Arc<Service>) {
    let mut connections = JoinSet::new();
    loop {
        // Connections that are over are let go of as others come.
        while connections.try_join_next().is_some() {}
        let Ok((stream, _)) = listener.accept().await else {
            // Out of descriptors, most likely; others will close theirs.
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
            continue;
        };
        // Answers are small, and clients wait for each.
        let _ = stream.set_nodelay(true);
        let (port, service) = (port.clone(), Arc::clone(&service));
        connections.spawn(async move {
            if let Port::Ecs(acceptor) = &port {
                // Clients that do not trust us hang up here; that is their affair.
                if let Ok(stream) = acceptor.accept(stream).await {
                    converse(stream, port, service).await;
                }
            } else {
                converse(stream, port, service).await;
            }
        });
    }
}

async fn converse(stream: impl AsyncRead + AsyncWrite + Unpin, port: Port, service: Arc<Service>) {
    let respond = service_fn(move |request| respond(port.clone(), Arc::clone(&service), request));
    let connection = http1::Builder::new().serve_connection(TokioIo::new(stream), respond);
    // An error here is a client that went away, or one we were told to hang up on.
    let _ = connection.await;
}

async fn respond(port: Port, service: Arc<Service>, request: Request<Incoming>) -> Reply {
    let call = Call::receive(request).await?;
    match port {
        Port::Ecs(_) => gateway::respond(service, call).await,
        Port::Metadata => metadata::respond(&service, &call),
        Port::Control => {
            let work = move || control::respond(&service, &call);
            tokio::task::spawn_blocking(work).await?
        }
    }
}
