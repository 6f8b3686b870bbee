//! Which version serves instead of another one, once somebody decided that: the operator, by name, or a count of calls
//! that broke down. Decisions on the record alone, and the one log event that a change has.

use super::version_record::{ActiveVersion, Content, RejectedBy, RejectedVersion, VersionRecord};
use crate::error::GuestText;
use crate::sys::now_seconds;
use crate::volume::DriverName;

/// The reason of a version that another one was activated over.
const REPLACED: &str = "replaced by `drivebay activate`";

/// Why a record's version stays as it is.
#[derive(Debug, thiserror::Error)]
pub enum DecisionError {
    /// Nothing was ever activated here.
    #[error(
        "nothing was activated yet, so there is nothing to roll back from; the component in the store serves"
    )]
    NothingActive,
    /// The first version, or all that served before were rolled back.
    #[error(
        "no version served before {active} to which it could go back; `drivebay activate` takes any version that this node has"
    )]
    NothingBefore {
        /// Digest of the one that serves.
        active: String,
    },
    /// It is no version that served here.
    #[error(
        "{sha256} is none of the versions that served before ({}); `drivebay activate` takes any version that this node has",
        listed(previous)
    )]
    NotBefore {
        /// The digest asked for.
        sha256: String,
        /// Digests that could have been.
        previous: Vec<String>,
    },
    /// There is nothing to do.
    #[error("{sha256} serves already")]
    ServesAlready {
        /// The digest asked for.
        sha256: String,
    },
}

fn listed(digests: &[String]) -> String {
    match digests.is_empty() {
        true => "there are none".to_owned(),
        false => digests.join(", "),
    }
}

impl VersionRecord {
    /// The version to which [`Self::roll_back`] goes: the one of that digest, or the latest. One of another component is
    /// none.
    ///
    /// # Errors
    /// [`DecisionError`].
    pub fn version_before(&self, to: Option<&str>) -> Result<&ActiveVersion, DecisionError> {
        let Some(active) = &self.active else {
            return Err(DecisionError::NothingActive);
        };
        let before = |known: &&ActiveVersion| known.component == active.component;
        let mut previous = self.previous.iter().filter(before);
        let Some(sha256) = to else {
            return previous.next().ok_or_else(|| DecisionError::NothingBefore {
                active: active.sha256.clone(),
            });
        };
        if active.sha256 == sha256 {
            return Err(serves_already(sha256));
        }
        previous
            .find(|known| known.sha256 == sha256)
            .ok_or_else(|| {
                let previous = self.previous.iter().filter(before);
                DecisionError::NotBefore {
                    sha256: sha256.to_owned(),
                    previous: previous.map(|known| known.sha256.clone()).collect(),
                }
            })
    }

    /// Lets a version serve again that served before, with the driver's file of then. The one that served until now is
    /// rejected: it does not come back by itself, and is none to go back to.
    ///
    /// # Errors
    /// [`DecisionError`]; the record is then as it was.
    pub fn roll_back(
        &mut self,
        to: Option<&str>,
        by: RejectedBy,
        reason: String,
    ) -> Result<ActiveVersion, DecisionError> {
        let now = now_seconds();
        let version = ActiveVersion {
            since: now,
            ..self.version_before(to)?.clone()
        };
        let before = self.active.clone();
        self.activate(version.clone());
        if let Some(before) = before {
            self.previous.retain(|known| known.sha256 != before.sha256);
            self.reject(before, by, reason, now);
        }
        Ok(version)
    }

    /// Lets a version serve because somebody named it. The one that served until now can be gone back to; where it is
    /// what the sources offer, it does not come back by itself.
    ///
    /// # Errors
    /// [`DecisionError::ServesAlready`].
    pub fn activate_by_name(
        &mut self,
        version: ActiveVersion,
        offered: Option<&Content>,
    ) -> Result<(), DecisionError> {
        let (before, now) = (self.active.clone(), version.since);
        if before.as_ref().map(|active| &active.sha256) == Some(&version.sha256) {
            return Err(serves_already(&version.sha256));
        }
        self.activate(version);
        let is_offered = |it: &ActiveVersion| {
            offered.is_some_and(|offered| offered.offered == it.content.offered)
        };
        if let Some(before) = before.filter(is_offered) {
            self.reject(before, RejectedBy::Operator, REPLACED.to_owned(), now);
        }
        Ok(())
    }

    fn reject(&mut self, version: ActiveVersion, by: RejectedBy, reason: String, since: u64) {
        self.rejected.retain(|known| known.sha256 != version.sha256);
        self.rejected.insert(
            0,
            RejectedVersion {
                sha256: version.sha256,
                version: version.version,
                since,
                source: version.source,
                reason,
                by,
                content: version.content,
                verified_by: version.verified_by,
            },
        );
    }
}

fn serves_already(sha256: &str) -> DecisionError {
    DecisionError::ServesAlready {
        sha256: sha256.to_owned(),
    }
}

/// The log's one event of a change. Whoever makes the change tells it, once the record is written.
pub fn log_change(driver: &DriverName, now: &ActiveVersion, before: Option<&ActiveVersion>) {
    tracing::info!(
        driver.name = %driver,
        component.sha256 = now.sha256,
        component.version = now.version.as_str(),
        source = now.source,
        previous.sha256 = before.map(|version| version.sha256.as_str()),
        previous.version = before.map(|version| GuestText::as_str(&version.version)),
        "another version of the component serves"
    );
}

#[cfg(test)]
mod tests {
    use super::super::version_record::HeldVersion;
    use super::*;

    fn content(sha256: &str) -> Content {
        Content {
            offered: format!("content of {sha256}"),
            driver_file: String::new(),
        }
    }

    fn version(sha256: &str) -> ActiveVersion {
        ActiveVersion {
            since: 10,
            source: format!("/source/{sha256}"),
            driver_file: format!("file of {sha256}"),
            content: content(sha256),
            ..ActiveVersion::example(sha256)
        }
    }

    fn record(served: &[&str]) -> VersionRecord {
        let mut record = VersionRecord::default();
        for sha256 in served {
            record.activate(version(sha256));
        }
        record
    }

    fn back(record: &mut VersionRecord, to: Option<&str>) -> Result<ActiveVersion, DecisionError> {
        record.roll_back(to, RejectedBy::Operator, "it is bad".to_owned())
    }

    fn previous(record: &VersionRecord) -> Vec<&str> {
        let previous = record.previous.iter();
        previous.map(|known| known.sha256.as_str()).collect()
    }

    #[test]
    fn rolling_back_takes_the_latest_before_with_its_drivers_file_and_rejects_what_served() {
        let mut record = record(&["a", "b", "c"]);
        let now = back(&mut record, None).expect("b served before");
        assert_eq!(
            (now.sha256.as_str(), now.driver_file.as_str()),
            ("b", "file of b")
        );
        assert!(now.since > 10, "it serves since now");
        assert_eq!(record.active, Some(now));
        let rejected = &record.rejected[0];
        assert!(record.has_taken_back("c") && !record.has_taken_back("b"));
        assert_eq!(
            (rejected.by, rejected.reason.as_str()),
            (RejectedBy::Operator, "it is bad")
        );
        assert_eq!(rejected.content, content("c"));
    }

    #[test]
    fn rolling_back_again_never_comes_to_what_was_rolled_back() {
        let mut record = record(&["a", "b", "c"]);
        for expected in ["b", "a"] {
            assert_eq!(back(&mut record, None).expect("served").sha256, expected);
        }
        let error = back(&mut record, None).expect_err("none is left");
        assert!(matches!(error, DecisionError::NothingBefore { .. }));
        assert!(record.has_taken_back("b") && record.has_taken_back("c"));
    }

    #[test]
    fn rolling_back_to_a_certain_version_leaves_the_others_to_go_back_to() {
        let mut record = record(&["a", "b", "c"]);
        back(&mut record, Some("a")).expect("a served before");
        assert_eq!(previous(&record), ["b"]);
    }

    #[test]
    fn versions_of_another_component_are_none_to_go_back_to() {
        let mut record = record(&["a"]);
        record.activate(ActiveVersion {
            component: "other".to_owned(),
            ..version("b")
        });
        for to in [None, Some("a")] {
            back(&mut record, to).expect_err("a is another component's");
        }
    }

    #[test]
    fn where_there_is_nothing_to_go_back_to_the_record_stays_as_it_is() {
        let error = back(&mut VersionRecord::default(), None).expect_err("nothing");
        assert!(matches!(error, DecisionError::NothingActive));
        let mut record = record(&["a", "b"]);
        let before = record.clone();
        for (to, reason) in [("b", "b serves already"), ("x", "served before (a)")] {
            let error = back(&mut record, Some(to)).expect_err(to).to_string();
            assert!(error.contains(reason), "{error}");
        }
        assert_eq!(record, before);
    }

    #[test]
    fn a_version_activated_by_name_is_rejected_no_more_and_what_it_replaces_does_not_come_back_by_itself()
     {
        let mut record = record(&["a", "b"]);
        back(&mut record, None).expect("a served before");
        let offered = content("a");
        let activated = record.activate_by_name(version("b"), Some(&offered));
        activated.expect("rejected");
        assert!(!record.has_taken_back("b") && record.has_taken_back("a"));
        assert_eq!(record.rejected[0].reason, REPLACED);
        // The operator can still go back to it.
        assert_eq!(
            back(&mut record, None).expect("a served before").sha256,
            "a"
        );
        assert!(!record.has_taken_back("a"));
    }

    #[test]
    fn what_a_source_offers_no_more_is_not_rejected_when_another_is_activated() {
        let held = HeldVersion {
            sha256: "b".to_owned(),
            version: GuestText::name("2"),
            since: 10,
            source: "/source".to_owned(),
            reason: GuestText::sentence("it takes something away"),
            content: content("b"),
            verified_by: None,
        };
        for offered in [Some(content("b")), None] {
            let mut record = record(&["a"]);
            record.held.push(held.clone());
            let activated = record.activate_by_name(version("b"), offered.as_ref());
            activated.expect("held");
            assert!(record.rejected.is_empty() && record.held.is_empty());
            assert_eq!(previous(&record), ["a"]);
        }
    }
}
