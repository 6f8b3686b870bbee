//! What the host finds wrong with a volume on its node, in the words that callers get.
//!
//! Pure: others look, here it is said. No condition is there twice, as CSI has it: a volume that is mounted for many
//! pods has one disk and one server.

use std::path::Path;

use super::stale_mount::StaleMount;
use crate::error::DriverError;
use crate::volume::{HealthCondition, Severity};
use crate::worker::{Fault, FaultKind};

/// What the host can find, and what it passes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reason {
    /// Its server does not answer.
    ServerUnreachable,
    /// Its server answers and does not know it: ESTALE.
    MountStale,
    /// The disk beneath is gone from this node.
    DeviceMissing,
    /// It took writes, and does not any more.
    FilesystemReadOnly,
    /// Nothing of it can be read or written.
    FilesystemShutDown,
    /// It works, but the kernel noted errors in it.
    FilesystemErrors,
    /// It should be mounted there and is not.
    NotMounted,
    /// What the guest says of it.
    ReportedByBackend,
}

impl Reason {
    /// One word in CamelCase, as CSI has it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::ServerUnreachable => "ServerUnreachable",
            Self::MountStale => "MountStale",
            Self::DeviceMissing => "DeviceMissing",
            Self::FilesystemReadOnly => "FilesystemReadOnly",
            Self::FilesystemShutDown => "FilesystemShutDown",
            Self::FilesystemErrors => "FilesystemErrors",
            Self::NotMounted => "NotMounted",
            Self::ReportedByBackend => "ReportedByBackend",
        }
    }
}

/// Those of one volume.
#[derive(Debug, Default)]
pub(super) struct HealthConditions(Vec<HealthCondition>);

impl HealthConditions {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn has(&self, reason: Reason) -> bool {
        self.0.iter().any(|known| known.reason == reason.name())
    }

    pub(super) fn into_list(self) -> Vec<HealthCondition> {
        self.0
    }

    /// A server that could not be asked; where that is no fault of the server's, nobody knows.
    pub(super) fn add_fault(&mut self, path: &Path, fault: Fault) -> Result<(), DriverError> {
        match fault.kind {
            FaultKind::Stale => {
                self.add(Severity::Inaccessible, Reason::MountStale, fault.message);
            }
            FaultKind::TimedOut | FaultKind::Stuck | FaultKind::Unreachable => {
                let message = format!(
                    "the server of what is mounted at {} does not answer: {fault}; pods wait until it does",
                    path.display()
                );
                self.add(Severity::Inaccessible, Reason::ServerUnreachable, message);
            }
            FaultKind::Invalid
            | FaultKind::NotFound
            | FaultKind::Exists
            | FaultKind::Busy
            | FaultKind::Denied
            | FaultKind::Unsupported
            | FaultKind::Exhausted
            | FaultKind::Full
            | FaultKind::Precondition
            | FaultKind::Other => return Err(fault.into()),
        }
        Ok(())
    }

    /// What is mounted and is not what was mounted.
    pub(super) fn add_stale(&mut self, path: &Path, stale: &StaleMount) {
        let (severity, reason) = match stale {
            StaleMount::UnknownToServer => (Severity::Inaccessible, Reason::MountStale),
            StaleMount::DiskGone => (Severity::Inaccessible, Reason::DeviceMissing),
            // What was written can still be read.
            StaleMount::TurnedReadOnly => (Severity::Degraded, Reason::FilesystemReadOnly),
            StaleMount::ShutDown(_) => (Severity::Inaccessible, Reason::FilesystemShutDown),
            // That is how it was asked for.
            StaleMount::StagedReadOnly => return,
        };
        let message = format!("the volume at {}: {stale}", path.display());
        self.add(severity, reason, message);
    }

    /// The kernel counts them in the filesystem itself, until fsck(8) mends it.
    pub(super) fn add_filesystem_errors(&mut self, path: &Path, count: u64) {
        let message = format!(
            "the filesystem at {} has met {count} errors (/sys/fs/ext4/*/errors_count); unpublish the volume everywhere, and staging checks it with fsck",
            path.display()
        );
        self.add(Severity::Degraded, Reason::FilesystemErrors, message);
    }

    pub(super) fn add_not_mounted(&mut self, path: &Path) {
        let message = format!(
            "the volume was mounted at {} and is not any more, and nobody unmounted it here by this driver; delete the pod",
            path.display()
        );
        self.add(Severity::Inaccessible, Reason::NotMounted, message);
    }

    /// What the guest says.
    pub(super) fn add_reported(&mut self, severity: Severity, message: String) {
        self.add(severity, Reason::ReportedByBackend, message);
    }

    fn add(&mut self, severity: Severity, reason: Reason, message: String) {
        if !self.has(reason) {
            self.0.push(HealthCondition {
                severity,
                reason: reason.name().to_owned(),
                message,
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(fault: FaultKind) -> Option<(Severity, String)> {
        let mut found = HealthConditions::default();
        let answer = found.add_fault(Path::new("/pod"), Fault::new(fault, "measuring /pod"));
        assert_eq!(answer.is_err(), found.is_empty(), "{fault:?}");
        let first = found.into_list().into_iter().next();
        first.map(|condition| (condition.severity, condition.reason))
    }

    #[test]
    fn a_server_that_is_silent_and_one_that_forgot_are_told_apart() {
        let lost = |reason: &str| Some((Severity::Inaccessible, reason.to_owned()));
        assert_eq!(said(FaultKind::Stale), lost("MountStale"));
        for silent in [
            FaultKind::TimedOut,
            FaultKind::Stuck,
            FaultKind::Unreachable,
        ] {
            assert_eq!(said(silent), lost("ServerUnreachable"), "{silent:?}");
        }
    }

    #[test]
    fn what_is_no_fault_of_the_volume_is_an_error_and_says_nothing_of_it() {
        for nobody_knows in [FaultKind::Full, FaultKind::Exhausted, FaultKind::Other] {
            assert_eq!(said(nobody_knows), None, "{nobody_knows:?}");
        }
    }

    #[test]
    fn a_reason_is_there_once_however_many_pods_have_the_volume() {
        let mut found = HealthConditions::default();
        for pod in ["/pod-1", "/pod-2"] {
            found.add_stale(Path::new(pod), &StaleMount::DiskGone);
            found.add_stale(Path::new(pod), &StaleMount::TurnedReadOnly);
            found.add_stale(Path::new(pod), &StaleMount::StagedReadOnly);
        }
        let reasons: Vec<String> = found.into_list().into_iter().map(|it| it.reason).collect();
        assert_eq!(reasons, ["DeviceMissing", "FilesystemReadOnly"]);
    }
}
