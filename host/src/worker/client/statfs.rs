//! How much a mounted volume holds.
//!
//! statfs on a dead server hangs, so where there can be one it is a worker that asks. It changes nothing and holds no volume's
//! lock, and may be kept for the next question: kubelet asks for every volume once a minute.

use std::path::{Path, PathBuf};
use std::time::Instant;

use super::pool::Pool;
use super::stats::WorkerCounters;
use crate::sys::{MountEntry, ToldBy};
use crate::worker::command_line::MEASURE;
use crate::worker::statfs::{Measured, measured, measured_filesystem, purpose};
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

    /// What the volume holds that is mounted there. What cannot hang is asked here and now.
    ///
    /// # Errors
    /// [`FaultKind::NotFound`]; [`FaultKind::TimedOut`] where its server does not answer.
    pub fn measure(
        &self,
        path: &Path,
        entry: &MountEntry,
        deadline: Instant,
    ) -> Result<Measured, Fault> {
        if let Some(measured) = measure_at_once(path, entry) {
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
pub fn measure_at_once(path: &Path, entry: &MountEntry) -> Option<Result<Measured, Fault>> {
    if !LOCAL.contains(&entry.fs_type.as_str()) {
        return None;
    }
    // A filesystem on a disk holds no device nodes, and one that answered just now was not shut down.
    let is_looked_at = entry.is_on_device() && entry.told_by != ToldBy::Table;
    Some(match is_looked_at {
        true => measured_filesystem(path),
        false => measured(path),
    })
}
