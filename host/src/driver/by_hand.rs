//! A component that a person runs by hand, installed nowhere: who listens to it, and whether there is a model in the place
//! of this node and of what is behind it.

use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;

use crate::broker::{
    self, Broker, DryBroker, Granted, Heard, ListeningBroker, Model, ModelSettings, ModelWorker,
    Replay, Servers, TargetHandle, WorkerBroker,
};
use crate::error::DriverError;
use crate::worker::WorkerClient;

/// Hears what becomes of a component that is run by hand.
pub trait Listener: fmt::Debug + Send + Sync {
    /// A line of the guest's log: `debug`, `info`, `warn` or `error`, and what it says, without what the call brought.
    fn log(&self, level: &'static str, message: &str);

    /// A call of the guest begins, as a line of a tape.
    fn call(&self, line: &str);

    /// What the guest asked of the host, and what it was answered.
    fn exchange(&self, exchange: &Exchange<'_>);
}

/// A question and its answer.
#[derive(Debug)]
pub struct Exchange<'a>(&'a broker::Exchange);

impl Exchange<'_> {
    /// One line for people; nothing of what need not be told.
    pub fn in_words(&self) -> Option<String> {
        self.0.in_words()
    }

    /// A line of a tape.
    pub fn line(&self) -> String {
        self.0.line()
    }
}

/// The first line of a tape.
pub fn tape_head() -> String {
    broker::head_line()
}

/// What of such a component's calls differs from those of a driver that serves.
#[derive(Debug, Clone)]
pub struct ByHand {
    listener: Arc<dyn Listener>,
    model: Option<Model>,
    replay: Option<Replay>,
}

/// What a dry run is made of.
#[derive(Debug, Default)]
pub struct DryRun {
    /// Where its directories lie, and what it keeps.
    pub directory: PathBuf,
    /// What the component may use.
    pub granted: DryRunGrants,
    /// Who answers in the place of servers.
    pub servers: Servers,
    /// Addresses of servers whose names the grants judge by them.
    pub hosts: BTreeMap<String, IpAddr>,
    /// Disks that are there from the beginning: serial numbers, and sizes in bytes.
    pub devices: Vec<(String, u64)>,
    /// What servers answer: lines of JSON, each a request and its response.
    pub http_tape: Option<String>,
}

/// What a component may use in a dry run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum DryRunGrants {
    /// What the driver's file says.
    #[default]
    ByFile,
    /// Whatever it asks for.
    AsAsked,
}

impl DryRun {
    /// Where the directory lies that is granted under that name.
    pub fn directory_of(&self, name: &str) -> PathBuf {
        Model::directory_in(&self.directory, name)
    }
}

impl ByHand {
    /// On this node; somebody listens.
    pub fn new(listener: Arc<dyn Listener>) -> Self {
        Self {
            listener,
            model: None,
            replay: None,
        }
    }

    /// On none: what guests ask is answered from a model.
    ///
    /// # Errors
    /// `invalid-argument` where what was kept of an earlier one, or the tape, cannot be read.
    pub fn dry(self, run: DryRun) -> Result<Self, DriverError> {
        let model = Model::open(ModelSettings {
            directory: run.directory,
            granted: match run.granted {
                DryRunGrants::ByFile => Granted::ByFile,
                DryRunGrants::AsAsked => Granted::AsAsked,
            },
            servers: run.servers,
            hosts: run.hosts,
            devices: run.devices,
            tape: run.http_tape,
        });
        let model = model.map_err(|error| {
            DriverError::invalid_argument("cannot make a dry run of this").caused_by(error)
        })?;
        Ok(Self {
            model: Some(model),
            ..self
        })
    }

    /// The same, and what guests ask is answered from a tape: `text` has its lines.
    ///
    /// # Errors
    /// `invalid-argument` where a line is none of a tape.
    pub fn replaying(self, text: &str) -> Result<Self, DriverError> {
        let replay = Replay::of(text);
        let replay = replay.map_err(|error| {
            DriverError::invalid_argument("cannot answer from this tape").caused_by(error)
        })?;
        Ok(Self {
            replay: Some(replay),
            ..self
        })
    }

    /// The handle of a target, where a tape says which it was.
    pub(super) fn lent(&self, target: TargetHandle) -> TargetHandle {
        let on_tape = self.replay.as_ref().and_then(Replay::lent);
        on_tape.unwrap_or(target)
    }

    pub(super) fn replay(&self) -> Option<&Replay> {
        self.replay.as_ref()
    }

    pub(super) fn model(&self) -> Option<&Model> {
        self.model.as_ref()
    }

    /// Whom the guest of one call asks.
    pub(super) fn over(&self, answering: WorkerBroker) -> Box<dyn Broker> {
        let listener = Arc::clone(&self.listener);
        listener.call(&broker::call_line(&answering.lent()));
        let listen = move |heard: Heard<'_>| match heard {
            Heard::Line(level, line) => listener.log(level, line),
            Heard::Exchange(exchange) => listener.exchange(&Exchange(exchange)),
        };
        match (&self.replay, &self.model) {
            (Some(replay), _) => Box::new(ListeningBroker::over(replay.call(), listen)),
            (None, None) => Box::new(ListeningBroker::over(answering, listen)),
            (None, Some(model)) => {
                let dry = DryBroker::over(answering, model.clone());
                Box::new(ListeningBroker::over(dry, listen))
            }
        }
    }

    /// Whom the broker of one call asks.
    pub(super) fn worker(&self, workers: Box<dyn WorkerClient>) -> Box<dyn WorkerClient> {
        match &self.model {
            None => workers,
            Some(model) => Box::new(ModelWorker::over(workers, model.clone())),
        }
    }
}
