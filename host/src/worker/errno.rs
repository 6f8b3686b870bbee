//! Failures in the kernel's terms, and the table that turns them into conditions.

use std::io;
use std::path::Path;

use nix::errno::Errno;
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

#[cfg(feature = "compiler")]
impl FaultKind {
    /// As it is of what a worker could not do.
    pub(crate) fn of(error: &io::Error) -> Self {
        kind_of(Errno::from_raw(error.raw_os_error().unwrap_or(0)))
    }
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

pub(super) fn fault(attempt: &str, path: &Path, errno: Errno) -> Fault {
    Fault::new(
        kind_of(errno),
        format!("cannot {attempt} {}: {}", path.display(), reason(errno)),
    )
}

/// The kernel's reason; and what helps, where its own words say little.
pub(super) fn reason(errno: Errno) -> &'static str {
    if errno == Errno::ESTALE {
        "its server no longer knows it (ESTALE): it was removed, replaced or restored there; \
         try again, and if that does not help, mount the volume anew or look at the server's exports"
    } else {
        errno.desc()
    }
}

pub(super) fn io_fault(attempt: &str, path: &Path, error: &io::Error) -> Fault {
    fault(
        attempt,
        path,
        Errno::from_raw(error.raw_os_error().unwrap_or(0)),
    )
}

#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "Linux has more errors than we have words"
)]
pub(super) fn kind_of(errno: Errno) -> FaultKind {
    match errno {
        Errno::EINVAL | Errno::ENOTDIR | Errno::ELOOP | Errno::ENAMETOOLONG => FaultKind::Invalid,
        Errno::ENOENT => FaultKind::NotFound,
        // Not the same: what was there may still be there, and hold data.
        Errno::ESTALE => FaultKind::Stale,
        Errno::EEXIST | Errno::ENOTEMPTY => FaultKind::Exists,
        Errno::EBUSY => FaultKind::Busy,
        Errno::EACCES | Errno::EPERM | Errno::EROFS | Errno::EXDEV => FaultKind::Denied,
        Errno::ENODEV | Errno::EPROTONOSUPPORT | Errno::EOPNOTSUPP | Errno::ENOSYS => {
            FaultKind::Unsupported
        }
        Errno::ENOSPC | Errno::EDQUOT | Errno::EMFILE | Errno::ENFILE | Errno::ENOMEM => {
            FaultKind::Exhausted
        }
        Errno::ETIMEDOUT
        | Errno::ECONNREFUSED
        | Errno::EHOSTUNREACH
        | Errno::ENETUNREACH
        | Errno::EHOSTDOWN
        | Errno::ECONNRESET
        | Errno::ECONNABORTED => FaultKind::Unreachable,
        _ => FaultKind::Other,
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

    #[test]
    fn what_its_server_no_longer_knows_is_not_what_is_not_there() {
        let path = Path::new("/mnt");
        let stale = fault("open", path, Errno::ESTALE);
        assert_eq!(stale.kind, FaultKind::Stale);
        assert!(
            stale.message.contains("its server no longer knows"),
            "{stale}"
        );
        assert_eq!(fault("open", path, Errno::ENOENT).kind, FaultKind::NotFound);
    }
}
