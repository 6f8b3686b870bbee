//! One process of a node watches for new versions, and everybody can see whether one does.

use std::fs;
use std::io;
use std::time::Duration;

use crate::config::Paths;
use crate::sys::byte_lock::{ByteLocks, Hold};

/// The only one in the file.
const BYTE: u64 = 0;

/// A pod that is replaced watches again within that. Meanwhile what was activated counts as if somebody watched.
const GRACE: Duration = Duration::from_secs(120);

/// Held by the process that watches; the kernel gives it up with the process.
#[derive(Debug)]
pub struct WatcherLock {
    held: ByteLocks,
}

impl WatcherLock {
    /// None where another process watches.
    ///
    /// # Errors
    /// The lock's file cannot be made or locked.
    pub fn try_hold(paths: &Paths) -> io::Result<Option<Self>> {
        let held = ByteLocks::open(&paths.watcher())?;
        if !held.try_hold(BYTE, Hold::Exclusive)? {
            return Ok(None);
        }
        let lock = Self { held };
        lock.renew();
        Ok(Some(lock))
    }

    /// To be called at least every other minute: by the file's time others know that somebody watched lately.
    pub fn renew(&self) {
        // Who holds the lock is seen also without it.
        let _ = self.held.touch();
    }

    /// Whether a process of this node watches, or did two minutes ago. Where that cannot be told, none does.
    pub fn is_watched(paths: &Paths) -> bool {
        // Asking must not make the file, whose time would then say that somebody watched.
        let Ok(modified) = fs::metadata(paths.watcher()).and_then(|found| found.modified()) else {
            return false;
        };
        modified.elapsed().is_ok_and(|age| age < GRACE)
            || ByteLocks::open(&paths.watcher())
                .and_then(|locks| locks.is_held_elsewhere(BYTE))
                .unwrap_or(false)
    }
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use super::*;

    #[test]
    fn one_watches_and_the_others_see_it_until_it_ended_some_time_ago() {
        let root = tempfile::tempdir().expect("a directory");
        let paths = Paths::beneath(root.path());
        assert!(!WatcherLock::is_watched(&paths));
        let long_ago = || {
            let file = fs::File::options().write(true).open(paths.watcher());
            let then = SystemTime::now() - GRACE * 2;
            file.expect("there").set_modified(then).expect("ours");
        };
        let held = WatcherLock::try_hold(&paths).expect("lockable");
        assert!(WatcherLock::try_hold(&paths).expect("lockable").is_none());
        long_ago();
        assert!(held.is_some() && WatcherLock::is_watched(&paths));
        held.iter().for_each(WatcherLock::renew);
        drop(held);
        assert!(WatcherLock::is_watched(&paths), "it was there just now");
        long_ago();
        assert!(!WatcherLock::is_watched(&paths));
    }
}
