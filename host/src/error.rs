//! What can go wrong, as conditions.
//!
//! The conditions are those of `types.error` in the contract, one to one. No transport is in sight here:
//! each front-end has the one table that turns a condition into its own words.

mod text;

use std::error::Error as StdError;
use std::fmt;

pub(crate) use text::one_line;
pub use text::{GuestText, is_harmful};

/// Longest chain of messages, in bytes: it travels in a header of gRPC, whose callers take 8 KiB for all of them.
const LONGEST_CHAIN: usize = 4096;

/// Why an operation did not succeed, in the vocabulary of the contract.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Condition {
    /// The request contradicts itself or names something malformed.
    InvalidArgument,
    /// A size or number outside what the backend has.
    OutOfRange,
    /// The volume, snapshot, node or source does not exist.
    NotFound,
    /// It exists with other properties than those asked for.
    AlreadyExists,
    /// The same work is under way.
    InProgress,
    /// No answer now; retrying is right.
    Unavailable,
    /// A quota or limit.
    Exhausted,
    /// Something else has to change first.
    FailedPrecondition,
    /// Refused by grants or by the backend's access rules.
    Denied,
    /// The backend or the host lacks this operation.
    Unsupported,
    /// A bug, ours or the guest's.
    Internal,
}

impl Condition {
    /// Every condition, for tables that must be complete.
    pub const ALL: [Self; 11] = [
        Self::InvalidArgument,
        Self::OutOfRange,
        Self::NotFound,
        Self::AlreadyExists,
        Self::InProgress,
        Self::Unavailable,
        Self::Exhausted,
        Self::FailedPrecondition,
        Self::Denied,
        Self::Unsupported,
        Self::Internal,
    ];

    /// As the contract spells it.
    pub fn name(self) -> &'static str {
        match self {
            Self::InvalidArgument => "invalid-argument",
            Self::OutOfRange => "out-of-range",
            Self::NotFound => "not-found",
            Self::AlreadyExists => "already-exists",
            Self::InProgress => "in-progress",
            Self::Unavailable => "unavailable",
            Self::Exhausted => "exhausted",
            Self::FailedPrecondition => "failed-precondition",
            Self::Denied => "denied",
            Self::Unsupported => "unsupported",
            Self::Internal => "internal",
        }
    }
}

/// A condition, a sentence for the operator, and what caused it.
#[derive(Debug)]
pub struct DriverError {
    condition: Condition,
    message: String,
    source: Option<Box<dyn StdError + Send + Sync>>,
    origin: ErrorOrigin,
}

/// Where the cause is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorOrigin {
    /// The backend, for all that is known: it made nothing.
    Backend,
    /// This process. What an earlier try of the same caller did at the backend is not known.
    Process,
    /// The guest: it broke down, or answered what nobody can use. What it did at the backend before is not known.
    Guest,
}

impl DriverError {
    /// The message is lower case and without a full stop: what was attempted, on what, why it failed and
    /// what helps. It never repeats its source and never holds a secret. Whoever's words are part of it, it becomes one
    /// bounded and harmless line.
    pub fn new(condition: Condition, message: impl Into<String>) -> Self {
        Self {
            condition,
            message: one_line(&message.into(), LONGEST_CHAIN),
            source: None,
            origin: ErrorOrigin::Backend,
        }
    }

    /// [`Condition::Exhausted`], by the calls of this process: the same call may succeed later.
    pub fn overloaded(message: impl Into<String>) -> Self {
        Self {
            origin: ErrorOrigin::Process,
            ..Self::new(Condition::Exhausted, message)
        }
    }

    /// The same error as one of this process.
    #[must_use]
    pub fn from_process(mut self) -> Self {
        self.origin = ErrorOrigin::Process;
        self
    }

    /// The same error as one of the guest itself, not of anything that it asked.
    #[must_use]
    pub fn from_guest(mut self) -> Self {
        self.origin = ErrorOrigin::Guest;
        self
    }

    /// Adds what caused it.
    #[must_use]
    pub fn caused_by(mut self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// Which of the contract's conditions it is.
    pub fn condition(&self) -> Condition {
        self.condition
    }

    /// Where it comes from, for all that is known.
    pub fn origin(&self) -> ErrorOrigin {
        self.origin
    }

    /// The message followed by those of its causes, as one bounded and harmless line: what a server, a program or a disk
    /// said can be part of it. Called once, at the edge.
    pub fn chain(&self) -> String {
        one_line(&chain(self), LONGEST_CHAIN)
    }
}

/// An error's message followed by those of its causes.
pub(crate) fn chain(error: &dyn StdError) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}

macro_rules! constructors {
    ($($name:ident => $condition:ident),* $(,)?) => {
        impl DriverError {$(
            #[doc = concat!("Shorthand for a [`Condition::", stringify!($condition), "`].")]
            pub fn $name(message: impl Into<String>) -> Self {
                Self::new(Condition::$condition, message)
            }
        )*}
    };
}

constructors! {
    invalid_argument => InvalidArgument,
    not_found => NotFound,
    already_exists => AlreadyExists,
    in_progress => InProgress,
    unavailable => Unavailable,
    exhausted => Exhausted,
    failed_precondition => FailedPrecondition,
    denied => Denied,
    unsupported => Unsupported,
    internal => Internal,
}

impl fmt::Display for DriverError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl StdError for DriverError {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.source
            .as_deref()
            .map(|source| source as &(dyn StdError + 'static))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_chain_names_each_cause_once() {
        let cause = std::io::Error::other("disk on fire");
        let error = DriverError::internal("cannot write the journal").caused_by(cause);
        assert_eq!(error.chain(), "cannot write the journal: disk on fire");
        assert_eq!(error.to_string(), "cannot write the journal");
    }

    #[test]
    fn a_chain_is_one_bounded_line_whoever_said_it() {
        let cause = std::io::Error::other("no\nway\u{202e}".repeat(2000));
        let chain = DriverError::internal("it said").caused_by(cause).chain();
        assert!(chain.starts_with(r"it said: no\nway\u{202e}no"), "{chain}");
        assert!(chain.ends_with("… (cut)") && chain.len() <= LONGEST_CHAIN);
    }

    #[test]
    fn every_condition_is_listed_once() {
        for (index, condition) in Condition::ALL.iter().enumerate() {
            assert_eq!(
                Condition::ALL.iter().position(|other| other == condition),
                Some(index)
            );
        }
    }
}
