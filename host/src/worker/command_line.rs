//! How a worker is started and what it reads, known to whoever starts it and to itself.

use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

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
