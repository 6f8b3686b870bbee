//! What operators are told of a driver's versions that do not serve: kept as long as it is true.

use super::Activation;
use crate::store::version_progress::{RefusedVersion, Subject, VersionProgress};
use crate::store::version_record::Content;

impl Activation<'_> {
    /// Nothing is offered any more: what was on its way, or wrong with it, is history.
    pub fn nothing_is_offered(self) {
        let mut progress = VersionProgress::read(self.paths, &self.driver.name);
        let is_noted = |it: &RefusedVersion| it.of == Subject::Offer;
        let nothing = progress.pending.is_none() && progress.offered.is_none();
        if nothing && !progress.refused.iter().any(is_noted) {
            return;
        }
        progress.pending = None;
        progress.offered = None;
        progress.refused.retain(|it| !is_noted(it));
        self.note(progress);
    }

    /// What was offered before is history, and so is what was wrong with it.
    pub(super) fn note_offer(
        self,
        progress: VersionProgress,
        content: &Content,
    ) -> VersionProgress {
        if progress.offered.as_ref() == Some(content) {
            return progress;
        }
        let mut now = VersionProgress {
            offered: Some(content.clone()),
            ..progress
        };
        now.refused.retain(|it| it.of != Subject::Offer);
        self.note(now.clone());
        now
    }

    pub(super) fn forget_pending(self, progress: &VersionProgress) {
        if progress.pending.is_some() {
            self.note(VersionProgress {
                pending: None,
                ..progress.clone()
            });
        }
    }

    /// What could not be done for another driver's file.
    pub(super) fn forget_old_rules(self, content: &Content) {
        let mut progress = VersionProgress::read(self.paths, &self.driver.name);
        let is_old = |it: &RefusedVersion| {
            let noted = it.content.as_ref().map(|noted| &noted.driver_file);
            it.of == Subject::Rules && noted != Some(&content.driver_file)
        };
        if progress.refused.iter().any(is_old) {
            progress.refused.retain(|it| !is_old(it));
            self.note(progress);
        }
    }

    pub(super) fn forget_wrong_file(self, mut progress: VersionProgress) {
        let before = progress.refused.len();
        progress.refused.retain(|it| it.of != Subject::DriverFile);
        if progress.refused.len() != before {
            self.note(progress);
        }
    }

    /// Who cannot be told goes on: it is what operators see, and nothing depends on it.
    pub(super) fn note(self, progress: VersionProgress) {
        if let Err(error) = progress.write(self.paths, &self.driver.name) {
            tracing::warn!(driver.name = self.driver.name.0, %error, "cannot note how far a version has come");
        }
    }
}
