//! The table, kept until the kernel says that it changed. For kernels that do not tell about one mount alone.
//!
//! On a node with hundreds of mounts, writing the table costs the kernel far more than anything else that a
//! repeated call needs. Who polls an open mountinfo is told of every mount and unmount since it polled last
//! (proc(5)), also of those by other processes, and before mount(2) returns to them.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Read, Seek};
use std::ops::Range;
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use super::entry::MountEntry;
use super::statmount::{News, mounted_at};
use super::table::{TABLE, parse, resolved, unescape};

/// Of this process, which never changes its mount namespace; those that do are workers.
static CACHE: Mutex<Option<CachedTable>> = Mutex::new(None);

/// As [`super::mount_at`], and far quicker where nothing was mounted since. What it may have missed is that a directory
/// above the one that is mounted has another name by now; and, where the kernel does not tell of one mount, a file system
/// that it turned read-only after an error: who acts by `read_only` asks [`super::mount_at`].
pub fn cached_mount_at(path: &Path) -> io::Result<Option<Arc<MountEntry>>> {
    mounted_at(path, News::Writability, in_cached_table)
}

/// The same for whoever does not want to know whether it can be written to, which is as it was once.
pub fn cached_name_at(path: &Path) -> io::Result<Option<Arc<MountEntry>>> {
    mounted_at(path, News::Name, in_cached_table)
}

pub(super) fn in_cached_table(path: &Path) -> io::Result<Option<Arc<MountEntry>>> {
    let mut cached = CACHE.lock().unwrap_or_else(PoisonError::into_inner);
    // Taken out: what fails half-way is not kept.
    let mut table = match cached.take() {
        Some(table) => table.renewed()?,
        None => CachedTable::open()?,
    };
    // The kernel's table has no links and no dots: a path that stands in it as it is need not be resolved.
    let entry = match table.find(path) {
        Some(entry) => Ok(Some(entry)),
        None => resolved(path).map(|resolved| table.find(&resolved)),
    };
    *cached = Some(table);
    entry
}

struct CachedTable {
    file: File,
    content: Vec<u8>,
    /// The topmost mounts, by mount point.
    lines: HashMap<Vec<u8>, Line>,
}

/// Of hundreds a few are asked for, and those again and again.
enum Line {
    /// Where it is.
    Unread(Range<usize>),
    /// What it says, if it makes sense.
    Read(Option<Arc<MountEntry>>),
}

impl CachedTable {
    fn open() -> io::Result<Self> {
        let mut cached = Self {
            file: File::open(TABLE)?,
            content: Vec::new(),
            lines: HashMap::new(),
        };
        cached.read()?;
        Ok(cached)
    }

    fn renewed(mut self) -> io::Result<Self> {
        // Asked before it is read: what changes in between is told the next time.
        if self.has_changed()? {
            self.read()?;
        }
        Ok(self)
    }

    fn has_changed(&self) -> io::Result<bool> {
        let mut asked = [PollFd::new(self.file.as_fd(), PollFlags::POLLPRI)];
        poll(&mut asked, PollTimeout::ZERO)?;
        let [answered] = asked;
        Ok(answered.any().unwrap_or(true))
    }

    fn read(&mut self) -> io::Result<()> {
        self.content.clear();
        self.file.rewind()?;
        self.file.read_to_end(&mut self.content)?;
        self.lines.clear();
        let mut start = 0;
        for line in self.content.split(|byte| *byte == b'\n') {
            let end = start + line.len();
            if let Some(point) = line.split(|byte| *byte == b' ').nth(4) {
                // Later lines cover earlier ones.
                self.lines.insert(unescape(point), Line::Unread(start..end));
            }
            start = end + 1;
        }
        Ok(())
    }

    fn find(&mut self, mount_point: &Path) -> Option<Arc<MountEntry>> {
        let line = self.lines.get_mut(mount_point.as_os_str().as_bytes())?;
        let range = match line {
            Line::Read(entry) => return entry.clone(),
            Line::Unread(range) => range.clone(),
        };
        let entry = self.content.get(range).and_then(parse).map(Arc::new);
        *line = Line::Read(entry.clone());
        entry
    }
}
