//! What the sources of a node offer a driver, and how far that has come: for whoever asks a node from outside whether it took
//! up what was delivered to it.
//!
//! Digests are of what was delivered, as it lies in the source, so that whoever delivers knows them without unpacking
//! anything.

use super::version_progress::{Step, Subject, VersionProgress};
use super::version_record::{Content, VersionRecord};

/// At one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OfferStatus {
    /// What is offered, as [`Content::offered`] has it; empty where nothing is.
    pub content: String,
    /// The driver's file that it is judged by, as [`Content::driver_file`] has it; where nothing is offered, the one that
    /// counts.
    pub driver_file: String,
    /// How far it has come.
    pub state: OfferState,
}

/// How far an offer has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OfferState {
    /// Nothing is offered.
    Nothing,
    /// It was not decided about.
    Pending,
    /// It passed every step, and its moment of `activate-within` has not come.
    Waits,
    /// It serves.
    Serves,
    /// It waits for the operator.
    Held,
    /// It may not be activated by itself: it was taken out of service, or the driver's file says so.
    Rejected,
    /// It did not become a version.
    Refused,
}

impl OfferState {
    /// As metrics have it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Nothing => "nothing",
            Self::Pending => "pending",
            Self::Waits => "waits",
            Self::Serves => "serves",
            Self::Held => "held",
            Self::Rejected => "rejected",
            Self::Refused => "refused",
        }
    }

    fn of(offered: &Content, progress: &VersionProgress, record: &VersionRecord) -> Self {
        let is_refused = |subject: Subject, content: Option<&Content>| {
            subject == Subject::Offer && content == Some(offered)
        };
        let mut refused = progress.refused.iter();
        if refused.any(|it| is_refused(it.of, it.content.as_ref())) {
            return Self::Refused;
        }
        let pending = progress.pending.as_ref();
        if let Some(pending) = pending.filter(|it| it.content == *offered) {
            return match pending.step {
                Step::Wait => Self::Waits,
                Step::Read
                | Step::Decompress
                | Step::Verify
                | Step::Check
                | Step::Compile
                | Step::SelfTest
                | Step::Switch => Self::Pending,
            };
        }
        if record.active.iter().any(|it| it.content == *offered) {
            return Self::Serves;
        }
        if record.held.iter().any(|it| it.content == *offered) {
            return Self::Held;
        }
        match record.has_decided(offered) {
            true => Self::Rejected,
            false => Self::Pending,
        }
    }
}

impl OfferStatus {
    /// By what was noted of a driver's versions last.
    pub fn of(progress: &VersionProgress, record: Option<&VersionRecord>) -> Self {
        let nothing = VersionRecord::default();
        let record = record.unwrap_or(&nothing);
        match &progress.offered {
            Some(offered) => Self {
                content: offered.offered.clone(),
                driver_file: offered.driver_file.clone(),
                state: OfferState::of(offered, progress, record),
            },
            None => {
                let counts = record.active.as_ref();
                let counts = counts.map(|active| active.content.driver_file.clone());
                Self {
                    content: String::new(),
                    driver_file: counts.unwrap_or_default(),
                    state: OfferState::Nothing,
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::version_progress::{PendingVersion, RefusedVersion};
    use super::super::version_record::{ActiveVersion, RejectedBy, RejectedVersion};
    use super::*;
    use crate::error::GuestText;

    fn content(offered: &str) -> Content {
        Content {
            offered: offered.to_owned(),
            driver_file: "file".to_owned(),
        }
    }

    fn offering(offered: &str) -> VersionProgress {
        VersionProgress {
            offered: Some(content(offered)),
            ..VersionProgress::default()
        }
    }

    fn serving(offered: &str) -> VersionRecord {
        let mut record = VersionRecord::default();
        record.activate(ActiveVersion {
            content: content(offered),
            ..ActiveVersion::example("a")
        });
        record
    }

    fn pending(step: Step) -> VersionProgress {
        VersionProgress {
            pending: Some(PendingVersion {
                sha256: None,
                step,
                since: 1,
                source: "a file".to_owned(),
                content: content("new"),
                not_before: None,
            }),
            ..offering("new")
        }
    }

    fn refused(of: Subject, offered: &str) -> VersionProgress {
        let mut progress = offering("new");
        progress.refused.push(RefusedVersion {
            sha256: None,
            step: Step::Check,
            reason: GuestText::name("no"),
            since: 1,
            source: "a file".to_owned(),
            content: Some(content(offered)),
            tries: 1,
            again_at: None,
            of,
        });
        progress
    }

    #[test]
    fn an_offer_is_as_far_as_what_was_noted_of_that_very_content() {
        let before = serving("old");
        let state = |progress: &VersionProgress, record: &VersionRecord| {
            OfferStatus::of(progress, Some(record)).state
        };
        for (progress, expected) in [
            (VersionProgress::default(), OfferState::Nothing),
            (offering("new"), OfferState::Pending),
            (offering("old"), OfferState::Serves),
            (pending(Step::Compile), OfferState::Pending),
            (pending(Step::Wait), OfferState::Waits),
            (refused(Subject::Offer, "new"), OfferState::Refused),
            (refused(Subject::Offer, "old"), OfferState::Pending),
            (refused(Subject::Sources, "new"), OfferState::Pending),
        ] {
            assert_eq!(state(&progress, &before), expected, "{progress:?}");
        }
        let mut taken_back = serving("old");
        taken_back.rejected.push(RejectedVersion {
            sha256: "b".to_owned(),
            version: GuestText::name("2"),
            since: 1,
            source: "a file".to_owned(),
            reason: "its calls broke down".to_owned(),
            by: RejectedBy::Calls,
            content: content("new"),
            verified_by: None,
        });
        assert_eq!(state(&offering("new"), &taken_back), OfferState::Rejected);
    }

    #[test]
    fn where_nothing_is_offered_the_drivers_file_that_counts_is_told() {
        let status = OfferStatus::of(&VersionProgress::default(), Some(&serving("old")));
        let told = (status.content.as_str(), status.driver_file.as_str());
        assert_eq!(told, ("", "file"));
    }
}
