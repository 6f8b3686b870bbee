//! `secret-keys`: signing keys that a call brought.

use std::sync::Arc;

use super::answer::Answer;
use super::ask::SecretKeysAsk;
use super::error::BrokerError;
use super::handle::SecretHandle;
use super::handle_table::KeyOrigin;
use super::name_length::nameable;
use super::signing::Key;
use super::worker_broker::WorkerBroker;

impl WorkerBroker {
    pub(super) fn secret_keys(&mut self, ask: SecretKeysAsk) -> Result<Answer, BrokerError> {
        let SecretKeysAsk::OpenKey {
            id,
            secret,
            session_token,
        } = ask;
        let key = self.key_of_secrets(id, secret, session_token)?;
        // The guest may drop the secret's handle and go on with the key.
        let name = self.held.secret(secret)?.clone();
        self.hand_over_key(KeyOrigin::Brought(name, Arc::new(key)))
    }

    /// A key of what the call brought.
    fn key_of_secrets(
        &self,
        id: String,
        secret: SecretHandle,
        session_token: Option<SecretHandle>,
    ) -> Result<Key, BrokerError> {
        nameable(&id)?;
        let token = session_token
            .map(|token| self.secret(token)?.as_session_token())
            .transpose()?;
        Ok(Key::of_call(id, self.secret(secret)?.as_key()?, token))
    }
}
