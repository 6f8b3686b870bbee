//! A component that a person runs by hand, installed nowhere: who listens to it.

use std::fmt;
use std::sync::Arc;

use crate::broker::{Broker, ListeningBroker, WorkerBroker};

/// Hears what becomes of a component that is run by hand.
pub trait Listener: fmt::Debug + Send + Sync {
    /// A line of the guest's log: `debug`, `info`, `warn` or `error`, and what it says, without what the call brought.
    fn log(&self, level: &'static str, message: &str);
}

/// What of such a component's calls differs from those of a driver that serves.
#[derive(Debug, Clone)]
pub struct ByHand {
    listener: Arc<dyn Listener>,
}

impl ByHand {
    /// Somebody listens.
    pub fn new(listener: Arc<dyn Listener>) -> Self {
        Self { listener }
    }

    /// Whom the guest of one call asks.
    pub(super) fn over(&self, broker: WorkerBroker) -> Box<dyn Broker> {
        let listener = Arc::clone(&self.listener);
        let log = move |level, message: &str| listener.log(level, message);
        Box::new(ListeningBroker::over(broker, log))
    }
}
