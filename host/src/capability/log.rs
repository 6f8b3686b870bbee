//! `log`: lines for the operator. Driver, version, volume and call are in the surrounding span.

use crate::bindings::drivebay::driver::log::{Host, Level};
use crate::capability::{CallContext, plain_text};

/// How many lines a call may still write.
#[derive(Debug, Clone, Copy)]
pub(crate) struct LogBudget {
    left: u32,
}

impl LogBudget {
    pub(crate) fn new(lines: u32) -> Self {
        Self { left: lines }
    }
}

impl Host for CallContext {
    fn write(&mut self, level: Level, message: String) -> wasmtime::Result<()> {
        match self.log.left {
            0 => return Ok(()),
            1 => tracing::warn!(
                "the guest logs more than limits.log-lines allows; the rest of this call is dropped"
            ),
            _ => {
                let message = plain_text(&message);
                match level {
                    Level::Debug => tracing::debug!(guest = true, "{message}"),
                    Level::Info => tracing::info!(guest = true, "{message}"),
                    Level::Warn => tracing::warn!(guest = true, "{message}"),
                    Level::Error => tracing::error!(guest = true, "{message}"),
                }
            }
        }
        self.log.left -= 1;
        Ok(())
    }
}
