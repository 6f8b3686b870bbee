//! `secrets`: handles of what the call brought.

use wasmtime::component::Resource;

use super::Answered;
use crate::bindings::drivebay::driver::secrets::{Host, HostSecret, Secret};
use crate::broker::{SecretHandle, SecretsAsk};
use crate::runtime::state::State;

impl Host for State {
    fn open_secret(&mut self, name: String) -> Answered<Resource<Secret>> {
        let secret = self.ask(SecretsAsk::OpenSecret { name }, super::read!(Secret))?;
        Ok(secret.map(|secret| Resource::new_own(secret.0)))
    }
}

impl HostSecret for State {
    fn name(&mut self, it: Resource<Secret>) -> wasmtime::Result<String> {
        let secret = SecretHandle(it.rep());
        self.ask_surely(SecretsAsk::Name { secret }, super::read!(SecretName))
    }

    fn drop(&mut self, secret: Resource<Secret>) -> wasmtime::Result<()> {
        self.give_back(SecretHandle(secret.rep()))
    }
}
