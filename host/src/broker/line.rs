//! The line between guest code and privilege: what lies above it can ask, and learn how the call went. Nothing else
//! crosses it.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::answer::Answer;
use super::ask::Ask;
use super::handle::Handle;
use crate::error::GuestText;
use crate::worker::Fault;

/// Answers what the guest of one call asks.
pub(crate) trait Broker: Send {
    /// Answers one question. What the guest may read of why it was not done is an answer, too.
    ///
    /// # Errors
    /// [`Violation`]; the call is over then.
    fn ask(&mut self, ask: Ask) -> Result<Answer, Violation>;

    /// What the guest says, without what the call brought: it was told a session token, and can repeat it.
    fn without_secrets(&self, said: String) -> String;

    /// The call is over, and nothing more is answered: how it went.
    fn end(&mut self) -> CallReport;
}

/// What no guest asks by way of the contract. It ends the call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Violation {
    /// Given back, of another kind or of another call, or made up.
    #[error("it has no {0}")]
    NoHandle(Handle),
    #[error("it has {0} handles, which are the most")]
    TooManyHandles(usize),
    #[error("it asked with {bytes} bytes at once; {most} are the most")]
    TooLarge { bytes: usize, most: usize },
    #[error("it asked when its call was over")]
    Ended,
}

/// How a call went, for who tells why it failed.
#[derive(Debug, Clone, Default)]
pub(crate) struct CallReport {
    /// The request that got no answer before the deadline: the reason why there was no time left.
    pub(crate) unanswered: Option<Fault>,
    /// Whether a request was refused because this process or this node had too much to do.
    pub(crate) was_full: bool,
    /// Whether a worker failed as none should: the guest may pass that on, too.
    pub(crate) was_broken: bool,
    /// How long answers waited for workers and the network, or slept.
    pub(crate) waited: Duration,
    /// The guest's last line of level `error`, whether it was written or not: often a panic's.
    pub(crate) last_error: Option<GuestText>,
}
