//! A version in its first minutes: where its calls break down and those of the version before did not, that one comes
//! back by itself.
//!
//! Calls are counted over all processes of the node, always, so that it is known of the version before how it fared. The
//! process whose call breaks down as the one too many decides, whichever it is.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::active::is_allowed;
use super::call_counts::{self, CallCounts, CallEnd, MOST_CALLS, TOLD};
use super::compiled::read_manifest;
use super::components::retained;
use super::imports::problems;
use super::manifest::Manifest;
use super::version_record::{ActiveVersion, RecordError, RejectedBy, VersionRecord};
use crate::config::{DriverConfig, Paths, RollbackRule};
use crate::sys::{self, EventLog};

/// Of one version of one driver, in this process.
#[derive(Debug)]
pub struct Trial {
    paths: Paths,
    config: Arc<DriverConfig>,
    sha256: String,
    calls: EventLog,
    /// Whether this process has said that the version goes on.
    told: AtomicBool,
}

/// What follows from calls that break down.
enum Verdict {
    /// Nothing yet, or no longer.
    Goes,
    /// Too many did; and why nothing is done about it.
    Stays(&'static str),
    /// That version served better.
    Back {
        /// SHA-256.
        to: String,
        /// When the version began that is judged.
        since: u64,
        reason: String,
    },
}

impl Trial {
    /// For a version that is loaded to be called.
    pub fn new(paths: Paths, config: Arc<DriverConfig>, sha256: &str) -> Self {
        Self {
            calls: EventLog::at(call_counts::file(&paths, &config.name, sha256)),
            paths,
            config,
            sha256: sha256.to_owned(),
            told: AtomicBool::new(false),
        }
    }

    /// A call of the version ended. What cannot be counted decides nothing.
    pub fn count(&self, end: CallEnd) {
        if let Err(error) = self.calls.add(end.event()) {
            tracing::debug!(%error, "cannot count a call");
            return;
        }
        match end {
            CallEnd::Answered => {}
            CallEnd::BrokeDown | CallEnd::WrongAnswer => self.judge(),
        }
    }

    fn judge(&self) {
        let done = match self.verdict() {
            Ok(Verdict::Goes) => Ok(()),
            Ok(Verdict::Stays(why)) => {
                self.tell_once(why);
                Ok(())
            }
            Ok(Verdict::Back { to, since, reason }) => self.roll_back(&to, since, &reason),
            Err(error) => Err(error),
        };
        if let Err(error) = done {
            tracing::error!(driver.name = self.config.name.0, component.sha256 = self.sha256, %error,
                "calls break down, and the version before cannot be brought back");
        }
    }

    fn verdict(&self) -> Result<Verdict, RecordError> {
        let rule = self.config.versions.rollback;
        let record = VersionRecord::read(&self.paths, &self.config.name)?;
        let Some(record) = record.filter(|record| self.is_on_trial(record, rule)) else {
            return Ok(Verdict::Goes);
        };
        let events = self.events(&self.sha256);
        let own = CallCounts::of(&events);
        let enough = usize::try_from(rule.calls).map_or(MOST_CALLS, |calls| calls.min(MOST_CALLS));
        if own.calls < enough || !own.has_failed(rule.failures_percent) {
            return Ok(Verdict::Goes);
        }
        Ok(self.compare(&record, own, rule))
    }

    /// A version that came back because another failed is not new, and failing now is hardly its fault.
    fn is_on_trial(&self, record: &VersionRecord, rule: RollbackRule) -> bool {
        let Some(active) = record.active.as_ref().filter(|it| it.sha256 == self.sha256) else {
            return false;
        };
        let mut rejected = record.rejected.iter();
        let has_come_back =
            rejected.any(|it| it.by == RejectedBy::Calls && it.since == active.since);
        // Of a clock that was set back since, it began just now.
        let age = sys::now_seconds().saturating_sub(active.since);
        !has_come_back && age <= rule.within.as_secs()
    }

    fn compare(&self, record: &VersionRecord, own: CallCounts, rule: RollbackRule) -> Verdict {
        if self.config.versions.active.as_ref() == Some(&self.sha256) {
            return Verdict::Stays("versions.active of the driver's file names this version");
        }
        let mut previous = record.previous.iter();
        let Some(before) = previous.find(|version| self.may_serve(version)) else {
            return Verdict::Stays("there is no version before it that may serve");
        };
        // The last ones alone: what went well for days says nothing about a backend that has broken since.
        let calls_before = CallCounts::of_last(&self.events(&before.sha256), own.calls);
        if calls_before.has_failed(rule.failures_percent) {
            return Verdict::Stays("those of the version before it did as well");
        }
        Verdict::Back {
            since: record.active.as_ref().map_or(0, |active| active.since),
            reason: reason(own, before, calls_before),
            to: before.sha256.clone(),
        }
    }

    fn may_serve(&self, version: &ActiveVersion) -> bool {
        version.component == self.config.component
            && retained(&self.paths, &version.sha256).exists()
            && !self.config.versions.rejected.contains(&version.sha256)
            && self.is_allowed(version)
    }

    /// By the driver's file that counts now, whatever was allowed when it served.
    fn is_allowed(&self, version: &ActiveVersion) -> bool {
        let is_granted = |manifest: Manifest| {
            let granted = self.config.capabilities();
            problems(&manifest.imports, &manifest.exports, &granted).is_empty()
        };
        // One that this host has not compiled yet may not be compilable any more.
        is_allowed(
            &self.config,
            &version.sha256,
            version.verified_by.as_deref(),
        ) && read_manifest(&self.paths, &version.sha256).map_or(true, is_granted)
    }

    /// What cannot be read counts as no calls, of which none broke down.
    fn events(&self, sha256: &str) -> Vec<u8> {
        let file = call_counts::file(&self.paths, &self.config.name, sha256);
        EventLog::read(&file).unwrap_or_default()
    }

    /// Unless somebody else decided meanwhile.
    fn roll_back(&self, to: &str, since: u64, reason: &str) -> Result<(), RecordError> {
        let back = VersionRecord::change(&self.paths, &self.config.name, |record| {
            let judged = |it: &&ActiveVersion| it.sha256 == self.sha256 && it.since == since;
            record.active.as_ref().filter(judged)?;
            record
                .roll_back(Some(to), RejectedBy::Calls, reason.to_owned())
                .ok()
        })?;
        if let Some(back) = back {
            tracing::error!(
                driver.name = self.config.name.0,
                component.sha256 = back.sha256,
                component.version = back.version.as_str(),
                rejected = self.sha256,
                reason,
                "the version before serves again"
            );
        }
        Ok(())
    }

    /// Once for all processes; again, at the most, when many calls later the counts are cut back.
    fn tell_once(&self, why: &str) {
        let is_told = self.told.swap(true, Ordering::Relaxed);
        if is_told || self.events(&self.sha256).contains(&TOLD) || self.calls.add(TOLD).is_err() {
            return;
        }
        tracing::error!(
            driver.name = self.config.name.0,
            component.sha256 = self.sha256,
            reason = why,
            "calls of a new version break down, and it goes on serving"
        );
    }
}

/// For whoever asks why the version does not serve.
fn reason(own: CallCounts, before: &ActiveVersion, calls_before: CallCounts) -> String {
    let CallCounts { calls, failures } = own;
    let version = &before.version;
    match calls_before {
        CallCounts { calls: 0, .. } => format!(
            "{failures} of its {calls} calls broke down, and of version {version} before it none is known to have"
        ),
        before => format!(
            "{failures} of its {calls} calls broke down, and {} of the last {} of version {version} before it",
            before.failures, before.calls
        ),
    }
}

#[cfg(test)]
mod tests;
