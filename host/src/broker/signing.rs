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

use super::answer::Answer;
use super::ask::SigningAsk;
use super::error::BrokerError;
use super::handle::SigningKeyHandle;
use super::handle_table::KeyOrigin;
use super::known_value::known_value;
use super::name_length::nameable;
use super::private::Private;
use super::worker_broker::WorkerBroker;
use crate::error::DriverError;
use crate::grant::{Capability, KeySource, Refusal, SigningGrant};
use crate::sys;

pub(crate) use cache::KeyCache;
use key::Algorithm;
#[cfg(feature = "compiler")]
pub use key::MADE_UP_TOKEN;
pub(crate) use key::{CallKeys, Key};

impl WorkerBroker {
    pub(super) fn signing(&mut self, ask: SigningAsk) -> Result<Answer, BrokerError> {
        match ask {
            SigningAsk::Id { signing_key } => {
                Ok(Answer::KeyId(self.opened_key(signing_key)?.id.clone()))
            }
            SigningAsk::SessionToken { signing_key } => {
                let token = self.opened_key(signing_key)?.session_token()?;
                Ok(Answer::SessionToken(Private(token)))
            }
            SigningAsk::Sign {
                signing_key,
                algorithm,
                message,
            } => {
                let known = known_value("algorithm", &algorithm, &Algorithm::NAMED)?;
                if let KeyOrigin::Brought(secret, _) = self.held.signing_key(signing_key)? {
                    self.secret_of_name(secret)?.signs_by(&algorithm)?;
                }
                let signature = self.opened_key(signing_key)?.sign(known, &message.0)?;
                Ok(Answer::Signature(Private(signature)))
            }
            // Fetches nothing yet: that happens when something is asked of the key.
            SigningAsk::OpenKey { name } => {
                nameable(&name)?;
                self.signing_grant(&name)?;
                self.hand_over_key(KeyOrigin::Granted(name))
            }
            SigningAsk::NowSeconds {} => Ok(Answer::Seconds(sys::now_seconds())),
            SigningAsk::Nonce {} => {
                let random = sys::random_bytes().map_err(|error| {
                    DriverError::internal("cannot get random numbers").caused_by(error)
                })?;
                Ok(Answer::Nonce(Private(random.to_vec())))
            }
            SigningAsk::Sha256 { message } => {
                Ok(Answer::Hash(Private(Sha256::digest(message.0).to_vec())))
            }
        }
    }

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

    pub(super) fn hand_over_key(&mut self, origin: KeyOrigin) -> Result<Answer, BrokerError> {
        Ok(Answer::SigningKey(self.held.insert_signing_key(origin)?))
    }

    fn opened_key(&mut self, handle: SigningKeyHandle) -> Result<Arc<Key>, BrokerError> {
        match self.held.signing_key(handle)?.clone() {
            KeyOrigin::Granted(name) => self.key(&name),
            KeyOrigin::Brought(_, key) => Ok(key),
        }
    }

    /// The same key all through a call.
    fn key(&mut self, name: &str) -> Result<Arc<Key>, BrokerError> {
        if let Some(key) = self.keys.get(name) {
            return Ok(Arc::clone(key));
        }
        let grant = self.signing_grant(name)?.clone();
        let key = match &grant.source {
            KeySource::File(source) => {
                Arc::new(self.of_node(name, local::from_files(name, source))?)
            }
            KeySource::Environment(source) => {
                let read = |variable: &str| std::env::var(variable).ok();
                Arc::new(self.of_node(name, local::from_environment(name, source, read))?)
            }
            KeySource::Metadata(source) => self.current(name, source.refresh_before, |broker| {
                broker.fetch_from_metadata(name, source)
            })?,
            KeySource::Oidc(source) => self.current(name, source.refresh_before, |broker| {
                broker.fetch_by_oidc(name, source)
            })?,
        };
        self.keys.insert(name.to_owned(), Arc::clone(&key));
        Ok(key)
    }

    /// What this node has of a key. It may be meant to have none, and then every call would say so: where it is missing
    /// is said once, for as long as it is.
    fn of_node<T>(&mut self, name: &str, found: Result<T, DriverError>) -> Result<T, DriverError> {
        let error = match found {
            Ok(found) => {
                self.driver.keys().find(name);
                return Ok(found);
            }
            Err(error) => error,
        };
        let whole = error.chain();
        let told = self.without_paths(&whole);
        match self.driver.keys().miss(name, &whole) {
            true => self.log.spend(|| {
                tracing::warn!(
                    error = whole,
                    "there is no key, and the guest was told so without paths of the node"
                );
            }),
            false => self
                .log
                .spend(|| tracing::debug!(error = whole, "there is still no key")),
        }
        Err(DriverError::new(error.condition(), told))
    }
}

#[cfg(test)]
mod tests;
