//! A broker that has another one answer, and lets somebody listen.

use super::answer::Answer;
use super::ask::{Ask, Level, LogAsk};
use super::line::{Broker, CallReport, Violation};
use crate::error::GuestText;

/// Passes on what the guest writes to its log, whatever the level and however much.
pub(crate) struct ListeningBroker<B, L> {
    answering: B,
    log: L,
}

impl<B: Broker, L: Fn(&'static str, &str) + Send> ListeningBroker<B, L> {
    pub(crate) fn over(answering: B, log: L) -> Self {
        Self { answering, log }
    }
}

impl<B: Broker, L: Fn(&'static str, &str) + Send> Broker for ListeningBroker<B, L> {
    fn ask(&mut self, ask: Ask) -> Result<Answer, Violation> {
        if let Ask::Log(LogAsk::Write { level, message }) = &ask {
            let message = self.answering.without_secrets(message.clone());
            (self.log)(word(*level), &GuestText::sentence(&message));
        }
        self.answering.ask(ask)
    }

    fn without_secrets(&self, said: String) -> String {
        self.answering.without_secrets(said)
    }

    fn end(&mut self) -> CallReport {
        self.answering.end()
    }
}

/// As the contract names it.
fn word(level: Level) -> &'static str {
    match level {
        Level::Debug => "debug",
        Level::Info => "info",
        Level::Warn => "warn",
        Level::Error => "error",
    }
}
