//! The host's errors as the contract's, and back.

use crate::bindings::drivebay::driver::types as wit;
use crate::error::{Condition, DriverError, GuestText};

/// For the guest: the condition, and a message in words that it may read.
pub(super) fn into_wit(condition: Condition, message: String) -> wit::Error {
    use wit::Error as Wit;
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
pub(super) fn from_wit(error: wit::Error) -> DriverError {
    use wit::Error as Wit;
    let (condition, message) = match error {
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
    };
    DriverError::new(condition, GuestText::sentence(&message))
}
