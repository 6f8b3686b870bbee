//! From what a source offers to the version that serves: one step after the other, each shown before it begins.
//!
//! Whatever goes wrong, the version that serves goes on serving: nothing counts before the record is replaced, which is
//! the last step. Calls that have begun finish on the version that they began with.

mod activate_within;
mod declared;
mod failure;
mod notes;

use std::path::Path;

use super::breaking_change::what_it_takes_away;
use super::compile::{check, compiled_before, manifest_of};
use super::components::{ComponentBytes, keep};
use super::decompress::decompress;
use super::file_rules;
use super::imports;
use super::installed::installed_version;
use super::manifest::Manifest;
use super::source_contents::{Candidate, SourceError};
use super::version_change::log_change;
use super::version_progress::{PendingVersion, RefusedVersion, Step, Subject, VersionProgress};
use super::version_record::{
    ActiveVersion, Content, HeldVersion, RecordError, RejectedBy, RejectedVersion, VersionRecord,
};
use crate::config::{DriverConfig, Paths};
use crate::error::GuestText;
use crate::sys;
use crate::worker::client::Priority;

use failure::{Failure, Retry};

/// Until what may pass (a full disk) is tried again, in seconds; each time twice as long, up to the second number.
const RETRY: (u64, u64) = (5, 600);

/// What a driver's activations need.
#[derive(Clone, Copy)]
#[expect(
    missing_debug_implementations,
    reason = "it is made for one look, and holds a question to the journal"
)]
pub struct Activation<'a> {
    /// Where things lie.
    pub paths: &'a Paths,
    /// The driver's file as it is now.
    pub driver: &'a DriverConfig,
    /// Versions that made what is mounted or attached on this node, asked for where a new one is compared with them.
    pub in_use: &'a dyn Fn() -> Vec<Manifest>,
    /// This node's name, from which its moment in `versions.activate-within` follows.
    pub node: &'a str,
    /// Who waits for it.
    pub priority: Priority,
}

/// What became of an offer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It was decided about before.
    Known,
    /// It serves from now on.
    Activated,
    /// It is sound and waits for an operator.
    Held,
    /// It may not serve.
    Rejected,
    /// It did not become a version; the reason is noted.
    Refused,
    /// Its moment comes in so many seconds.
    Waits(u64),
    /// The source was exchanged while it was read, and has to be read anew.
    SourceChanged,
}

/// One offer on its way.
struct Attempt<'a> {
    with: Activation<'a>,
    of: Subject,
    source: &'a Path,
    content: Content,
    /// Since when it has been on its way, in seconds since 1970.
    since: u64,
    sha256: Option<String>,
    /// As it was when this began. What is decided by it counts only while it is so.
    seen: VersionRecord,
    /// What serves by it: until something is activated, what lies in the store by name.
    serving: Option<ActiveVersion>,
}

/// A component that passed every step but the last two.
struct Sound {
    manifest: Manifest,
    verified_by: Option<String>,
}

impl<'a> Activation<'a> {
    /// Looks at what a source offers, and makes it the version that serves unless something stands against it.
    ///
    /// # Errors
    /// The record cannot be read.
    pub fn take_up(self, candidate: &Candidate) -> Result<Outcome, RecordError> {
        let content = self.content_of(candidate);
        let seen = self.seen()?;
        let active = seen.active.clone();
        let serving = active.or_else(|| installed_version(self.paths, self.driver));
        let progress = VersionProgress::read(self.paths, &self.driver.name);
        let progress = self.note_offer(progress, &content);
        let is_serving = serving.as_ref().is_some_and(|it| it.content == content);
        if is_serving || seen.has_decided(&content) || progress.has_refused(&content) {
            self.forget_pending(&progress);
            return Ok(Outcome::Known);
        }
        if let Some(seconds) = progress.seconds_to_wait(Subject::Offer, &content) {
            return Ok(Outcome::Waits(seconds));
        }
        let pending = progress.pending.filter(|it| it.content == content);
        let since = pending.as_ref().map(|pending| pending.since);
        let waiting = pending.and_then(|pending| pending.sha256.zip(pending.not_before));
        if let Some((sha256, _)) = waiting
            && let Some(seconds) = self.seconds_left(&sha256, since.unwrap_or_default())
        {
            return Ok(Outcome::Waits(seconds));
        }
        let attempt = Attempt {
            with: self,
            of: Subject::Offer,
            source: &candidate.file.path,
            content,
            since: since.unwrap_or_else(sys::now_seconds),
            sha256: None,
            seen,
            serving,
        };
        Ok(attempt.end(|attempt| {
            let sound = attempt.examine(candidate)?;
            attempt.decide(sound)
        }))
    }

    /// Lets the driver's file, as it is now, count for the version that serves already.
    ///
    /// # Errors
    /// The record cannot be read.
    pub fn take_up_driver_file(self) -> Result<Outcome, RecordError> {
        let Some(active) = self.adopted()? else {
            return Ok(Outcome::Known);
        };
        let content = Content {
            offered: active.content.offered.clone(),
            driver_file: Content::driver_file(self.driver),
        };
        // What could not be done for another driver's file.
        self.forget_refused(|it| {
            let noted = it.content.as_ref().map(|noted| &noted.driver_file);
            it.of == Subject::Rules && noted != Some(&content.driver_file)
        });
        // Another component's version is not this driver's any more.
        let is_another = active.component != self.driver.component;
        if is_another || active.content.driver_file == content.driver_file {
            self.forget_refused(|it| it.of == Subject::DriverFile);
            return Ok(Outcome::Known);
        }
        let progress = VersionProgress::read(self.paths, &self.driver.name);
        if progress.has_refused(&content) {
            return Ok(Outcome::Known);
        }
        if let Some(seconds) = progress.seconds_to_wait(Subject::DriverFile, &content) {
            return Ok(Outcome::Waits(seconds));
        }
        let file = self.paths.driver_file(&self.driver.name);
        let attempt = Attempt {
            with: self,
            of: Subject::DriverFile,
            source: &file,
            content,
            since: sys::now_seconds(),
            sha256: Some(active.sha256.clone()),
            seen: self.seen()?,
            serving: Some(active.clone()),
        };
        Ok(attempt.end(|attempt| {
            attempt
                .apply_driver_file(active)
                .map(|()| Outcome::Activated)
        }))
    }

    fn seen(self) -> Result<VersionRecord, RecordError> {
        Ok(VersionRecord::read(self.paths, &self.driver.name)?.unwrap_or_default())
    }

    /// The version that serves. Where nothing was activated yet it is noted, with the driver's file as it is now: only what
    /// was noted can get another driver's file.
    fn adopted(self) -> Result<Option<ActiveVersion>, RecordError> {
        let active = self.seen()?.active;
        let Some(installed) = installed_version(self.paths, self.driver) else {
            return Ok(active);
        };
        // What was put there by hand, or with an image, is followed where that is what serves.
        let is_newer = |active: &ActiveVersion| {
            active.source == installed.source && active.sha256 != installed.sha256
        };
        if let Some(active) = active.filter(|active| !is_newer(active)) {
            return Ok(Some(active));
        }
        let noted = VersionRecord::change(self.paths, &self.driver.name, |record| {
            record.activate(installed.clone());
        });
        let noted = noted.map(|()| installed.clone());
        // On a full disk it is noted later, and until then nothing changes.
        Ok(Some(noted.unwrap_or(installed)))
    }

    /// What makes an offer another one.
    fn content_of(self, candidate: &Candidate) -> Content {
        let signature = candidate.signature.as_ref();
        let signature = signature.map(|file| file.sha256.as_str());
        Content::of(&candidate.file.sha256, signature, self.driver)
    }
}

impl Attempt<'_> {
    fn end(mut self, work: impl FnOnce(&mut Self) -> Result<Outcome, Failure>) -> Outcome {
        match work(&mut self) {
            Ok(outcome) => outcome,
            Err(Failure {
                retry: Retry::AtOnce,
                ..
            }) => {
                self.settle();
                Outcome::SourceChanged
            }
            Err(failure) => self.refuse(failure),
        }
    }

    /// Everything that can be found out about it.
    fn examine(&mut self, candidate: &Candidate) -> Result<Sound, Failure> {
        self.begin(Step::Read);
        let packed = candidate.read().map_err(unread)?;
        let signature = candidate.read_signature().map_err(unread)?;
        self.begin(Step::Decompress);
        let bytes = decompress(packed, candidate.compression)
            .map_err(|error| Failure::of(Step::Decompress, error.to_string()))?;
        let component = ComponentBytes::delivered(self.source, bytes);
        self.sha256 = Some(component.sha256.clone());
        self.begin(Step::Verify);
        let verified_by = self.verify(&component, signature.as_deref())?;
        let manifest = self.compile(&component)?;
        keep(self.with.paths, &component)
            .map_err(|error| Failure::passing(Step::SelfTest, &error))?;
        Ok(Sound {
            manifest,
            verified_by,
        })
    }

    /// Whether the driver's file wants this one.
    fn verify(
        &self,
        component: &ComponentBytes,
        signature: Option<&[u8]>,
    ) -> Result<Option<String>, Failure> {
        let driver = self.with.driver;
        let failure = |reason: String| Failure::of(Step::Verify, reason);
        let declared = driver.versions.active.as_ref();
        if let Some(declared) = declared.filter(|it| **it != component.sha256) {
            return Err(failure(format!(
                "it has digest {}, and versions.active of the driver's file names {declared}",
                component.sha256
            )));
        }
        file_rules::require(driver, component, signature)
            .map_err(|error| failure(error.to_string()))
    }

    /// Types, grants, native code, self-test; what an earlier activation did is not done again.
    fn compile(&mut self, component: &ComponentBytes) -> Result<Manifest, Failure> {
        let (paths, limits) = (self.with.paths, self.with.driver.limits.compile);
        self.begin(Step::Check);
        if let Some(manifest) = compiled_before(paths, &component.sha256) {
            self.refuse_ungranted(&manifest.imports, &manifest.exports)?;
            return Ok(manifest);
        }
        let failed = |step| move |error| Failure::of_compile(step, &error);
        let checked = check(component, limits, self.with.priority).map_err(failed(Step::Check))?;
        let interfaces = &checked.interfaces;
        self.refuse_ungranted(&interfaces.imports, &interfaces.exports)?;
        self.begin(Step::Compile);
        let code = checked.compile().map_err(failed(Step::Compile))?;
        self.begin(Step::SelfTest);
        let tested = code.self_test().map_err(failed(Step::SelfTest))?;
        tested.keep(paths).map_err(failed(Step::SelfTest))
    }

    fn refuse_ungranted(&self, imports: &[String], exports: &[String]) -> Result<(), Failure> {
        let problems = imports::problems(imports, exports, &self.with.driver.capabilities());
        if problems.is_empty() {
            return Ok(());
        }
        Err(Failure::of(Step::Check, imports::in_words(&problems)))
    }

    /// What is sound serves, unless it takes something away, was rejected, or its moment has not come.
    fn decide(&mut self, sound: Sound) -> Result<Outcome, Failure> {
        let sha256 = sound.manifest.component_sha256.clone();
        let is_active = self.serving.as_ref().is_some_and(|it| it.sha256 == sha256);
        if self.with.driver.versions.rejected.contains(&sha256) && !is_active {
            return self.reject(&sound);
        }
        if self.seen.has_taken_back(&sha256) {
            // Delivered in another form, it is the same version still.
            let content = self.content.clone();
            self.change(|record| {
                let mut rejected = record.rejected.iter_mut();
                if let Some(known) = rejected.find(|it| it.sha256 == sha256) {
                    known.content = content;
                }
            })?;
            self.settle();
            return Ok(Outcome::Rejected);
        }
        self.forgive()?;
        if !is_active && let Some(reason) = self.reason_to_hold(&sound) {
            return self.hold(sound, reason);
        }
        // A node without any version has nothing to wait with.
        if !is_active
            && self.serving.is_some()
            && let Some(seconds) = self.with.seconds_left(&sha256, self.since)
        {
            let not_before = sys::now_seconds() + seconds;
            self.show(Step::Wait, Some(not_before));
            return Ok(Outcome::Waits(seconds));
        }
        self.begin(Step::Switch);
        if let Some(active) = self.serving.clone().filter(|_| is_active) {
            // Delivered in another form, or with another driver's file or signature.
            self.switch(ActiveVersion {
                driver_file: self.with.driver.text.clone(),
                content: self.content.clone(),
                verified_by: sound.verified_by,
                ..active
            })?;
            return Ok(Outcome::Activated);
        }
        self.switch(ActiveVersion {
            component: self.with.driver.component.clone(),
            sha256,
            version: sound.manifest.description.version.clone(),
            since: sys::now_seconds(),
            source: self.source.display().to_string(),
            driver_file: self.with.driver.text.clone(),
            content: self.content.clone(),
            verified_by: sound.verified_by,
        })?;
        Ok(Outcome::Activated)
    }

    /// The source shows another version: those that it showed before are rejected and held no longer.
    fn forgive(&mut self) -> Result<(), Failure> {
        let offered = self.content.offered.clone();
        let is_gone = |held: &HeldVersion| held.content.offered != offered;
        if self.seen.rejected.is_empty() && !self.seen.held.iter().any(is_gone) {
            return Ok(());
        }
        self.change(|record| {
            record.rejected.clear();
            record.held.retain(|held| !is_gone(held));
        })
    }

    fn reason_to_hold(&self, sound: &Sound) -> Option<String> {
        let sha256 = &sound.manifest.component_sha256;
        if self.with.driver.versions.held.contains(sha256) {
            return Some("versions.held of the driver's file names it".to_owned());
        }
        let active = self.serving.as_ref()?;
        let limits = self.with.driver.limits.compile;
        let Some(active) = manifest_of(self.with.paths, &active.sha256, limits) else {
            return Some("it cannot be compared with the version that serves".to_owned());
        };
        let taken = what_it_takes_away(&sound.manifest, &active, &(self.with.in_use)());
        (!taken.is_empty()).then(|| taken.join("; "))
    }

    fn hold(&mut self, sound: Sound, reason: String) -> Result<Outcome, Failure> {
        let held = HeldVersion {
            sha256: sound.manifest.component_sha256,
            version: sound.manifest.description.version,
            since: sys::now_seconds(),
            source: self.source.display().to_string(),
            reason: GuestText::sentence(&reason),
            content: self.content.clone(),
            verified_by: sound.verified_by,
        };
        tracing::warn!(
            driver.name = self.with.driver.name.0,
            component.sha256 = held.sha256,
            component.version = held.version.as_str(),
            reason,
            "a new version is held; `drivebay activate` lets it serve"
        );
        self.change(|record| {
            record.held.retain(|known| known.source != held.source);
            record.held.push(held);
        })?;
        self.settle();
        Ok(Outcome::Held)
    }

    fn reject(&mut self, sound: &Sound) -> Result<Outcome, Failure> {
        let manifest = &sound.manifest;
        let rejected = RejectedVersion {
            sha256: manifest.component_sha256.clone(),
            version: manifest.description.version.clone(),
            since: sys::now_seconds(),
            source: self.source.display().to_string(),
            reason: "versions.rejected of the driver's file names it".to_owned(),
            by: RejectedBy::DriverFile,
            content: self.content.clone(),
            verified_by: sound.verified_by.clone(),
        };
        self.change(|record| {
            record
                .rejected
                .retain(|known| known.sha256 != rejected.sha256);
            record.rejected.push(rejected);
        })?;
        self.settle();
        Ok(Outcome::Rejected)
    }

    /// The one moment at which anything changes for callers.
    fn switch(&mut self, version: ActiveVersion) -> Result<(), Failure> {
        let (now, before) = (version.clone(), self.serving.clone());
        self.change(|record| {
            record.active.clone_from(&before);
            record.activate(version);
        })?;
        let is_change = |before: &ActiveVersion| {
            before.sha256 != now.sha256 || before.driver_file != now.driver_file
        };
        if before.as_ref().is_none_or(is_change) {
            log_change(&self.with.driver.name, &now, before.as_ref());
        }
        self.settle();
        Ok(())
    }

    /// The same component by another driver's file, if it allows that.
    fn apply_driver_file(&mut self, active: ActiveVersion) -> Result<(), Failure> {
        self.begin(Step::Verify);
        let (driver, paths) = (self.with.driver, self.with.paths);
        let signer = active.verified_by.as_ref();
        let is_signed = signer.is_some_and(|key| driver.require.lists_key(key));
        if !driver.require.allows_digest(&active.sha256) && !is_signed {
            let reason = "the version that serves is not one that `require` of the driver's file allows; until one that it allows is offered, the driver's file does not count";
            return Err(Failure::of(Step::Verify, reason.to_owned()));
        }
        self.begin(Step::Check);
        let manifest =
            manifest_of(paths, &active.sha256, driver.limits.compile).ok_or_else(|| {
                let reason =
                    "the version that serves is gone from the store, or cannot be compiled";
                Failure::of(Step::Check, reason.to_owned())
            })?;
        self.refuse_ungranted(&manifest.imports, &manifest.exports)?;
        self.begin(Step::Switch);
        self.switch(ActiveVersion {
            driver_file: driver.text.clone(),
            content: self.content.clone(),
            ..active
        })
    }

    /// Unless somebody else decided something meanwhile: then everything is looked at anew.
    fn change<T>(&mut self, change: impl FnOnce(&mut VersionRecord) -> T) -> Result<T, Failure> {
        let (paths, driver) = (self.with.paths, &self.with.driver.name);
        let changed = VersionRecord::change(paths, driver, |record| {
            if *record != self.seen {
                return None;
            }
            let answer = change(record);
            Some((answer, record.clone()))
        });
        match changed.map_err(|error| Failure::passing(Step::Switch, &error))? {
            Some((answer, record)) => {
                self.seen = record;
                Ok(answer)
            }
            None => Err(Failure {
                step: Step::Switch,
                reason: "another version was decided about meanwhile".to_owned(),
                retry: Retry::AtOnce,
            }),
        }
    }

    fn begin(&self, step: Step) {
        self.show(step, None);
    }

    /// Another driver's file for the version that serves is done at once, and hides nothing that is on its way.
    fn show(&self, step: Step, not_before: Option<u64>) {
        if self.of != Subject::Offer {
            return;
        }
        let mut progress = VersionProgress::read(self.with.paths, &self.with.driver.name);
        progress.pending = Some(PendingVersion {
            sha256: self.sha256.clone(),
            step,
            since: self.since,
            source: self.source.display().to_string(),
            content: self.content.clone(),
            not_before,
        });
        tracing::debug!(driver.name = self.with.driver.name.0, step = step.name(), source = %self.source.display(), "looking at a version");
        self.with.note(progress);
    }

    /// It is on its way no longer, and nothing stands against its source any more.
    fn settle(&self) {
        let mut progress = VersionProgress::read(self.with.paths, &self.with.driver.name);
        if self.of == Subject::Offer {
            progress.pending = None;
        }
        progress.refused.retain(|known| known.of != self.of);
        self.with.note(progress);
    }

    fn refuse(&self, failure: Failure) -> Outcome {
        let mut progress = VersionProgress::read(self.with.paths, &self.with.driver.name);
        let before = progress.refusal_of(self.of, &self.content);
        let tries = before.map_or(0, |before| before.tries);
        let seconds = (RETRY.0 << tries.min(16)).min(RETRY.1);
        let (step, reason) = (failure.step.name(), failure.reason.as_str());
        if tries == 0 {
            tracing::error!(driver.name = self.with.driver.name.0, component.sha256 = self.sha256, step, reason, source = %self.source.display(),
                "a version is refused; the one that serves goes on");
        }
        let now = sys::now_seconds();
        progress.refuse(RefusedVersion {
            sha256: self.sha256.clone(),
            step: failure.step,
            reason: GuestText::sentence(reason),
            since: now,
            source: self.source.display().to_string(),
            content: Some(self.content.clone()),
            of: self.of,
            tries: tries + 1,
            again_at: (failure.retry != Retry::Never).then_some(now + seconds),
        });
        self.with.note(progress);
        match failure.retry {
            Retry::Never => Outcome::Refused,
            Retry::Later | Retry::AtOnce => Outcome::Waits(seconds),
        }
    }
}

fn unread(error: SourceError) -> Failure {
    match error {
        SourceError::Changed { .. } => Failure {
            retry: Retry::AtOnce,
            ..Failure::passing(Step::Read, &error)
        },
        SourceError::Unreadable { .. } => Failure::passing(Step::Read, &error),
    }
}
