//! `https`: requests to granted origins.

mod request;

use std::time::{Duration, Instant};

use wasmtime::component::Resource;

use super::CallContext;
use super::handle::Endpoint;
use super::http_exchange::Peer;
use super::name::nameable;
use crate::bindings::drivebay::driver::https::{Host, HostEndpoint, Request, Response};
use crate::bindings::drivebay::driver::types;
use crate::error::DriverError;
use crate::grant::{Capability, HttpsGrant, Refusal};
use crate::sys;

pub(super) use request::percent_encoded;

type Answer<T> = wasmtime::Result<Result<T, types::Error>>;

impl Host for CallContext {
    fn open_endpoint(&mut self, name: String) -> Answer<Resource<Endpoint>> {
        let granted = nameable(&name).and_then(|()| Ok(self.endpoint_grant(&name).map(drop)?));
        match granted {
            Ok(()) => Ok(Ok(self.table.push(Endpoint { name })?)),
            Err(error) => Ok(Err(self.tell(&error))),
        }
    }

    /// Sleeping costs no processor time, so only the deadline can forbid it.
    fn sleep(&mut self, milliseconds: u32) -> Answer<()> {
        let pause = Duration::from_millis(milliseconds.into());
        if Instant::now() + pause >= self.deadline {
            let error = DriverError::unavailable(format!(
                "the call's deadline comes before the end of a pause of {pause:?} (limits.deadline)"
            ));
            return Ok(Err(self.tell(&error)));
        }
        std::thread::sleep(pause);
        self.waited += pause;
        Ok(Ok(()))
    }
}

impl HostEndpoint for CallContext {
    fn authority(&mut self, endpoint: Resource<Endpoint>) -> wasmtime::Result<String> {
        Ok(self.granted(&endpoint)?.origin.authority())
    }

    fn region(&mut self, endpoint: Resource<Endpoint>) -> wasmtime::Result<Option<String>> {
        Ok(self.granted(&endpoint)?.region.clone())
    }

    fn send(&mut self, endpoint: Resource<Endpoint>, request: Request) -> Answer<Response> {
        let grant = self.granted(&endpoint)?.clone();
        let answer = self.send_granted(&grant, request);
        Ok(answer.map_err(|error| self.tell(&error)))
    }

    fn drop(&mut self, endpoint: Resource<Endpoint>) -> wasmtime::Result<()> {
        self.table.delete(endpoint)?;
        Ok(())
    }
}

impl CallContext {
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
    fn granted(&self, endpoint: &Resource<Endpoint>) -> wasmtime::Result<&HttpsGrant> {
        let name = &self.table.get(endpoint)?.name;
        Ok(self.endpoint_grant(name).map_err(DriverError::from)?)
    }

    /// Checked before anything is counted, counted before anything is sent, a look-up included: a guest
    /// cannot keep anyone busy.
    fn send_granted(
        &mut self,
        grant: &HttpsGrant,
        request: Request,
    ) -> Result<Response, DriverError> {
        let message = request::checked(grant, request)?;
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
            headers: response.headers,
            body: response.body.as_bytes().to_vec(),
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

#[cfg(test)]
mod tests;
