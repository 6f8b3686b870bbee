//! `https`: requests to granted origins.

use wasmtime::component::Resource;

use super::Answered;
use crate::bindings::drivebay::driver::https::{
    BasicAuthentication, Endpoint, Host, HostEndpoint, Request, Response, SecretHeader, User,
};
use crate::broker::{self, EndpointHandle, HttpsAsk, Private, SecretHandle};
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

fn handle(endpoint: &Resource<Endpoint>) -> EndpointHandle {
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

    fn send_with_secrets(
        &mut self,
        it: Resource<Endpoint>,
        request: Request,
        headers: Vec<SecretHeader>,
        basic: Option<BasicAuthentication>,
    ) -> Answered<Response> {
        self.receive(HttpsAsk::SendWithSecrets {
            endpoint: handle(&it),
            request: plain(request),
            headers: headers.into_iter().map(plain_header).collect(),
            basic: basic.map(plain_basic),
        })
    }

    fn drop(&mut self, it: Resource<Endpoint>) -> wasmtime::Result<()> {
        self.give_back(handle(&it))
    }
}

impl State {
    fn receive(&mut self, ask: HttpsAsk) -> Answered<Response> {
        let response = self.ask(ask, super::read!(Response))?;
        Ok(response.map(|response| Response {
            status: response.status,
            headers: response.headers.0,
            body: response.body.0,
        }))
    }
}

fn plain_header(header: SecretHeader) -> broker::SecretHeader {
    broker::SecretHeader {
        name: header.name,
        prefix: header.prefix,
        secret: SecretHandle(header.secret.rep()),
    }
}

fn plain_basic(basic: BasicAuthentication) -> broker::BasicAuthentication {
    broker::BasicAuthentication {
        user: match basic.user {
            User::Name(name) => broker::User::Name(name),
            User::Secret(secret) => broker::User::Secret(SecretHandle(secret.rep())),
        },
        password: SecretHandle(basic.password.rep()),
    }
}

fn plain(request: Request) -> broker::Request {
    broker::Request {
        method: request.method,
        path: request.path,
        query: Private(request.query),
        headers: Private(request.headers),
        body: Private(request.body),
    }
}
