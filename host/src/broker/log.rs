//! `log`: lines for the operator. Driver, version, volume and call are in the surrounding span.

use super::answer::Answer;
use super::ask::{Level, LogAsk};
use super::secrets::masked;
use super::worker_broker::WorkerBroker;
use crate::error::GuestText;

impl WorkerBroker {
    pub(super) fn log(&mut self, ask: LogAsk) -> Answer {
        let LogAsk::Write { level, message } = ask;
        // A session token of the call's is told to the guest.
        let message = GuestText::sentence(&masked(&message, &self.secrets));
        self.log.spend(|| match level {
            Level::Debug => tracing::debug!(guest = true, "{message}"),
            Level::Info => tracing::info!(guest = true, "{message}"),
            Level::Warn => tracing::warn!(guest = true, "{message}"),
            Level::Error => tracing::error!(guest = true, "{message}"),
        });
        if level == Level::Error {
            self.report.last_error = Some(message);
        }
        Answer::Done
    }
}
