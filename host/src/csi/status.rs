//! Conditions as gRPC codes: the only such table.

use tonic::{Code, Status};

use crate::error::{Condition, DriverError};

/// Longest message in bytes: it travels in a header, and the callers' limit for all of them is 8 KiB.
const MAX_MESSAGE: usize = 4096;

/// With a sentence for people and, as CSI wants it, no details.
pub(super) fn status(error: &DriverError) -> Status {
    let mut message = error.chain();
    if message.len() > MAX_MESSAGE {
        let end = message.floor_char_boundary(MAX_MESSAGE);
        message.truncate(end);
    }
    Status::new(code(error.condition()), message)
}

fn code(condition: Condition) -> Code {
    match condition {
        Condition::InvalidArgument => Code::InvalidArgument,
        Condition::OutOfRange => Code::OutOfRange,
        Condition::NotFound => Code::NotFound,
        Condition::AlreadyExists => Code::AlreadyExists,
        // "Operation pending for volume": the caller comes again with the same arguments.
        Condition::InProgress => Code::Aborted,
        Condition::Unavailable => Code::Unavailable,
        Condition::Exhausted => Code::ResourceExhausted,
        Condition::FailedPrecondition => Code::FailedPrecondition,
        Condition::Denied => Code::PermissionDenied,
        Condition::Unsupported => Code::Unimplemented,
        Condition::Internal => Code::Internal,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_condition_has_a_code_of_its_own_and_none_is_success() {
        let codes: Vec<Code> = Condition::ALL.into_iter().map(code).collect();
        for (index, code) in codes.iter().enumerate() {
            assert_ne!(*code, Code::Ok);
            assert_eq!(codes.iter().position(|other| other == code), Some(index));
        }
    }

    #[test]
    fn a_status_has_the_whole_chain_as_its_message_and_no_details() {
        let error = DriverError::unavailable("cannot mount")
            .caused_by(std::io::Error::other("no route to host"));
        let status = status(&error);
        assert_eq!(status.message(), "cannot mount: no route to host");
        assert!(status.details().is_empty());
    }

    #[test]
    fn a_long_message_is_cut_between_characters() {
        let status = status(&DriverError::internal("ä".repeat(5000)));
        assert_eq!(status.message().len(), MAX_MESSAGE);
    }
}
