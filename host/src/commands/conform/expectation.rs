//! What a rule says of one answer.

use std::fmt::Debug;

use drivebay::driver::Session;
use drivebay::error::{Condition, DriverError, ErrorOrigin};

/// Why a rule was not kept, or not tried to its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Stop {
    /// What the component did.
    Broken(String),
    /// What went wrong before the rule came to what it is about.
    Untried(String),
    /// The component does nothing that the rule is about.
    Inapplicable(String),
}

pub(super) type Checked<T = ()> = Result<T, Stop>;

/// Conditions that say that the same call may succeed later, so that callers repeat it, some of them for ever.
const PASSING: [Condition; 2] = [Condition::Unavailable, Condition::InProgress];

/// What the rule rests on and is not about.
pub(super) fn given<T>(what: &str, answer: Result<T, DriverError>) -> Checked<T> {
    answer.map_err(|error| Stop::Untried(format!("{what} failed with {}", told(&error))))
}

/// What the rule wants to succeed.
pub(super) fn succeeds<T>(what: &str, answer: Result<T, DriverError>) -> Checked<T> {
    answer.map_err(|error| broken(format!("{what} failed with {}", told(&error))))
}

/// What the rule wants to fail, with one of those conditions.
pub(super) fn fails_with<T>(
    what: &str,
    answer: Result<T, DriverError>,
    wanted: &[Condition],
) -> Checked {
    let names: Vec<&str> = wanted.iter().map(|condition| condition.name()).collect();
    let names = names.join(" or ");
    match answer {
        Ok(_) => Err(broken(format!(
            "{what} succeeded, and has to fail with {names}"
        ))),
        Err(error) if wanted.contains(&error.condition()) => Ok(()),
        Err(error) => Err(broken(format!(
            "{what} failed with {}; it has to be {names}",
            told(&error)
        ))),
    }
}

/// Whatever comes of it, but neither the end of the guest nor a promise that it will work later.
pub(super) fn is_decided<T>(what: &str, answer: Result<T, DriverError>) -> Checked<Option<T>> {
    match answer {
        Ok(answer) => Ok(Some(answer)),
        Err(error) if broke_down(&error) || error.condition() == Condition::Internal => {
            Err(broken(format!("{what} ended in {}", told(&error))))
        }
        Err(error) if passes(&error) => Err(broken(format!(
            "{what} failed with {}; that cannot succeed later, and callers would repeat it for ever",
            told(&error)
        ))),
        Err(_) => Ok(None),
    }
}

/// Two answers that have to say the same.
pub(super) fn same<T: PartialEq + Debug>(what: &str, first: &T, second: &T) -> Checked {
    match first == second {
        true => Ok(()),
        false => Err(broken(format!(
            "{what} was {first:?} first, and {second:?} then"
        ))),
    }
}

/// Something that has to be so.
pub(super) fn holds(is_so: bool, otherwise: impl FnOnce() -> String) -> Checked {
    match is_so {
        true => Ok(()),
        false => Err(broken(otherwise())),
    }
}

/// Whether the guest did not come to an end of its own, or answered what nobody can use.
pub(super) fn broke_down(error: &DriverError) -> bool {
    error.origin() == ErrorOrigin::Guest
}

/// Whether the same call may succeed later.
pub(super) fn passes(error: &DriverError) -> bool {
    PASSING.contains(&error.condition())
}

pub(super) fn broken(what: String) -> Stop {
    Stop::Broken(what)
}

/// As it stands in reports.
pub(super) fn told(error: &DriverError) -> String {
    format!("{}: {}", error.condition().name(), error.chain())
}

/// Lines that the tape of what servers answer lacked since this was asked last.
pub(super) fn missing_lines(session: &Session) -> Vec<String> {
    session
        .rehearsal()
        .map_or_else(Vec::new, |rehearsal| rehearsal.missing_lines())
}
