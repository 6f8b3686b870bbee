//! `secrets`: handles of what the call brought.
//!
//! A guest gets a handle and hands it on; the bytes go from the caller's message to the worker, or into a signature. What
//! a secret may be used for is decided in [`uses`], in the same function that makes what is used of it.

mod mask;
mod uses;

use super::answer::Answer;
use super::ask::SecretsAsk;
use super::error::BrokerError;
use super::handle::SecretHandle;
use super::name_length::nameable;
use super::worker_broker::WorkerBroker;

use uses::granted;

pub(super) use mask::{mask, masked};
pub(super) use uses::{BasicUser, GrantedSecret, basic_authentication, secret_options};

impl WorkerBroker {
    pub(super) fn secrets(&mut self, ask: SecretsAsk) -> Result<Answer, BrokerError> {
        match ask {
            SecretsAsk::Name { secret } => {
                let name = self.held.secret(secret)?.to_owned();
                Ok(Answer::SecretName(name))
            }
            SecretsAsk::OpenSecret { name } => {
                nameable(&name)?;
                granted(&self.grants, &self.secrets, &name)?;
                Ok(Answer::Secret(self.held.insert_secret(name)?))
            }
        }
    }

    /// What the handle stands for, and what may be made of it.
    pub(super) fn secret(&self, handle: SecretHandle) -> Result<GrantedSecret<'_>, BrokerError> {
        self.secret_of_name(self.held.secret(handle)?)
    }

    pub(super) fn secret_of_name(&self, name: &str) -> Result<GrantedSecret<'_>, BrokerError> {
        granted(&self.grants, &self.secrets, name)
    }
}

#[cfg(test)]
mod tests;
