//! `types`: the host's errors as the contract's, and back.

use crate::bindings::drivebay::driver::types as wit;
use crate::broker::Told;
use crate::error::{Condition, DriverError, GuestText};
use crate::runtime::state::State;

impl wit::Host for State {}

/// For the guest: the condition, and a message in words that it may read.
pub(super) fn into_wit(told: Told) -> wit::Error {
    use wit::Error as Wit;
    let Told { condition, message } = told;
    match condition {
        Condition::InvalidArgument => Wit::InvalidArgument(message),
        Condition::OutOfRange => Wit::OutOfRange(message),
        Condition::NotFound => Wit::NotFound(message),
        Condition::AlreadyExists => Wit::AlreadyExists(message),
        Condition::InProgress => Wit::InProgress(message),
        Condition::Unavailable => Wit::Unavailable(message),
        Condition::Exhausted => Wit::Exhausted(message),
        Condition::FailedPrecondition => Wit::FailedPrecondition(message),
        Condition::Denied => Wit::Denied(message),
        Condition::Unsupported => Wit::Unsupported(message),
        Condition::Internal => Wit::Internal(message),
    }
}

/// From the guest, whose sentence is text from a stranger.
pub(in crate::runtime) fn from_wit(error: wit::Error) -> DriverError {
    let (condition, message) = condition_of(error);
    DriverError::new(condition, GuestText::sentence(&message))
}

/// Whoever reads an answer without a word looks for the fault in the host.
const NO_REASON: &str = "the component gave no reason: the text of its error is empty";

/// The same in parts.
pub(in crate::runtime) fn condition_of(error: wit::Error) -> (Condition, String) {
    let (condition, message) = parts(error);
    match message.trim().is_empty() {
        true => (condition, NO_REASON.to_owned()),
        false => (condition, message),
    }
}

fn parts(error: wit::Error) -> (Condition, String) {
    use wit::Error as Wit;
    match error {
        Wit::InvalidArgument(message) => (Condition::InvalidArgument, message),
        Wit::OutOfRange(message) => (Condition::OutOfRange, message),
        Wit::NotFound(message) => (Condition::NotFound, message),
        Wit::AlreadyExists(message) => (Condition::AlreadyExists, message),
        Wit::InProgress(message) => (Condition::InProgress, message),
        Wit::Unavailable(message) => (Condition::Unavailable, message),
        Wit::Exhausted(message) => (Condition::Exhausted, message),
        Wit::FailedPrecondition(message) => (Condition::FailedPrecondition, message),
        Wit::Denied(message) => (Condition::Denied, message),
        Wit::Unsupported(message) => (Condition::Unsupported, message),
        Wit::Internal(message) => (Condition::Internal, message),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_condition_survives_the_way_to_a_guest_and_back() {
        for condition in Condition::ALL {
            let message = "why".to_owned();
            let back = from_wit(into_wit(Told { condition, message }));
            assert_eq!(
                (back.condition(), back.to_string().as_str()),
                (condition, "why")
            );
        }
    }

    #[test]
    fn an_error_without_a_word_says_so() {
        for empty in ["", " \n"] {
            let error = from_wit(wit::Error::NotFound(empty.to_owned()));
            assert_eq!(
                (error.condition(), error.to_string().as_str()),
                (Condition::NotFound, NO_REASON)
            );
        }
    }

    #[test]
    fn a_guests_message_is_one_bounded_line() {
        let error = from_wit(wit::Error::Internal(format!(
            "a\nb\u{1b}[31m{}",
            "x".repeat(5000)
        )));
        assert!(error.to_string().starts_with(r"a\nb\u{1b}[31mx"), "{error}");
        assert_eq!(error.to_string().len(), 1024);
    }
}
