//! Why a call of an API did not succeed, sorted by what may be done next. Pure.

use crate::bindings::types::Error;
use crate::error::Condition;

/// What may be done next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The API refused and did nothing.
    Refused,
    /// It was asked too often and did nothing.
    Throttled,
    /// No answer, or none that says whether anything was done.
    Lost,
    /// The host did not send it.
    NotSent,
}

/// What an API says where it refuses.
#[derive(Debug)]
pub struct Refusal {
    /// Its own word for it.
    pub code: &'static str,
    /// A sentence, for people.
    pub message: &'static str,
    /// By which whoever runs the API finds the call again.
    pub request_id: &'static str,
    /// Milliseconds for which it wants to be left alone, where it says.
    pub retry_after: Option<u64>,
}

/// Why a call did not succeed.
#[derive(Debug)]
pub struct Failure {
    /// What may be done next.
    pub kind: Kind,
    /// The API's own word for it; empty where it said none.
    pub code: &'static str,
    message: &'static str,
    /// Milliseconds for which the API wants to be left alone, where it says.
    pub retry_after: Option<u64>,
    error: Error,
}

impl Failure {
    fn new(kind: Kind, error: Error) -> Self {
        Self {
            kind,
            code: "",
            message: "",
            retry_after: None,
            error,
        }
    }

    /// Nobody knows whether anything was done.
    pub fn lost(error: Error) -> Self {
        Self::new(Kind::Lost, error)
    }

    /// Nothing was done.
    pub fn not_sent(error: Error) -> Self {
        Self::new(Kind::NotSent, error)
    }

    /// The API said why.
    pub fn said(kind: Kind, refusal: &Refusal, error: Error) -> Self {
        Self {
            kind,
            code: refusal.code,
            message: refusal.message,
            retry_after: refusal.retry_after,
            error,
        }
    }

    /// Of a call that the host gives no answer to.
    pub(crate) fn unsent(call: &dyn std::fmt::Display, error: Error) -> Self {
        match error.into_parts() {
            // The grant's rate is among these, and an answer that was too large: whether it took effect is unknown.
            (Condition::Unavailable, message) => {
                Self::lost(error!(Unavailable: "no answer to {call}: {message}"))
            }
            (refused, message) => Self::not_sent(refused.error(message)),
        }
    }

    /// Whether the same call may succeed a little later, once the state was looked at again.
    pub fn passes(&self) -> bool {
        match self.kind {
            Kind::Refused => self.is_busy(),
            Kind::Throttled | Kind::Lost => true,
            Kind::NotSent => false,
        }
    }

    /// Whether the API refused for now: something else has to be done with first.
    pub fn is_busy(&self) -> bool {
        self.kind == Kind::Refused && matches!(self.error, Error::InProgress(_))
    }

    /// Whether the API says that there is no such thing.
    pub fn is_not_found(&self) -> bool {
        self.kind == Kind::Refused && matches!(self.error, Error::NotFound(_))
    }

    /// Whether the API refused with this very code.
    pub fn is(&self, code: &str) -> bool {
        self.code == code
    }

    /// Whether these words are in what it said.
    pub fn says(&self, words: &str) -> bool {
        // By bytes: the library's search for a text is 6 kB.
        let said = self.message.as_bytes();
        said.windows(words.len())
            .any(|part| part == words.as_bytes())
    }
}

impl From<Failure> for Error {
    fn from(failure: Failure) -> Self {
        failure.error
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_answer_is_lost_and_a_refused_grant_is_not_sent() {
        let unsent = |error| Failure::unsent(&"AttachDisk of disk d-1", error);
        let lost = unsent(error!(Unavailable: "reset"));
        assert!(lost.passes() && lost.kind == Kind::Lost);
        let text = "no answer to AttachDisk of disk d-1: reset";
        assert_eq!(Error::from(lost), Error::Unavailable(text.into()));
        for refused in [Error::Denied, Error::Exhausted] {
            assert!(!unsent(refused("no grant".into())).passes());
        }
    }

    #[test]
    fn what_was_refused_for_now_passes_and_what_was_refused_for_good_does_not() {
        let refusal = Refusal {
            code: "Disk.Busy",
            message: "The disk is being changed.",
            request_id: "r-1",
            retry_after: None,
        };
        let refused = |error| Failure::said(Kind::Refused, &refusal, error);
        let busy = refused(error!(InProgress: "busy"));
        assert!(busy.passes() && busy.is_busy() && busy.is("Disk.Busy") && !busy.is("Disk"));
        assert!(busy.says("being changed") && !busy.says("being made"));
        let missing = refused(error!(NotFound: "none"));
        assert!(missing.is_not_found() && !missing.passes());
        assert!(!Failure::lost(error!(NotFound: "none")).is_not_found());
    }
}
