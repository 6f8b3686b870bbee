//! How much a mounted volume holds.
//!
//! statfs on a dead server hangs, so where there can be one it is a worker that asks. It changes nothing and holds no volume's
//! lock, and may be kept for the next question: kubelet asks for every volume once a minute.

use std::fs::OpenOptions;
use std::io::{self, Seek, SeekFrom};
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Instant;

use nix::errno::Errno;
use nix::libc::O_NONBLOCK;
use serde::{Deserialize, Serialize};

use super::pool::{IDLE, Pool};
use super::stats::WorkerToll;
use crate::worker::server::mount::{kind_of, reason};
use crate::worker::server::serve::answer_all;
use crate::worker::{Fault, FaultKind, Reply, Request};

/// Word of such a worker's command line.
pub(in crate::worker) const ARGUMENT: &str = "measure";

/// Filesystems of this kernel's own, which answer statfs(2) from memory: no server, no daemon, no disk is asked.
const LOCAL: [&str; 6] = ["btrfs", "ext2", "ext3", "ext4", "tmpfs", "xfs"];

/// What a volume holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Measured {
    /// A filesystem's bytes and inodes.
    Filesystem {
        /// Bytes.
        bytes: Room,
        /// Inodes; all zero where the filesystem does not count them.
        inodes: Room,
    },
    /// A raw device's bytes.
    Device {
        /// All of it.
        bytes: u64,
    },
}

/// Of one kind of thing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Room {
    /// In all.
    pub total: u64,
    /// What an ordinary user can still have.
    pub available: u64,
    /// Taken; less than the difference of the others where some is kept for root.
    pub used: u64,
}

/// The idle workers of one process; clones share them.
#[derive(Debug, Clone)]
pub struct MeasuringWorkers(Pool);

impl MeasuringWorkers {
    /// None yet; what they cost is put on the toll.
    pub fn new(toll: WorkerToll) -> Self {
        Self(Pool::of(PathBuf::from("/proc/self/exe"), ARGUMENT, toll))
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
        let toll = self.0.toll();
        let reply = toll.waiting(|| self.0.call(&request, &purpose(path), deadline))?;
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

pub(super) fn purpose(path: &Path) -> String {
    format!("measuring {}", path.display())
}

/// The whole life of such a worker; the caller exits afterwards.
pub(in crate::worker) fn serve() -> io::Result<()> {
    answer_all(Some(IDLE), |request, _| {
        let Request::Measure { path } = request else {
            let message = "a worker that measures was asked for something else";
            return Err(Fault::new(FaultKind::Invalid, message));
        };
        carry_out(&path)
    })
}

pub(in crate::worker) fn carry_out(path: &Path) -> Result<Reply, Fault> {
    measured(path).map(Reply::Measured)
}

fn measured(path: &Path) -> Result<Measured, Fault> {
    measure(path).map_err(|error| {
        let errno = Errno::from_raw(error.raw_os_error().unwrap_or_default());
        let kind = kind_of(errno);
        // Whatever else keeps it from being told is no fault of the question.
        let kind = match matches!(kind, FaultKind::NotFound | FaultKind::Stale) {
            true => kind,
            false => FaultKind::Unreachable,
        };
        Fault::new(kind, format!("{}: {}", purpose(path), reason(errno)))
    })
}

fn measure(path: &Path) -> io::Result<Measured> {
    // Opening a device for good is an act; what it is, is looked at first.
    if path.metadata()?.file_type().is_block_device() {
        let bytes = OpenOptions::new()
            .read(true)
            .custom_flags(O_NONBLOCK)
            .open(path)?
            .seek(SeekFrom::End(0))?;
        return Ok(Measured::Device { bytes });
    }
    filesystem(path)
}

fn filesystem(path: &Path) -> io::Result<Measured> {
    let stat = rustix::fs::statvfs(path)?;
    let bytes = |blocks: u64| blocks.saturating_mul(stat.f_frsize);
    Ok(Measured::Filesystem {
        bytes: Room {
            total: bytes(stat.f_blocks),
            available: bytes(stat.f_bavail),
            used: bytes(stat.f_blocks.saturating_sub(stat.f_bfree)),
        },
        inodes: Room {
            total: stat.f_files,
            available: stat.f_favail,
            used: stat.f_files.saturating_sub(stat.f_ffree),
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_shows_the_room_of_its_filesystem() {
        let Ok(Reply::Measured(Measured::Filesystem { bytes, .. })) = carry_out(Path::new("/"))
        else {
            panic!("the root is a filesystem");
        };
        assert!(bytes.total >= bytes.used && bytes.total >= bytes.available);
        assert!(bytes.used > 0);
    }

    #[test]
    fn what_is_not_there_is_not_found() {
        let fault = carry_out(Path::new("/nonexistent/volume")).expect_err("nothing there");
        assert_eq!(fault.kind, FaultKind::NotFound);
    }
}
