//! `https`: requests to granted origins.

mod request;

use std::time::{Duration, Instant};

use super::answer::{Answer, Response};
use super::ask::{HttpsAsk, Request};
use super::error::BrokerError;
use super::handle::EndpointHandle;
use super::http_exchange::Peer;
use super::name_length::nameable;
use super::private::Private;
use super::worker_broker::WorkerBroker;
use crate::error::DriverError;
use crate::grant::{Capability, HttpsGrant, Refusal};
use crate::sys;
use crate::worker::Credentials;

pub(super) use request::percent_encoded;

impl WorkerBroker {
    pub(super) fn https(&mut self, ask: HttpsAsk) -> Result<Answer, BrokerError> {
        match ask {
            HttpsAsk::Authority { endpoint } => {
                let authority = self.granted(endpoint)?.origin.authority();
                Ok(Answer::Authority(authority))
            }
            HttpsAsk::Region { endpoint } => {
                Ok(Answer::Region(self.granted(endpoint)?.region.clone()))
            }
            HttpsAsk::Send { endpoint, request } => {
                let grant = self.granted(endpoint)?.clone();
                let response = self.send_granted(&grant, request, Credentials::OfDriver)?;
                Ok(Answer::Response(response))
            }
            HttpsAsk::OpenEndpoint { name } => {
                nameable(&name)?;
                self.endpoint_grant(&name)?;
                Ok(Answer::Endpoint(self.held.insert_endpoint(name)?))
            }
            HttpsAsk::Sleep { milliseconds } => Ok(self.sleep(milliseconds)?),
        }
    }

    /// Sleeping costs no processor time, so only the deadline can forbid it.
    fn sleep(&mut self, milliseconds: u32) -> Result<Answer, DriverError> {
        let pause = Duration::from_millis(milliseconds.into());
        if Instant::now() + pause >= self.deadline {
            return Err(beyond_the_deadline(pause));
        }
        std::thread::sleep(pause);
        self.report.waited += pause;
        Ok(Answer::Done)
    }

    fn endpoint_grant(&self, name: &str) -> Result<&HttpsGrant, Refusal> {
        self.grants.https.get(name).ok_or_else(|| Refusal {
            capability: Capability::Https,
            scope: format!("endpoint {name:?}"),
            grant: format!(
                "grants.https has {:?}",
                self.grants.https.keys().collect::<Vec<_>>()
            ),
        })
    }

    /// The grant behind a handle; there is none without.
    pub(super) fn granted(&self, endpoint: EndpointHandle) -> Result<&HttpsGrant, BrokerError> {
        let name = self.held.endpoint(endpoint)?;
        Ok(self.endpoint_grant(name)?)
    }

    /// Checked before anything is counted, counted before anything is sent, a look-up included: a guest
    /// cannot keep anyone busy.
    pub(super) fn send_granted(
        &mut self,
        grant: &HttpsGrant,
        request: Request,
        credentials: Credentials,
    ) -> Result<Response, BrokerError> {
        let mut message = request::checked(grant, request)?;
        message.credentials = credentials;
        self.count_request(grant)?;
        let peer = Peer {
            sender: format!("endpoint {}", grant.name),
            origin: &grant.origin,
            addresses: &grant.addresses,
            ca: grant.ca.as_deref(),
            timeout: grant.timeout,
            max_response_bytes: grant.max_response_bytes,
        };
        let response = self.exchange(&peer, message)?;
        Ok(Response {
            status: response.status,
            headers: Private(response.headers),
            body: Private(response.body.as_bytes().to_vec()),
        })
    }

    /// Fixed minutes of the clock, as clouds count them.
    fn count_request(&self, grant: &HttpsGrant) -> Result<(), DriverError> {
        let now = sys::now_seconds();
        let file = self.driver.rate_file(&grant.name);
        let count = sys::count_in_window(&file, now / 60, self.deadline).map_err(|error| {
            DriverError::unavailable(format!("cannot count requests to endpoint {}", grant.name))
                .caused_by(error)
        })?;
        match count > grant.rate {
            false => Ok(()),
            true => Err(DriverError::unavailable(format!(
                "this node has made {} requests to endpoint {} this minute (grants.https.{}.rate); the next one is possible in {} s",
                grant.rate,
                grant.name,
                grant.name,
                60 - now % 60
            ))),
        }
    }
}

/// Why a guest may not sleep so long.
pub(super) fn beyond_the_deadline(pause: Duration) -> DriverError {
    DriverError::unavailable(format!(
        "the call's deadline comes before the end of a pause of {pause:?} (limits.deadline)"
    ))
}

#[cfg(test)]
mod tests;
