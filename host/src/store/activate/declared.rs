//! What the driver's file says of versions that serve already: one that it rejects makes way, the one that it names comes.

use super::Activation;
use crate::error::GuestText;
use crate::store::components::retained;
use crate::store::manual_activation::{ByNameError, activate_by_name, reject_by_file};
use crate::store::version_progress::{RefusedVersion, Step, Subject, VersionProgress};
use crate::store::version_record::{Content, VersionRecord};
use crate::sys;

impl Activation<'_> {
    /// Where the version that is named lies on this node, it serves; where the one that serves is rejected, the one before
    /// does. What cannot be done is noted, and tried again with another driver's file.
    pub fn obey_driver_file(self) {
        let rules = &self.driver.versions;
        if rules.active.is_none() && rules.rejected.is_empty() {
            return;
        }
        let content = Content {
            offered: "versions".to_owned(),
            driver_file: Content::driver_file(self.driver),
        };
        let progress = VersionProgress::read(self.paths, &self.driver.name);
        if progress.has_refused(&content) {
            return;
        }
        match self.obey() {
            Ok(()) => {}
            // With the next look it may be had.
            Err(error @ (ByNameError::Record(_) | ByNameError::Locked(_))) => {
                tracing::warn!(driver.name = self.driver.name.0, %error, "cannot do yet what the driver's file says of versions");
            }
            Err(error) => self.note_disobedience(progress, content, &error),
        }
    }

    fn obey(self) -> Result<(), ByNameError> {
        let rules = &self.driver.versions;
        let record = VersionRecord::read(self.paths, &self.driver.name)?;
        let Some(active) = record.and_then(|record| record.active) else {
            return Ok(());
        };
        match &rules.active {
            // Until it is here, whatever serves goes on.
            Some(declared)
                if *declared != active.sha256 && retained(self.paths, declared).exists() =>
            {
                activate_by_name(self.paths, self.driver, declared)?;
            }
            _ if rules.rejected.contains(&active.sha256) => {
                reject_by_file(self.paths, self.driver)?;
            }
            _ => {}
        }
        Ok(())
    }

    fn note_disobedience(
        self,
        mut progress: VersionProgress,
        content: Content,
        error: &ByNameError,
    ) {
        let reason = format!("what `versions` of the driver's file says cannot be done: {error}");
        tracing::error!(
            driver.name = self.driver.name.0,
            reason,
            "the version that serves goes on"
        );
        progress.refuse(RefusedVersion {
            sha256: None,
            step: Step::Switch,
            reason: GuestText::sentence(&reason),
            since: sys::now_seconds(),
            source: "drivers.d".to_owned(),
            content: Some(content),
            of: Subject::Rules,
            tries: 1,
            again_at: None,
        });
        self.note(progress);
    }
}
