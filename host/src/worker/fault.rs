//! Failures in the kernel's terms, and the table that turns them into conditions.

use serde::{Deserialize, Serialize};

use crate::error::{Condition, DriverError};

/// What went wrong, in the kernel's terms rather than the contract's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{message}")]
pub struct Fault {
    /// For deciding.
    pub kind: FaultKind,
    /// For the operator: what was attempted on what, and the kernel's reason.
    pub message: String,
}

/// Kinds of fault that callers tell apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum FaultKind {
    /// Malformed, or the kernel says EINVAL.
    Invalid,
    /// ENOENT and its like.
    NotFound,
    /// EEXIST, or something else is there.
    Exists,
    /// EBUSY, or the same job is running.
    Busy,
    /// No answer from a server.
    Unreachable,
    /// ESTALE: a server no longer knows what is mounted here.
    Stale,
    /// EACCES, EPERM, EROFS, or a path that leads out.
    Denied,
    /// The kernel lacks it.
    Unsupported,
    /// ENOSPC, EDQUOT, or a bound of ours.
    Exhausted,
    /// As many workers or jobs as may run at once do: this process or this node has too much to do now.
    Full,
    /// Something else has to change first, by somebody's hand.
    Precondition,
    /// The deadline passed; the worker was killed and is gone.
    TimedOut,
    /// The deadline passed and the worker cannot be killed: it still holds the volume's lock.
    Stuck,
    /// Anything else.
    Other,
}

impl Fault {
    pub(crate) fn new(kind: FaultKind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
        }
    }
}

impl From<Fault> for DriverError {
    fn from(fault: Fault) -> Self {
        let condition = match fault.kind {
            FaultKind::Full => return Self::overloaded(fault.message),
            FaultKind::Invalid => Condition::InvalidArgument,
            FaultKind::NotFound => Condition::NotFound,
            FaultKind::Exists => Condition::AlreadyExists,
            FaultKind::Busy | FaultKind::Stuck => Condition::InProgress,
            FaultKind::Unreachable | FaultKind::Stale | FaultKind::TimedOut => {
                Condition::Unavailable
            }
            FaultKind::Denied => Condition::Denied,
            FaultKind::Unsupported => Condition::Unsupported,
            FaultKind::Exhausted => Condition::Exhausted,
            FaultKind::Precondition => Condition::FailedPrecondition,
            FaultKind::Other => Condition::Internal,
        };
        Self::new(condition, fault.message)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorOrigin;

    #[test]
    fn what_this_process_has_no_room_for_is_not_the_backends_limit() {
        for (kind, whose) in [
            (FaultKind::Full, ErrorOrigin::Process),
            (FaultKind::Exhausted, ErrorOrigin::Backend),
        ] {
            let error = DriverError::from(Fault::new(kind, "why"));
            assert_eq!(
                (error.condition(), error.origin()),
                (Condition::Exhausted, whose)
            );
        }
    }
}
