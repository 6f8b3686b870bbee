//! What bulk work may take, and how it is told that it took more.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::errno::{Fault, FaultKind};
use super::process_slots::Quota;

/// `[limits.jobs]`: of bulk work, each piece of which has a process of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobLimits {
    /// Memory of the process, in bytes.
    pub memory_bytes: u64,
    /// From the beginning to the end, however many calls join it.
    pub time: Duration,
    /// How long it goes on while no call waits for it.
    pub unattended: Duration,
    /// Directories within each other.
    pub depth: u32,
    /// Files, directories and whatever else is in the tree.
    pub entries: u32,
    /// Bytes written.
    pub size_bytes: u64,
    /// Percent of the filesystem, bytes and inodes, that are left to others.
    pub free_percent: u32,
    /// Jobs of the driver, over all processes of the node.
    pub at_once: u32,
    /// Jobs of all drivers of the node, for one of this driver to begin.
    pub node_at_once: u32,
}

impl Default for JobLimits {
    fn default() -> Self {
        Self {
            // What is kept in memory are directories and second names of files: more than a million of them.
            memory_bytes: 512 << 20,
            // 30 TB at the 350 MB/s of one NFS connection.
            time: Duration::from_secs(24 * 60 * 60),
            // The sidecars ask again after five minutes at the latest.
            unattended: Duration::from_secs(10 * 60),
            // PATH_MAX allows two thousand to whoever makes them by their whole path.
            depth: 4096,
            entries: 100_000_000,
            size_bytes: 64 << 40,
            free_percent: 1,
            at_once: 4,
            node_at_once: 16,
        }
    }
}

impl JobLimits {
    pub(super) fn quota(&self) -> Quota {
        Quota {
            kind: "job",
            at_once: self.at_once,
            node_at_once: self.node_at_once,
            table: "limits.jobs",
        }
    }
}

/// A limit that was met.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Exceeded {
    Memory,
    Time,
    Depth,
    Entries,
    Size,
    FreeSpace,
    FreeInodes,
}

impl Exceeded {
    /// With the key of the driver's file and what it says.
    pub(super) fn fault(self, limits: &JobLimits) -> Fault {
        let (what, key, value) = match self {
            Self::Memory => (
                "it needs more memory than it may have",
                "memory",
                quoted(&in_bytes(limits.memory_bytes)),
            ),
            Self::Time => (
                "it took longer than it may",
                "time",
                quoted(&in_time(limits.time)),
            ),
            Self::Depth => (
                "directories lie deeper in each other than they may",
                "depth",
                limits.depth.to_string(),
            ),
            Self::Entries => (
                "there are more entries than there may be",
                "entries",
                limits.entries.to_string(),
            ),
            Self::Size => (
                "it writes more than it may",
                "size",
                quoted(&in_bytes(limits.size_bytes)),
            ),
            Self::FreeSpace => (
                "less space would be left on the filesystem than has to be",
                "free-percent",
                limits.free_percent.to_string(),
            ),
            Self::FreeInodes => (
                "fewer inodes would be left on the filesystem than have to be",
                "free-percent",
                limits.free_percent.to_string(),
            ),
        };
        let message = format!("{what} (limits.jobs.{key} = {value}); nothing of it is kept");
        Fault::new(FaultKind::Exhausted, message)
    }
}

fn quoted(text: &impl fmt::Display) -> String {
    format!("\"{text}\"")
}

/// As the driver's file may say it.
fn in_bytes(bytes: u64) -> String {
    let units = [(1 << 40, "TiB"), (1 << 30, "GiB"), (1 << 20, "MiB")];
    let (scale, unit) = units
        .into_iter()
        .find(|(scale, _)| bytes >= *scale && bytes.is_multiple_of(*scale))
        .unwrap_or((1 << 10, "KiB"));
    format!("{}{unit}", bytes / scale)
}

/// The same of a duration.
pub(super) fn in_time(time: Duration) -> String {
    let millis = time.as_millis();
    let units = [(3_600_000, "h"), (60_000, "m"), (1000, "s")];
    let (scale, unit) = units
        .into_iter()
        .find(|(scale, _)| millis >= *scale && millis.is_multiple_of(*scale))
        .unwrap_or((1, "ms"));
    format!("{}{unit}", millis / scale)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_is_named_as_it_stands_in_the_drivers_file() {
        let limits = JobLimits::default();
        for (exceeded, said) in [
            (Exceeded::Memory, "(limits.jobs.memory = \"512MiB\")"),
            (Exceeded::Time, "(limits.jobs.time = \"24h\")"),
            (Exceeded::Depth, "(limits.jobs.depth = 4096)"),
            (Exceeded::Entries, "(limits.jobs.entries = 100000000)"),
            (Exceeded::Size, "(limits.jobs.size = \"64TiB\")"),
            (Exceeded::FreeSpace, "(limits.jobs.free-percent = 1)"),
            (Exceeded::FreeInodes, "(limits.jobs.free-percent = 1)"),
        ] {
            let fault = exceeded.fault(&limits);
            assert_eq!(fault.kind, FaultKind::Exhausted);
            assert!(fault.message.contains(said), "{fault}");
        }
        assert_eq!(in_time(Duration::from_millis(1500)), "1500ms");
        assert_eq!(in_time(Duration::from_secs(90)), "90s");
        assert_eq!(in_bytes(1536 << 10), "1536KiB");
    }
}
