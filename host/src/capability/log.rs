//! `log`: lines for the operator. Driver, version, volume and call are in the surrounding span.

use std::sync::{Arc, Mutex, PoisonError};

use crate::bindings::drivebay::driver::log::{Host, Level};
use crate::capability::CallContext;
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

    /// A panic while a line was written leaves the count as it was.
    fn lines(&self) -> std::sync::MutexGuard<'_, Lines> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Host for CallContext {
    fn write(&mut self, level: Level, message: String) -> wasmtime::Result<()> {
        let message = GuestText::sentence(&message);
        self.log.spend(|| match level {
            Level::Debug => tracing::debug!(guest = true, "{message}"),
            Level::Info => tracing::info!(guest = true, "{message}"),
            Level::Warn => tracing::warn!(guest = true, "{message}"),
            Level::Error => tracing::error!(guest = true, "{message}"),
        });
        if level == Level::Error {
            self.log.lines().last_error = Some(message);
        }
        Ok(())
    }
}
