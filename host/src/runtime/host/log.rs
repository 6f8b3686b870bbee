//! `log`: lines for the operator.

use crate::bindings::drivebay::driver::log::{Host, Level};
use crate::broker::{self, LogAsk};
use crate::runtime::state::State;

impl Host for State {
    fn write(&mut self, level: Level, message: String) -> wasmtime::Result<()> {
        let level = match level {
            Level::Debug => broker::Level::Debug,
            Level::Info => broker::Level::Info,
            Level::Warn => broker::Level::Warn,
            Level::Error => broker::Level::Error,
        };
        self.broker.ask(LogAsk::Write { level, message }.into())?;
        Ok(())
    }
}
