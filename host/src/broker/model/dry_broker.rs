//! The broker of one call of a dry run.

use std::time::{Duration, Instant};

use super::granting;
use super::state::{ADDRESS, Backend, Granted, Model, Servers};
use crate::broker::answer::Answer;
use crate::broker::ask::{Ask, HttpsAsk, MountsAsk, SigningAsk};
use crate::broker::https::beyond_the_deadline;
use crate::broker::line::{Broker, CallReport, Violation};
use crate::broker::signing::Key;
use crate::broker::worker_broker::WorkerBroker;
use crate::grant::AddressRange;

/// The broker of every call, with a model behind it. Nobody is kept waiting where nobody could come to an end of anything
/// meanwhile: time that a guest lets pass has passed.
pub(crate) struct DryBroker {
    answering: WorkerBroker,
    model: Model,
    slept: Duration,
}

impl DryBroker {
    pub(crate) fn over(answering: WorkerBroker, model: Model) -> Self {
        Self {
            answering,
            model,
            slept: Duration::ZERO,
        }
    }

    /// Puts what there is in the model in the place of what grants name.
    fn stand_in(&mut self, ask: &Ask) {
        let grants = &mut self.answering.grants;
        match ask {
            Ask::Mounts(MountsAsk::OpenDirectory { name }) => {
                let directories = grants.mounts.as_mut().map(|grant| &mut grant.directories);
                if let Some(path) = directories.and_then(|them| them.get_mut(name)) {
                    *path = self.model.directory(name);
                }
            }
            _ if self.model.servers() == Servers::Real => {}
            Ask::Https(HttpsAsk::OpenEndpoint { name }) => {
                if let Some(grant) = grants.https.get_mut(name) {
                    grant.ca = None;
                    let range = ADDRESS.to_string().parse::<AddressRange>();
                    grant.addresses.ranges = range.into_iter().collect();
                }
            }
            Ask::Signing(SigningAsk::OpenKey { name }) if grants.signing.contains_key(name) => {
                let keys = &mut self.answering.keys;
                keys.entry(name.clone())
                    .or_insert_with(|| Key::made_up().into());
            }
            Ask::Mounts(_)
            | Ask::Files(_)
            | Ask::BlockDevices(_)
            | Ask::Https(_)
            | Ask::Signing(_)
            | Ask::Secrets(_)
            | Ask::SecretMounts(_)
            | Ask::SecretRequests(_)
            | Ask::SecretKeys(_)
            | Ask::Log(_)
            | Ask::Drop(_) => {}
        }
    }

    /// Whether something can become of a server meanwhile.
    fn is_waited_for(&self) -> bool {
        self.model.servers() == Servers::Real && self.model.backend() == Backend::Answers
    }

    fn sleep(&mut self, milliseconds: u32) -> Answer {
        let pause = Duration::from_millis(milliseconds.into());
        if Instant::now() + self.slept + pause >= self.answering.deadline {
            let told = self.answering.tell(&beyond_the_deadline(pause));
            return Answer::Failed(told);
        }
        self.slept += pause;
        Answer::Done
    }
}

impl Broker for DryBroker {
    fn ask(&mut self, ask: Ask) -> Result<Answer, Violation> {
        if self.model.granted() == Granted::AsAsked {
            granting::grant(&mut self.answering, &self.model, &ask);
        }
        self.stand_in(&ask);
        if let Ask::Https(HttpsAsk::Sleep { milliseconds }) = ask
            && !self.answering.is_over
            && !self.is_waited_for()
        {
            return Ok(self.sleep(milliseconds));
        }
        let mut answer = self.answering.ask(ask)?;
        if let Answer::Seconds(now) = &mut answer {
            *now += self.slept.as_secs();
        }
        Ok(answer)
    }

    fn without_secrets(&self, said: String) -> String {
        self.answering.without_secrets(said)
    }

    fn end(&mut self) -> CallReport {
        self.answering.end()
    }
}
