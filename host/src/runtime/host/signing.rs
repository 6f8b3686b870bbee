//! `signing`: signatures by keys that stay below the line.

use wasmtime::component::Resource;

use super::Answered;
use crate::bindings::drivebay::driver::signing::{Algorithm, Host, HostSigningKey, SigningKey};
use crate::broker::{Ask, Private, SigningAsk, SigningKeyHandle};
use crate::runtime::state::State;

impl Host for State {
    fn open_key(&mut self, name: String) -> Answered<Resource<SigningKey>> {
        self.open_signing_key(SigningAsk::OpenKey { name })
    }

    fn now_seconds(&mut self) -> wasmtime::Result<u64> {
        self.ask_surely(SigningAsk::NowSeconds {}, super::read!(Seconds))
    }

    fn nonce(&mut self) -> wasmtime::Result<Vec<u8>> {
        let nonce = self.ask_surely(SigningAsk::Nonce {}, super::read!(Nonce))?;
        Ok(nonce.0)
    }

    fn sha256(&mut self, message: Vec<u8>) -> wasmtime::Result<Vec<u8>> {
        let message = Private(message);
        let hash = self.ask_surely(SigningAsk::Sha256 { message }, super::read!(Hash))?;
        Ok(hash.0)
    }
}

impl State {
    pub(super) fn open_signing_key(
        &mut self,
        ask: impl Into<Ask>,
    ) -> Answered<Resource<SigningKey>> {
        let key = self.ask(ask, super::read!(SigningKey))?;
        Ok(key.map(|key| Resource::new_own(key.0)))
    }
}

fn handle(key: &Resource<SigningKey>) -> SigningKeyHandle {
    SigningKeyHandle(key.rep())
}

impl HostSigningKey for State {
    fn id(&mut self, it: Resource<SigningKey>) -> Answered<String> {
        let signing_key = handle(&it);
        self.ask(SigningAsk::Id { signing_key }, super::read!(KeyId))
    }

    fn session_token(&mut self, it: Resource<SigningKey>) -> Answered<Option<String>> {
        let signing_key = handle(&it);
        let ask = SigningAsk::SessionToken { signing_key };
        let token = self.ask(ask, super::read!(SessionToken))?;
        Ok(token.map(|token| token.0))
    }

    fn sign(
        &mut self,
        it: Resource<SigningKey>,
        algorithm: Algorithm,
        message: Vec<u8>,
    ) -> Answered<Vec<u8>> {
        let ask = SigningAsk::Sign {
            signing_key: handle(&it),
            algorithm,
            message: Private(message),
        };
        let signature = self.ask(ask, super::read!(Signature))?;
        Ok(signature.map(|signature| signature.0))
    }

    fn drop(&mut self, it: Resource<SigningKey>) -> wasmtime::Result<()> {
        self.give_back(handle(&it))
    }
}
