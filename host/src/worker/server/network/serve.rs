//! The child's side: give up all privilege, then speak to the network until nothing more is asked.

use std::io;

use super::{privileges, resolve};
use crate::worker::command_line::IDLE;
use crate::worker::server::answer::answer_all;
#[cfg(feature = "network")]
use crate::worker::server::https::Client;
use crate::worker::{Fault, FaultKind, HttpsRequest, Reply, Request};

/// In a build without TLS: the one that looks names up for mounts.
#[cfg(not(feature = "network"))]
#[derive(Debug, Default)]
struct Client {}

/// The whole life of such a worker; the caller exits afterwards.
///
/// # Errors
/// Where its pipes break.
pub(in crate::worker::server) fn serve() -> io::Result<()> {
    let harmless = privileges::give_up().map_err(|error| {
        let message = format!(
            "cannot give up root's privileges before speaking to the network: {error}; the host needs CAP_SETUID and CAP_SETGID, and /proc"
        );
        Fault::new(FaultKind::Other, message)
    });
    let mut client = Client::default();
    answer_all(Some(IDLE), |request, _| {
        harmless.clone()?;
        carry_out(request, &mut client)
    })
}

#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "whatever else is asked is work for root, which this process is not"
)]
fn carry_out(request: Request, client: &mut Client) -> Result<Reply, Fault> {
    match request {
        Request::Resolve { host } => resolve::resolve(&host).map(Reply::Addresses),
        Request::Reach(server) => resolve::reach(&server).map(Reply::Reached),
        Request::Https(request) => over_https(request, client),
        _ => {
            let message = "a worker of the network was asked for something else";
            Err(Fault::new(FaultKind::Invalid, message))
        }
    }
}

#[cfg(feature = "network")]
fn over_https(request: HttpsRequest, client: &mut Client) -> Result<Reply, Fault> {
    match request {
        HttpsRequest::Resolve { host } => resolve::resolve(&host).map(Reply::Addresses),
        HttpsRequest::Send(message) => client.send(&message).map(Reply::Https),
    }
}

#[cfg(not(feature = "network"))]
fn over_https(request: HttpsRequest, _: &mut Client) -> Result<Reply, Fault> {
    let message = format!("{}: this build makes no requests", request.purpose());
    Err(Fault::new(FaultKind::Unsupported, message))
}
