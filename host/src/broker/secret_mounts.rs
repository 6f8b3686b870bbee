//! `secret-mounts`: remote sources for which a call brought credentials.

use super::answer::Answer;
use super::ask::SecretMountsAsk;
use super::error::BrokerError;
use super::worker_broker::WorkerBroker;

impl WorkerBroker {
    pub(super) fn secret_mounts(&mut self, ask: SecretMountsAsk) -> Result<Answer, BrokerError> {
        match ask {
            SecretMountsAsk::MountRemote {
                target,
                source,
                options,
                secret_options,
            } => self.mount_remote(target, &source, &options, &secret_options),
            SecretMountsAsk::OpenRemote {
                source,
                options,
                secret_options,
            } => self.open_remote(&source, &options, &secret_options),
        }
    }
}
