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

    /// What was wrong and is no longer.
    pub(super) fn forget_refused(self, is_past: impl Fn(&RefusedVersion) -> bool) {
        let mut progress = VersionProgress::read(self.paths, &self.driver.name);
        let before = progress.refused.len();
        progress.refused.retain(|it| !is_past(it));
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
