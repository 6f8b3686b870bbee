//! `secret-keys`: signing keys that a call brought.

use wasmtime::component::Resource;

use super::Answered;
use crate::bindings::drivebay::driver::secret_keys::{Host, Secret, SigningKey};
use crate::broker::{SecretHandle, SecretKeysAsk};
use crate::runtime::state::State;

impl Host for State {
    fn open_key(
        &mut self,
        id: String,
        secret: Resource<Secret>,
        session_token: Option<Resource<Secret>>,
    ) -> Answered<Resource<SigningKey>> {
        self.open_signing_key(SecretKeysAsk::OpenKey {
            id,
            secret: SecretHandle(secret.rep()),
            session_token: session_token.map(|token| SecretHandle(token.rep())),
        })
    }
}
