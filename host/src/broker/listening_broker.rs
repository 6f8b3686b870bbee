//! A broker that has another one answer, and lets somebody listen.

use super::answer::Answer;
use super::ask::{Ask, Level, LogAsk};
use super::exchange::Exchange;
use super::line::{Broker, CallReport, Violation};
use super::private::Private;
use crate::error::GuestText;

/// What is heard of a call, without what the call brought.
pub(crate) enum Heard<'a> {
    /// The guest writes to its log, whatever the level and however much: the level as the contract names it, and the line.
    Line(&'static str, &'a str),
    /// The guest asked, and was answered.
    Exchange(&'a Exchange),
}

/// Answers as the other one does.
pub(crate) struct ListeningBroker<B, L> {
    answering: B,
    listen: L,
    /// What goes along with temporary keys: the guest is told it, and nobody else.
    tokens: Vec<String>,
}

impl<B: Broker, L: Fn(Heard<'_>) + Send> ListeningBroker<B, L> {
    pub(crate) fn over(answering: B, listen: L) -> Self {
        Self {
            answering,
            listen,
            tokens: Vec::new(),
        }
    }

    fn hidden(&self, said: String) -> String {
        let said = self.answering.without_secrets(said);
        let tokens = self.tokens.iter();
        tokens.fold(said, |said, token| said.replace(token.as_str(), "***"))
    }
}

impl<B: Broker, L: Fn(Heard<'_>) + Send> Broker for ListeningBroker<B, L> {
    fn ask(&mut self, ask: Ask) -> Result<Answer, Violation> {
        let asked = ask.clone();
        let answer = self.answering.ask(ask);
        if let Ok(Answer::SessionToken(Private(Some(token)))) = &answer
            && !token.is_empty()
        {
            self.tokens.push(token.clone());
        }
        let hide = |said| self.hidden(said);
        if let Ask::Log(LogAsk::Write { level, message }) = &asked {
            let line = GuestText::sentence(&hide(message.clone()));
            (self.listen)(Heard::Line(word(*level), &line));
        }
        (self.listen)(Heard::Exchange(&Exchange::of(&asked, &answer, &hide)));
        answer
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
