//! One request and its answer: look the name up, judge every address, connect to what passed.
//!
//! For guests' endpoints and for the host's own keys alike.

use std::net::IpAddr;
use std::path::Path;
use std::time::{Duration, Instant};

use super::error::BrokerError;
use super::worker_broker::WorkerBroker;
use crate::error::DriverError;
use crate::grant::{AddressGrant, Method, Origin};
use crate::sys;
use crate::worker::{Body, Credentials, HttpsMessage, HttpsRequest, HttpsResponse, Reply, Request};

/// Whom to ask, as the operator wrote it.
pub(super) struct Peer<'a> {
    /// For messages: `endpoint ecs`.
    pub(super) sender: String,
    pub(super) origin: &'a Origin,
    pub(super) addresses: &'a AddressGrant,
    pub(super) ca: Option<&'a Path>,
    /// Look-up included.
    pub(super) timeout: Duration,
    pub(super) max_response_bytes: usize,
}

/// What to ask, encoded as it is to be sent.
pub(super) struct Message {
    pub(super) method: Method,
    pub(super) target: String,
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: Vec<u8>,
    pub(super) credentials: Credentials,
}

/// An answer comes as a line of base64, is decoded, and is copied for the guest: so many times its size, as
/// buffers grow by doubling.
const COPIES: usize = 6;

impl WorkerBroker {
    /// Any status is an answer.
    pub(super) fn exchange(
        &mut self,
        peer: &Peer<'_>,
        message: Message,
    ) -> Result<HttpsResponse, BrokerError> {
        let until = Instant::now() + peer.timeout;
        let ca = peer.ca.map(read_certificates).transpose()?;
        self.take_buffer(peer.max_response_bytes.saturating_mul(COPIES))?;
        let addresses = self.checked_addresses(peer, until)?;
        let message = HttpsMessage {
            sender: peer.sender.clone(),
            method: message.method.name().to_owned(),
            origin: peer.origin.to_string(),
            target: message.target,
            addresses,
            port: peer.origin.port(),
            headers: message.headers,
            body: Body::new(message.body),
            credentials: message.credentials,
            ca,
            // A little less than we wait: a worker that gives up by itself says more than one that is killed,
            // and keeps its other connections.
            timeout: peer.timeout * 9 / 10,
            max_response_bytes: peer.max_response_bytes,
        };
        let request = Request::Https(HttpsRequest::Send(Box::new(message)));
        let Reply::Https(response) = self.ask_worker_until(request, until)? else {
            let message = "the worker did not answer a request with a response";
            return Err(DriverError::internal(message).into());
        };
        Ok(response)
    }

    fn checked_addresses(
        &mut self,
        peer: &Peer<'_>,
        until: Instant,
    ) -> Result<Vec<IpAddr>, BrokerError> {
        let host = peer.origin.host();
        let found = match host.parse() {
            Ok(address) => vec![address],
            Err(_) => self.look_up(host, until)?,
        };
        let allowed = peer.addresses.allowed(host, &found)?;
        match allowed.is_empty() {
            true => Err(DriverError::unavailable(format!("{host:?} has no address")).into()),
            false => Ok(allowed),
        }
    }

    fn look_up(&mut self, host: &str, until: Instant) -> Result<Vec<IpAddr>, DriverError> {
        let request = Request::Https(HttpsRequest::Resolve {
            host: host.to_owned(),
        });
        let Reply::Addresses(addresses) = self.ask_worker_until(request, until)? else {
            return Err(DriverError::internal(
                "the worker did not answer a look-up with addresses",
            ));
        };
        Ok(addresses)
    }
}

/// Read here, where it can be seen who may write the file; the worker reads no files of ours.
fn read_certificates(file: &Path) -> Result<Body, DriverError> {
    sys::read_trusted(file).map(Body::new).map_err(|error| {
        DriverError::failed_precondition(format!(
            "cannot use {}, which the grant names as ca",
            file.display()
        ))
        .caused_by(error)
    })
}
