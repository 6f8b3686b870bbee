//! `https`: requests to granted origins.

use wasmtime::component::Resource;

use super::Answered;
use crate::bindings::drivebay::driver::https::{Endpoint, Host, HostEndpoint, Request, Response};
use crate::broker::{self, Ask, EndpointHandle, HttpsAsk, Private};
use crate::runtime::state::State;

impl Host for State {
    fn open_endpoint(&mut self, name: String) -> Answered<Resource<Endpoint>> {
        let endpoint = self.ask(HttpsAsk::OpenEndpoint { name }, super::read!(Endpoint))?;
        Ok(endpoint.map(|endpoint| Resource::new_own(endpoint.0)))
    }

    fn sleep(&mut self, milliseconds: u32) -> Answered<()> {
        self.ask_to(HttpsAsk::Sleep { milliseconds })
    }
}

pub(super) fn handle(endpoint: &Resource<Endpoint>) -> EndpointHandle {
    EndpointHandle(endpoint.rep())
}

impl HostEndpoint for State {
    fn authority(&mut self, it: Resource<Endpoint>) -> wasmtime::Result<String> {
        let endpoint = handle(&it);
        self.ask_surely(HttpsAsk::Authority { endpoint }, super::read!(Authority))
    }

    fn region(&mut self, it: Resource<Endpoint>) -> wasmtime::Result<Option<String>> {
        let endpoint = handle(&it);
        self.ask_surely(HttpsAsk::Region { endpoint }, super::read!(Region))
    }

    fn send(&mut self, it: Resource<Endpoint>, request: Request) -> Answered<Response> {
        let (endpoint, request) = (handle(&it), plain(request));
        self.receive(HttpsAsk::Send { endpoint, request })
    }

    fn drop(&mut self, it: Resource<Endpoint>) -> wasmtime::Result<()> {
        self.give_back(handle(&it))
    }
}

impl State {
    pub(super) fn receive(&mut self, ask: impl Into<Ask>) -> Answered<Response> {
        let response = self.ask(ask, super::read!(Response))?;
        Ok(response.map(|response| Response {
            status: response.status,
            headers: response.headers.0,
            body: response.body.0,
        }))
    }
}

pub(super) fn plain(request: Request) -> broker::Request {
    broker::Request {
        method: request.method,
        path: request.path,
        query: Private(request.query),
        headers: Private(request.headers),
        body: Private(request.body),
    }
}
