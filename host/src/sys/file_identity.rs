//! What tells one file, and one change of it, from another.

use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustix::fs::Statx;

/// Kernels before 6.13 tell times of change in steps of up to 10 ms.
const SETTLED: Duration = Duration::from_secs(1);

/// A file that is the same by this has not been written, renamed or removed, unless that happened at the very moment of
/// looking: what changed too lately tells nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct FileIdentity {
    /// Major and minor.
    device: (u64, u64),
    inode: u64,
    links: u64,
    size: u64,
    /// Seconds and nanoseconds.
    changed_at: (i64, u32),
}

impl FileIdentity {
    /// Whether it is there by a name, and any change from now on shows. A clock that was set back says no.
    pub(super) fn is_settled(&self) -> bool {
        let (seconds, nanoseconds) = self.changed_at;
        let Ok(seconds) = u64::try_from(seconds) else {
            return false;
        };
        let changed_at = UNIX_EPOCH + Duration::new(seconds, nanoseconds);
        let age = SystemTime::now().duration_since(changed_at);
        self.links > 0 && age.is_ok_and(|age| age > SETTLED)
    }
}

impl From<&Metadata> for FileIdentity {
    fn from(told: &Metadata) -> Self {
        Self {
            device: (0, told.dev()),
            inode: told.ino(),
            links: told.nlink(),
            size: told.size(),
            changed_at: (
                told.ctime(),
                u32::try_from(told.ctime_nsec()).unwrap_or_default(),
            ),
        }
    }
}

/// Without its size, which the root of a mount says nothing by.
impl From<&Statx> for FileIdentity {
    fn from(told: &Statx) -> Self {
        Self {
            device: (told.stx_dev_major.into(), told.stx_dev_minor.into()),
            inode: told.stx_ino,
            links: told.stx_nlink.into(),
            size: 0,
            changed_at: (told.stx_ctime.tv_sec, told.stx_ctime.tv_nsec),
        }
    }
}
