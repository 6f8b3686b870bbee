//! What a guest fails with by itself.

use crate::bindings::drivebay::driver::types as wit;
use crate::broker::CallReport;
use crate::error::{Condition, DriverError, GuestText};
use crate::runtime::host::condition_of;

/// It cannot say who ran out of something, nor who has the bug: where this process ran out of it, or a worker of it
/// failed, that is what it passes on. What the call brought is taken out of its words.
pub(super) fn failed_with(
    error: wit::Error,
    report: &CallReport,
    without_secrets: impl FnOnce(String) -> String,
) -> DriverError {
    let (condition, message) = condition_of(error);
    let message = without_secrets(message);
    let error = DriverError::new(condition, GuestText::sentence(&message));
    if report.was_full && condition == Condition::Exhausted {
        error.from_process()
    } else if !report.was_broken && condition == Condition::Internal {
        error.from_guest()
    } else {
        error
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorOrigin;

    fn as_it_is(message: String) -> String {
        message
    }

    #[test]
    fn what_is_told_went_through_whoever_knows_the_secrets() {
        let said = wit::Error::Denied("hunter2".to_owned());
        let masked = |message: String| message.replace("hunter2", "*******");
        let failed = failed_with(said, &CallReport::default(), masked);
        assert_eq!(failed.to_string(), "*******");
    }

    #[test]
    fn what_a_guest_passes_on_of_this_process_is_not_the_backends_limit() {
        let mut report = CallReport::default();
        let exhausted = || wit::Error::Exhausted("full".to_owned());
        let failed = failed_with(exhausted(), &report, as_it_is);
        assert_eq!(failed.origin(), ErrorOrigin::Backend);
        report.was_full = true;
        let passed_on = failed_with(exhausted(), &report, as_it_is);
        assert_eq!(
            (passed_on.condition(), passed_on.origin()),
            (Condition::Exhausted, ErrorOrigin::Process)
        );
        let other = wit::Error::NotFound("gone".to_owned());
        assert_eq!(
            failed_with(other, &report, as_it_is).origin(),
            ErrorOrigin::Backend
        );
    }

    #[test]
    fn a_bug_is_the_guests_unless_a_worker_failed() {
        let mut report = CallReport::default();
        let bug = || wit::Error::Internal("oops".to_owned());
        assert_eq!(
            failed_with(bug(), &report, as_it_is).origin(),
            ErrorOrigin::Guest
        );
        report.was_broken = true;
        assert_eq!(
            failed_with(bug(), &report, as_it_is).origin(),
            ErrorOrigin::Backend
        );
    }
}
