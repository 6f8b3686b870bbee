//! `secret-requests`: requests to granted origins, with secrets.

use wasmtime::component::Resource;

use super::Answered;
use super::https::{handle, plain};
use crate::bindings::drivebay::driver::secret_requests::{
    BasicAuthentication, Endpoint, Host, Request, Response, SecretHeader, User,
};
use crate::broker::{self, SecretHandle, SecretRequestsAsk};
use crate::runtime::state::State;

impl Host for State {
    fn send(
        &mut self,
        endpoint: Resource<Endpoint>,
        request: Request,
        headers: Vec<SecretHeader>,
        basic: Option<BasicAuthentication>,
    ) -> Answered<Response> {
        self.receive(SecretRequestsAsk::Send {
            endpoint: handle(&endpoint),
            request: plain(request),
            headers: headers.into_iter().map(plain_header).collect(),
            basic: basic.map(plain_basic),
        })
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
