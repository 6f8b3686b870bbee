//! Failures are conditions, and `?` passes them on.
//!
//! Each carries a sentence for the operator: lower case, no full stop, what was attempted on what, why it failed, what
//! would help. Never a secret.
//!
//! ```
//! use drivebay_guest::prelude::*;
//!
//! fn check(name: &str) -> Result<(), Error> {
//!     ensure!(!name.contains('/'), InvalidArgument: "volume \"{name}\": write a name without slashes");
//!     Ok(())
//! }
//!
//! assert!(check("music").is_ok());
//! assert!(matches!(check("a/b"), Err(Error::InvalidArgument(_))));
//! ```

use crate::bindings::types::Error;

/// The cases of the contract's `error`, without their sentences.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Condition {
    /// The request contradicts itself or names something malformed. Repeating it cannot succeed.
    InvalidArgument,
    /// A size or a number outside what the backend has.
    OutOfRange,
    /// The volume, snapshot, node or source does not exist.
    NotFound,
    /// It exists, but with other properties than those asked for.
    AlreadyExists,
    /// The same work is under way; or the backend takes it as soon as something else is done with.
    InProgress,
    /// The backend does not answer now. Retrying is the right thing to do.
    Unavailable,
    /// A quota, a limit of attachments, a full pool.
    Exhausted,
    /// Something else has to change first.
    FailedPrecondition,
    /// Refused by the driver's grants, or by the backend's own access rules.
    Denied,
    /// The backend lacks this operation, or this variant of it.
    Unsupported,
    /// A bug, or an answer from the backend that makes no sense.
    Internal,
}

impl Condition {
    /// The error of this condition that says this.
    pub fn error(self, sentence: String) -> Error {
        match self {
            Self::InvalidArgument => Error::InvalidArgument(sentence),
            Self::OutOfRange => Error::OutOfRange(sentence),
            Self::NotFound => Error::NotFound(sentence),
            Self::AlreadyExists => Error::AlreadyExists(sentence),
            Self::InProgress => Error::InProgress(sentence),
            Self::Unavailable => Error::Unavailable(sentence),
            Self::Exhausted => Error::Exhausted(sentence),
            Self::FailedPrecondition => Error::FailedPrecondition(sentence),
            Self::Denied => Error::Denied(sentence),
            Self::Unsupported => Error::Unsupported(sentence),
            Self::Internal => Error::Internal(sentence),
        }
    }
}

impl Error {
    /// Condition and sentence, each by itself.
    pub fn into_parts(self) -> (Condition, String) {
        match self {
            Self::InvalidArgument(sentence) => (Condition::InvalidArgument, sentence),
            Self::OutOfRange(sentence) => (Condition::OutOfRange, sentence),
            Self::NotFound(sentence) => (Condition::NotFound, sentence),
            Self::AlreadyExists(sentence) => (Condition::AlreadyExists, sentence),
            Self::InProgress(sentence) => (Condition::InProgress, sentence),
            Self::Unavailable(sentence) => (Condition::Unavailable, sentence),
            Self::Exhausted(sentence) => (Condition::Exhausted, sentence),
            Self::FailedPrecondition(sentence) => (Condition::FailedPrecondition, sentence),
            Self::Denied(sentence) => (Condition::Denied, sentence),
            Self::Unsupported(sentence) => (Condition::Unsupported, sentence),
            Self::Internal(sentence) => (Condition::Internal, sentence),
        }
    }
}

/// `error!(NotFound: "volume {id} does not exist")`: a condition with its sentence, as `format!` takes it.
#[macro_export]
macro_rules! error {
    ($condition:ident: $($sentence:tt)+) => {
        $crate::error::of($crate::error::Condition::$condition, ::std::format_args!($($sentence)+))
    };
}

/// Return with an error: `bail!(NotFound: "volume {id} does not exist")`.
#[macro_export]
macro_rules! bail {
    ($condition:ident: $($sentence:tt)+) => {
        return ::std::result::Result::Err($crate::error!($condition: $($sentence)+))
    };
}

/// Return with an error unless something holds: `ensure!(is_there, NotFound: "volume {id} does not exist")`.
#[macro_export]
macro_rules! ensure {
    ($holds:expr, $condition:ident: $($sentence:tt)+) => {
        if !$holds {
            return ::std::result::Result::Err($crate::error!($condition: $($sentence)+));
        }
    };
}

/// One function for all places that an error comes from: written out in each, it would be a tenth of a guest.
#[doc(hidden)]
#[cold]
#[inline(never)]
pub fn of(condition: Condition, sentence: std::fmt::Arguments<'_>) -> Error {
    condition.error(std::fmt::format(sentence))
}

/// The answer, or nothing where there is nothing.
pub fn missing_is_none<T>(answer: Result<T, Error>) -> Result<Option<T>, Error> {
    match answer {
        Ok(found) => Ok(Some(found)),
        Err(Error::NotFound(_)) => Ok(None),
        Err(error) => Err(error),
    }
}

/// What was to be made is there already: an earlier try made it.
pub fn there_is_done(answer: Result<(), Error>) -> Result<(), Error> {
    match answer {
        Err(Error::AlreadyExists(_)) => Ok(()),
        answer => answer,
    }
}

/// What vanishes while it is copied is left out, so a copy is whole only if its source is still there afterwards. And
/// only what is missing then is gone: the answer decides what becomes of the copy.
pub fn whole_if_still_there(
    copied: Result<(), Error>,
    look_again: impl FnOnce() -> Result<(), Error>,
) -> Result<(), Error> {
    match copied {
        Ok(()) => look_again(),
        Err(Error::NotFound(reason)) => {
            look_again().and(Err(error!(Unavailable: "{reason}; ask again")))
        }
        error => error,
    }
}

/// Of several ways to do something each was refused: for what is wrong with the request, if all say the same of it; else
/// there is no room, so that the caller tries another place, or later. `message` begins the sentence.
pub fn every_way_failed(mut message: String, reasons: Vec<Error>) -> Error {
    let mut common = None;
    for reason in reasons {
        let (condition, text) = reason.into_parts();
        let is_of_the_request = [
            Condition::InvalidArgument,
            Condition::OutOfRange,
            Condition::Unsupported,
        ]
        .contains(&condition);
        let condition = if is_of_the_request {
            condition
        } else {
            Condition::Exhausted
        };
        common = match common {
            None => Some(condition),
            Some(known) if known == condition => common,
            Some(_) => Some(Condition::Exhausted),
        };
        message += "; ";
        message += &text;
    }
    common.unwrap_or(Condition::Exhausted).error(message)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [Condition; 11] = [
        Condition::InvalidArgument,
        Condition::OutOfRange,
        Condition::NotFound,
        Condition::AlreadyExists,
        Condition::InProgress,
        Condition::Unavailable,
        Condition::Exhausted,
        Condition::FailedPrecondition,
        Condition::Denied,
        Condition::Unsupported,
        Condition::Internal,
    ];

    #[test]
    fn a_condition_and_its_sentence_come_back_as_they_were() {
        for condition in ALL {
            let parts = condition.error("why".into()).into_parts();
            assert_eq!(parts, (condition, "why".into()));
        }
    }

    #[test]
    fn what_is_missing_is_none_and_what_is_there_is_done_and_nothing_else_is() {
        let missing = || Err::<(), _>(error!(NotFound: "no {}", "such thing"));
        let there = || Err::<(), _>(error!(AlreadyExists: "one"));
        assert_eq!(missing_is_none(missing()), Ok(None));
        assert_eq!(missing_is_none(Ok(1)), Ok(Some(1)));
        assert!(missing_is_none(there()).is_err());
        assert_eq!(there_is_done(there()), Ok(()));
        assert!(there_is_done(missing()).is_err());
    }

    #[test]
    fn every_way_is_refused_for_what_all_have_in_common_and_else_for_want_of_room() {
        let small = || error!(OutOfRange: "too small");
        let odd = || error!(InvalidArgument: "no zone");
        let full = || error!(Denied: "sold out");
        let ended = |reasons| every_way_failed("no disk".into(), reasons).into_parts();
        let text = String::from("no disk; too small; too small");
        assert_eq!(ended(vec![small(), small()]), (Condition::OutOfRange, text));
        for mixed in [
            vec![small(), odd()],
            vec![full()],
            vec![odd(), full()],
            Vec::new(),
        ] {
            assert_eq!(ended(mixed).0, Condition::Exhausted);
        }
    }

    #[test]
    fn a_copy_whose_source_went_is_none() {
        let gone = || Err(error!(NotFound: "gone"));
        assert_eq!(whole_if_still_there(Ok(()), || Ok(())), Ok(()));
        assert_eq!(whole_if_still_there(Ok(()), gone), gone());
        assert_eq!(whole_if_still_there(gone(), gone), gone());
        let vanished = whole_if_still_there(gone(), || Ok(()));
        assert!(
            matches!(vanished, Err(Error::Unavailable(_))),
            "{vanished:?}"
        );
    }
}
