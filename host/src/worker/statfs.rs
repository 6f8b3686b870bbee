//! How much a mounted volume holds, as statfs(2) says it.

use std::fs::OpenOptions;
use std::io::{self, Seek, SeekFrom};
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};
use std::path::Path;

use nix::errno::Errno;
use nix::libc::O_NONBLOCK;
use serde::{Deserialize, Serialize};

use super::errno::{Fault, FaultKind, kind_of, reason};

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

pub(super) fn purpose(path: &Path) -> String {
    format!("measuring {}", path.display())
}

pub(super) fn measured(path: &Path) -> Result<Measured, Fault> {
    measure(path).map_err(|error| fault(path, &error))
}

/// The same for whoever knows that it is a filesystem.
pub(super) fn measured_filesystem(path: &Path) -> Result<Measured, Fault> {
    filesystem(path).map_err(|error| fault(path, &error))
}

fn fault(path: &Path, error: &io::Error) -> Fault {
    let errno = Errno::from_raw(error.raw_os_error().unwrap_or_default());
    let kind = kind_of(errno);
    // Whatever else keeps it from being told is no fault of the question.
    let kind = match matches!(kind, FaultKind::NotFound | FaultKind::Stale) {
        true => kind,
        false => FaultKind::Unreachable,
    };
    Fault::new(kind, format!("{}: {}", purpose(path), reason(errno)))
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
        let Ok(Measured::Filesystem { bytes, .. }) = measured(Path::new("/")) else {
            panic!("the root is a filesystem");
        };
        assert!(bytes.total >= bytes.used && bytes.total >= bytes.available);
        assert!(bytes.used > 0);
    }

    #[test]
    fn what_is_not_there_is_not_found() {
        let fault = measured(Path::new("/nonexistent/volume")).expect_err("nothing there");
        assert_eq!(fault.kind, FaultKind::NotFound);
    }
}
