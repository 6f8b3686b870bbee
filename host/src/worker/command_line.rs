//! How a worker is started and what it reads, known to whoever starts it and to itself.

use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// The executable that runs here, also where its file was replaced by an upgrade meanwhile. There is nothing to doubt about
/// it.
pub const THIS_PROGRAM: &str = "/proc/self/exe";

/// argv[0] of a worker; both binaries serve.
pub(super) const WORKER_NAME: &str = "drivebay-worker";

/// The first argument of a worker that does bulk work.
pub(super) const JOB: &str = "job";

/// Of one that measures.
pub(super) const MEASURE: &str = "measure";

/// Of one that speaks to the network.
pub(super) const NETWORK: &str = "network";

/// Of one that compiles a component.
pub(super) const COMPILE: &str = "compile";

/// Who waits for a worker that compiles.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Priority {
    /// A call, or a person: it has its share of the processors, and its limit is one of wall time.
    Call,
    /// Nobody: it yields the processors to whoever wants them. So its limit counts what it had of them, and on a node that
    /// is busy it may take ten times as long by the clock.
    Background,
}

/// How many times as long as somebody would wait it may take where nobody does.
pub(super) const PATIENCE: u32 = 10;

impl Priority {
    const ALL: [Self; 2] = [Self::Call, Self::Background];

    /// As an argument of the worker.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Call => "call",
            Self::Background => "background",
        }
    }

    pub(super) fn parse(word: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|priority| priority.word() == word)
    }
}

/// After this long without a request a worker ends by itself.
pub(super) const IDLE: Duration = Duration::from_secs(60);

/// How much longer than the deadline a worker lives that nobody kills, because its parent was killed first.
pub(super) const ORPHAN_GRACE: Duration = Duration::from_secs(2);

/// One line of a worker's input.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Order<R> {
    pub(super) request: R,
    /// Until the deadline.
    pub(super) left: Duration,
    /// Where what must survive this worker is noted.
    pub(super) notes: PathBuf,
}
