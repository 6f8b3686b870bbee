//! `signing`: signatures by keys that stay here.
//!
//! A guest gets a key's public id, what has to be sent along, and signatures. The secret is in this
//! process's memory while it is needed, and nowhere else: not on disk, not in a log line, not in an error.

mod answer;
mod cache;
mod key;
mod local;
mod remote;
mod renewal;
mod time;

use std::sync::Arc;

use sha2::{Digest, Sha256};
use wasmtime::component::Resource;

use super::CallContext;
use super::handle::SigningKey;
use super::known_value::known_value;
use super::name::nameable;
use crate::bindings::drivebay::driver::signing::{Host, HostSigningKey};
use crate::bindings::drivebay::driver::types;
use crate::error::DriverError;
use crate::grant::{Capability, KeySource, Refusal, SigningGrant};
use crate::sys;

pub(crate) use cache::KeyCache;
pub(crate) use key::CallKeys;
use key::{Algorithm, Key};

type Answer<T> = wasmtime::Result<Result<T, types::Error>>;

impl Host for CallContext {
    /// Fetches nothing yet: that happens when something is asked of the key.
    fn open_key(&mut self, name: String) -> Answer<Resource<SigningKey>> {
        let granted = nameable(&name).and_then(|()| Ok(self.signing_grant(&name).map(drop)?));
        match granted {
            Ok(()) => Ok(Ok(self.table.push(SigningKey { name })?)),
            Err(error) => Ok(Err(self.tell(&error))),
        }
    }

    fn now_seconds(&mut self) -> wasmtime::Result<u64> {
        Ok(sys::now_seconds())
    }

    fn nonce(&mut self) -> wasmtime::Result<Vec<u8>> {
        Ok(sys::random_bytes()?.to_vec())
    }

    fn sha256(&mut self, message: Vec<u8>) -> wasmtime::Result<Vec<u8>> {
        Ok(Sha256::digest(message).to_vec())
    }
}

impl HostSigningKey for CallContext {
    fn id(&mut self, key: Resource<SigningKey>) -> Answer<String> {
        self.with_key(&key, |key| Ok(key.id.clone()))
    }

    fn session_token(&mut self, key: Resource<SigningKey>) -> Answer<Option<String>> {
        self.with_key(&key, Key::session_token)
    }

    fn sign(
        &mut self,
        key: Resource<SigningKey>,
        algorithm: String,
        message: Vec<u8>,
    ) -> Answer<Vec<u8>> {
        match known_value("algorithm", &algorithm, &Algorithm::NAMED) {
            Ok(algorithm) => self.with_key(&key, |key| key.sign(algorithm, &message)),
            Err(unknown) => Ok(Err(self.tell(&unknown))),
        }
    }

    fn drop(&mut self, key: Resource<SigningKey>) -> wasmtime::Result<()> {
        self.table.delete(key)?;
        Ok(())
    }
}

impl CallContext {
    fn signing_grant(&self, name: &str) -> Result<&SigningGrant, Refusal> {
        self.grants.signing.get(name).ok_or_else(|| Refusal {
            capability: Capability::Signing,
            scope: format!("key {name:?}"),
            grant: format!(
                "grants.signing has {:?}",
                self.grants.signing.keys().collect::<Vec<_>>()
            ),
        })
    }

    fn with_key<T>(
        &mut self,
        handle: &Resource<SigningKey>,
        answer: impl FnOnce(&Key) -> Result<T, DriverError>,
    ) -> Answer<T> {
        let name = self.table.get(handle)?.name.clone();
        let answer = self.key(&name).and_then(|key| answer(&key));
        Ok(answer.map_err(|error| self.tell(&error)))
    }

    /// The same key all through a call.
    fn key(&mut self, name: &str) -> Result<Arc<Key>, DriverError> {
        if let Some(key) = self.keys.get(name) {
            return Ok(Arc::clone(key));
        }
        let grant = self.signing_grant(name)?.clone();
        let key = match &grant.source {
            KeySource::File(source) => local::from_files(name, source).map(Arc::new)?,
            KeySource::Environment(source) => {
                local::from_environment(name, source, |variable| std::env::var(variable).ok())
                    .map(Arc::new)?
            }
            KeySource::Metadata(source) => {
                self.current(name, source.refresh_before, |context| {
                    context.fetch_from_metadata(name, source)
                })?
            }
            KeySource::Oidc(source) => self.current(name, source.refresh_before, |context| {
                context.fetch_by_oidc(name, source)
            })?,
        };
        self.keys.insert(name.to_owned(), Arc::clone(&key));
        Ok(key)
    }
}

#[cfg(test)]
mod tests;
