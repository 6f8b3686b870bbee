//! `log`: lines for the operator. Driver, version, volume and call are in the surrounding span.

use crate::bindings::drivebay::driver::log::{Host, Level};
use crate::capability::CallContext;
use crate::error::GuestText;

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
            self.log.keep_error(message);
        }
        Ok(())
    }
}
