//! What is mounted, by the kernel's table.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// Where something is mounted at or beneath a path, in the order in which it was mounted.
///
/// As this thread sees it, which may have a mount namespace of its own.
pub fn mounts_beneath(path: &Path) -> io::Result<Vec<PathBuf>> {
    let table = fs::read_to_string("/proc/thread-self/mountinfo")?;
    let points = table
        .lines()
        .filter_map(|line| line.split(' ').nth(4))
        .map(|point| PathBuf::from(point.replace("\\040", " ")));
    Ok(points.filter(|point| point.starts_with(path)).collect())
}
