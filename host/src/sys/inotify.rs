//! Events of directories, by inotify.
//!
//! An event proves nothing: whoever hears one looks anew. Root's instances are few (fs.inotify.max_user_instances), and
//! all containers of a node share them; callers have to get along without.

use std::ffi::OsString;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::Path;
use std::time::Duration;

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify, WatchDescriptor};

/// What is not an event: somebody reads, or has not finished writing. Modes count, because what others may write is not
/// read at all.
const EVENTS: AddWatchFlags = AddWatchFlags::IN_CREATE
    .union(AddWatchFlags::IN_MOVED_TO)
    .union(AddWatchFlags::IN_MOVED_FROM)
    .union(AddWatchFlags::IN_DELETE)
    .union(AddWatchFlags::IN_CLOSE_WRITE)
    .union(AddWatchFlags::IN_ATTRIB)
    .union(AddWatchFlags::IN_DELETE_SELF)
    .union(AddWatchFlags::IN_MOVE_SELF)
    .union(AddWatchFlags::IN_ONLYDIR);

/// Some directories, and what happens in them.
#[derive(Debug)]
pub struct DirectoryEvents(Inotify);

/// One directory that is watched. The same directory has the same number, by whatever path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WatchedDirectory(WatchDescriptor);

/// That something happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Heard {
    /// To an entry of a directory, or to the directory itself, which then has no name.
    In(WatchedDirectory, Option<OsString>),
    /// There were too many events, and some are lost.
    TooMuch,
}

impl DirectoryEvents {
    /// Of none yet.
    ///
    /// # Errors
    /// Also where all instances are taken (EMFILE).
    pub fn subscribe() -> io::Result<Self> {
        Ok(Self(Inotify::init(
            InitFlags::IN_CLOEXEC | InitFlags::IN_NONBLOCK,
        )?))
    }

    /// Watches a directory, or goes on doing so.
    ///
    /// # Errors
    /// From the file system; [`io::ErrorKind::StorageFull`] where all watches are taken (ENOSPC).
    pub fn watch(&self, path: &Path) -> io::Result<WatchedDirectory> {
        Ok(WatchedDirectory(self.0.add_watch(path, EVENTS)?))
    }

    /// Watches it no longer.
    pub fn forget(&self, directory: WatchedDirectory) {
        // The kernel forgets by itself what was removed.
        let _ = self.0.rm_watch(directory.0);
    }

    /// Takes everything that has arrived.
    pub fn read(&self) -> Vec<Heard> {
        let mut heard = Vec::new();
        loop {
            match self.0.read_events() {
                Ok(events) if !events.is_empty() => {
                    heard.extend(events.into_iter().map(|event| {
                        match event.mask.contains(AddWatchFlags::IN_Q_OVERFLOW) {
                            true => Heard::TooMuch,
                            false => Heard::In(WatchedDirectory(event.wd), event.name),
                        }
                    }));
                }
                Err(Errno::EINTR) => {}
                _ => return heard,
            }
        }
    }
}

impl AsFd for DirectoryEvents {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// Waits until one of them can be read, and no longer than that. Which ones can, in their order.
pub fn wait_readable(fds: &[BorrowedFd<'_>], timeout: Duration) -> Vec<bool> {
    let mut fds: Vec<_> = fds
        .iter()
        .map(|fd| PollFd::new(*fd, PollFlags::POLLIN))
        .collect();
    // Rounded up, so that the last millisecond is not spent in a busy loop.
    let timeout = PollTimeout::try_from(timeout + Duration::from_millis(1));
    match poll(&mut fds, timeout.unwrap_or(PollTimeout::MAX)) {
        Ok(_) => fds.iter().map(|fd| fd.any().unwrap_or(true)).collect(),
        // A signal; whoever waits looks at the clock.
        Err(_) => vec![false; fds.len()],
    }
}
