//! What is mounted at a path.
//!
//! The kernel is asked about that one path and that one mount, which costs the same however much is mounted. What
//! it does not tell is read from the table of all mounts, `/proc/self/mountinfo` (proc(5)). Neither asks a file
//! system anything: a dead server's mount answers too, where an ordinary `stat` hangs.

mod answer;
mod cached;
mod entry;
mod others;
mod statmount;
mod statx;
pub(super) mod table;

use std::io;
use std::path::Path;
use std::sync::Arc;

pub use cached::{cached_mount_at, cached_name_at};
pub use entry::{MountEntry, ToldBy};
pub use others::{mount_points_beneath, mount_points_of};

use statmount::{News, mounted_at};
use statx::Point;
use table::in_table;

/// The topmost mount at exactly this path, if any. Symlinks in the parents are resolved; the last
/// component is not touched.
///
/// # Errors
/// Where the kernel does not tell, and the parent does not exist or /proc cannot be read.
pub fn mount_at(path: &Path) -> io::Result<Option<Arc<MountEntry>>> {
    mounted_at(path, News::All, in_table)
}

/// Whether anything is mounted at exactly this path. Symlinks in the parents are resolved; the last component
/// is not touched.
///
/// # Errors
/// Where the kernel does not tell and the table has to: as for [`mount_at`].
pub fn is_mount_point(path: &Path) -> io::Result<bool> {
    match statx::at(path) {
        Point::Plain => Ok(false),
        Point::Root(_) => Ok(true),
        Point::Untold => cached_mount_at(path).map(|entry| entry.is_some()),
    }
}
