//! The child's side: give up all privilege, then make requests until there are no more.

use std::io;

use super::super::https::Client;
use super::super::pool::IDLE;
use super::super::serve::answer_all;
use super::super::{Fault, FaultKind, HttpsRequest, Reply, Request, remote};
use super::privileges;

/// The whole life of such a worker; the caller exits afterwards.
///
/// # Errors
/// Where its pipes break.
pub(in crate::sys::worker) fn serve() -> io::Result<()> {
    let harmless = privileges::give_up().map_err(|errno| {
        let message = format!(
            "cannot give up root's privileges before speaking to the network: {}; the host needs CAP_SETUID and CAP_SETGID",
            errno.desc()
        );
        Fault::new(FaultKind::Other, message)
    });
    let mut client = Client::default();
    answer_all(Some(IDLE), |request, _| {
        harmless.clone()?;
        carry_out(request, &mut client)
    })
}

fn carry_out(request: Request, client: &mut Client) -> Result<Reply, Fault> {
    let Request::Https(request) = request else {
        let message = "a worker of the network was asked for something else";
        return Err(Fault::new(FaultKind::Invalid, message));
    };
    match request {
        HttpsRequest::Resolve { host } => remote::resolve(&host).map(Reply::Addresses),
        HttpsRequest::Send(message) => client.send(&message).map(Reply::Https),
    }
}
