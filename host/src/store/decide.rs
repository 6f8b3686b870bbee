//! Which version serves instead of another one, once somebody decided that: the operator, by name, or a count of calls
//! that broke down. Decisions on the record alone, and the one log event that a change has.

use super::version_record::{ActiveVersion, RejectedBy, RejectedVersion, VersionRecord};
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
    /// The version to which [`Self::roll_back`] goes: the one of that digest, or the latest.
    ///
    /// # Errors
    /// [`DecisionError`].
    pub fn version_before(&self, to: Option<&str>) -> Result<&ActiveVersion, DecisionError> {
        let Some(active) = &self.active else {
            return Err(DecisionError::NothingActive);
        };
        let Some(sha256) = to else {
            return self
                .previous
                .first()
                .ok_or_else(|| DecisionError::NothingBefore {
                    active: active.sha256.clone(),
                });
        };
        if active.sha256 == sha256 {
            return Err(serves_already(sha256));
        }
        let mut previous = self.previous.iter();
        previous
            .find(|known| known.sha256 == sha256)
            .ok_or_else(|| DecisionError::NotBefore {
                sha256: sha256.to_owned(),
                previous: self
                    .previous
                    .iter()
                    .map(|known| known.sha256.clone())
                    .collect(),
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

    /// Lets a version serve because somebody named it. The one that served until now can be gone back to, and does not
    /// come back by itself where a source may still offer it.
    ///
    /// # Errors
    /// [`DecisionError::ServesAlready`].
    pub fn activate_by_name(&mut self, version: ActiveVersion) -> Result<(), DecisionError> {
        let (before, now) = (self.active.clone(), version.since);
        if before.as_ref().map(|active| &active.sha256) == Some(&version.sha256) {
            return Err(serves_already(&version.sha256));
        }
        // One that was found in the source after the active one has taken its place there.
        let mut held = self.held.iter();
        let found = held
            .find(|held| held.sha256 == version.sha256)
            .map(|held| held.since);
        self.activate(version);
        if let Some(before) = before
            && found.is_none_or(|found| found <= before.since)
        {
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
    use super::super::version_record::{Content, HeldVersion};
    use super::*;

    fn version(sha256: &str) -> ActiveVersion {
        ActiveVersion {
            component: "nfs".to_owned(),
            sha256: sha256.to_owned(),
            version: GuestText::name("1"),
            since: 10,
            source: format!("/source/{sha256}"),
            driver_file: format!("file of {sha256}"),
            content: content(&format!("content of {sha256}")),
            verified_by: None,
        }
    }

    fn content(offered: &str) -> Content {
        Content {
            offered: offered.to_owned(),
            driver_file: String::new(),
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
        assert!(record.has_rejected("c") && !record.has_rejected("b"));
        assert_eq!(
            (rejected.by, rejected.reason.as_str()),
            (RejectedBy::Operator, "it is bad")
        );
        assert_eq!(rejected.content, content("content of c"));
    }

    #[test]
    fn rolling_back_again_never_comes_to_what_was_rolled_back() {
        let mut record = record(&["a", "b", "c"]);
        for expected in ["b", "a"] {
            assert_eq!(back(&mut record, None).expect("served").sha256, expected);
        }
        let error = back(&mut record, None).expect_err("none is left");
        assert!(matches!(error, DecisionError::NothingBefore { .. }));
        assert!(record.has_rejected("b") && record.has_rejected("c"));
    }

    #[test]
    fn rolling_back_to_a_certain_version_leaves_the_others_to_go_back_to() {
        let mut record = record(&["a", "b", "c"]);
        back(&mut record, Some("a")).expect("a served before");
        assert_eq!(previous(&record), ["b"]);
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
        record.activate_by_name(version("b")).expect("rejected");
        assert!(!record.has_rejected("b") && record.has_rejected("a"));
        assert_eq!(record.rejected[0].reason, REPLACED);
        // The operator can still go back to it.
        assert_eq!(
            back(&mut record, None).expect("a served before").sha256,
            "a"
        );
        assert!(!record.has_rejected("a"));
    }

    #[test]
    fn one_that_was_held_has_taken_the_place_of_the_active_one_in_its_source() {
        let held = |since| HeldVersion {
            sha256: "b".to_owned(),
            version: GuestText::name("2"),
            since,
            source: "/source".to_owned(),
            reason: GuestText::sentence("it takes something away"),
            content: Content::default(),
            verified_by: None,
        };
        for (since, is_rejected) in [(11, false), (9, true)] {
            let mut record = record(&["a"]);
            record.held.push(held(since));
            record.activate_by_name(version("b")).expect("held");
            assert_eq!(record.has_rejected("a"), is_rejected, "{since}");
            assert!(record.held.is_empty());
            assert_eq!(previous(&record), ["a"]);
        }
    }
}
