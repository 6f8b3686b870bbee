//! How much a call may still have written to the log.

use std::sync::{Arc, Mutex, PoisonError};

use crate::error::GuestText;

/// How much a call may still make the host write, whoever writes it: the guest itself, or the host about what the
/// guest asked for. Clones share it.
#[derive(Debug, Clone)]
pub(crate) struct LogBudget(Arc<Mutex<Lines>>);

#[derive(Debug)]
struct Lines {
    left: u32,
    /// The guest's last line of level `error`, whether it was written or not: often a panic's.
    last_error: Option<GuestText>,
}

impl LogBudget {
    pub(crate) fn new(lines: u32) -> Self {
        Self(Arc::new(Mutex::new(Lines {
            left: lines,
            last_error: None,
        })))
    }

    /// Writes one line, if there is room. The last that there is room for says that the rest is dropped.
    pub(crate) fn spend(&self, write: impl FnOnce()) {
        let left = {
            let mut lines = self.lines();
            let left = lines.left;
            lines.left = left.saturating_sub(1);
            left
        };
        match left {
            0 => {}
            1 => tracing::warn!(
                "the guest logs more than limits.log-lines allows; the rest of this call is dropped"
            ),
            _ => write(),
        }
    }

    /// What the guest said last of what went wrong.
    pub(crate) fn last_error(&self) -> Option<GuestText> {
        self.lines().last_error.clone()
    }

    /// Kept, whether it was written or not.
    pub(super) fn keep_error(&self, message: GuestText) {
        self.lines().last_error = Some(message);
    }

    /// A panic while a line was written leaves the count as it was.
    fn lines(&self) -> std::sync::MutexGuard<'_, Lines> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
