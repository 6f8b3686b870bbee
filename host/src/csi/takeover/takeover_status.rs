//! How it stands with taking a driver over from another process.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Of one driver; clones share it.
#[derive(Debug, Clone, Default)]
pub(in crate::csi) struct TakeoverStatus(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    /// Why the other process keeps it, while it does.
    waits_for: Option<String>,
    has_told_node: bool,
}

impl TakeoverStatus {
    /// Another process serves the driver, for that reason. Whether that is news.
    pub(in crate::csi) fn waits(&self, reason: &str) -> bool {
        let mut state = self.state();
        let is_news = state.waits_for.as_deref() != Some(reason);
        state.waits_for = Some(reason.to_owned());
        is_news
    }

    /// This process serves it.
    pub(in crate::csi) fn is_over(&self) {
        self.state().waits_for = None;
    }

    /// This process could tell what node this is.
    pub(super) fn told_node(&self) {
        self.state().has_told_node = true;
    }

    pub(super) fn has_told_node(&self) -> bool {
        self.state().has_told_node
    }

    /// What is wrong, in one line.
    pub(in crate::csi) fn trouble(&self) -> Option<String> {
        let reason = self.state().waits_for.clone()?;
        Some(format!(
            "another process serves it and keeps it until this one can: {reason}"
        ))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_waits_says_why_until_it_is_over_and_the_same_reason_is_news_once() {
        let status = TakeoverStatus::default();
        assert_eq!(status.trouble(), None);
        assert!(status.waits("it is not ready"));
        assert!(!status.waits("it is not ready"));
        assert!(status.waits("NodeGetInfo fails"));
        let trouble = status.trouble().expect("it waits");
        assert!(trouble.ends_with(": NodeGetInfo fails"), "{trouble}");
        status.is_over();
        assert_eq!(status.trouble(), None);
    }
}
