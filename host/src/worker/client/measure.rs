//! How much a mounted volume holds.
//!
//! statfs on a dead server hangs, so where there can be one it is a worker that asks. It changes nothing and holds no volume's
//! lock, and may be kept for the next question: kubelet asks for every volume once a minute.

use std::path::{Path, PathBuf};
use std::time::Instant;

use super::pool::Pool;
use super::stats::WorkerCounters;
use crate::worker::command_line::MEASURE;
use crate::worker::measured::{Measured, measured, purpose};
use crate::worker::{Fault, FaultKind, Reply, Request};

/// Filesystems of this kernel's own, which answer statfs(2) from memory: no server, no daemon, no disk is asked.
const LOCAL: [&str; 6] = ["btrfs", "ext2", "ext3", "ext4", "tmpfs", "xfs"];

/// The idle workers of one process; clones share them.
#[derive(Debug, Clone)]
pub struct MeasuringWorkers(Pool);

impl MeasuringWorkers {
    /// None yet; what they cost is counted by the counters.
    pub fn new(counters: WorkerCounters) -> Self {
        Self(Pool::of(PathBuf::from("/proc/self/exe"), MEASURE, counters))
    }

    /// What the volume at that path holds, where a filesystem of that type is mounted. What cannot hang is asked
    /// here and now.
    ///
    /// # Errors
    /// [`FaultKind::NotFound`]; [`FaultKind::TimedOut`] where its server does not answer.
    pub fn measure(
        &self,
        path: &Path,
        fs_type: &str,
        deadline: Instant,
    ) -> Result<Measured, Fault> {
        if let Some(measured) = measure_at_once(path, fs_type) {
            return measured;
        }
        let request = Request::Measure {
            path: path.to_owned(),
        };
        let counters = self.0.counters();
        let reply = counters.waiting(|| self.0.call(&request, &purpose(path), deadline))?;
        let Reply::Measured(measured) = reply else {
            let message = format!("{}: the worker answered something else", purpose(path));
            return Err(Fault::new(FaultKind::Other, message));
        };
        Ok(measured)
    }
}

/// What the volume at that path holds, where the filesystem's type says that asking cannot hang.
///
/// # Errors
/// [`FaultKind::NotFound`].
pub fn measure_at_once(path: &Path, fs_type: &str) -> Option<Result<Measured, Fault>> {
    LOCAL.contains(&fs_type).then(|| measured(path))
}
