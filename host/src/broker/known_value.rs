//! Strings of the contract whose values are listed there: what a guest says becomes a type of the host's, or is refused
//! with the values that this host knows. A later contract has more of them, and its guests may come to an earlier host.

use std::fmt;

use crate::error::{DriverError, GuestText};

/// A value that this host does not know.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what} {said:?} is not known to this host, which knows {known}")]
pub(crate) struct UnknownValue {
    what: &'static str,
    said: GuestText,
    known: String,
}

/// What the value means to the host.
pub(crate) fn value_of<T: Copy>(
    what: &'static str,
    said: &str,
    known: &[(&str, T)],
) -> Result<T, UnknownValue> {
    let found = known.iter().find(|(name, _)| *name == said);
    found.map(|(_, value)| *value).ok_or_else(|| UnknownValue {
        what,
        said: GuestText::name(said),
        known: list(known.iter().map(|(name, _)| name)),
    })
}

/// The same for what a guest asks a capability; `unsupported`.
pub(super) fn known_value<T: Copy>(
    what: &'static str,
    said: &str,
    known: &[(&str, T)],
) -> Result<T, DriverError> {
    value_of(what, said, known).map_err(|unknown| DriverError::unsupported(unknown.to_string()))
}

fn list(names: impl Iterator<Item = impl fmt::Debug>) -> String {
    let names: Vec<String> = names.map(|name| format!("{name:?}")).collect();
    names.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Condition;

    const KNOWN: [(&str, u8); 2] = [("one", 1), ("two", 2)];

    #[test]
    fn a_value_that_is_known_is_what_the_host_calls_it() {
        assert_eq!(known_value("number", "two", &KNOWN).expect("known"), 2);
    }

    #[test]
    fn one_that_is_not_is_refused_with_those_that_are_in_one_bounded_line() {
        for said in ["three", "Two", " two", ""] {
            let error = known_value("number", said, &KNOWN).expect_err("unknown");
            assert_eq!(error.condition(), Condition::Unsupported);
            assert_eq!(
                error.to_string(),
                format!("number {said:?} is not known to this host, which knows \"one\", \"two\"")
            );
        }
        let error = known_value("number", &"\n".repeat(5000), &KNOWN).expect_err("unknown");
        assert!(error.to_string().len() < 512, "{error}");
    }
}
