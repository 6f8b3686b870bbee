//! One process of a node watches for new versions, and everybody can see whether one does.

use std::io;

use crate::config::Paths;
use crate::sys::byte_lock::{ByteLocks, Hold};

/// The only one in the file.
const BYTE: u64 = 0;

/// Held by the process that watches; the kernel gives it up with the process.
#[derive(Debug)]
pub struct WatcherLock {
    _held: ByteLocks,
}

impl WatcherLock {
    /// None where another process watches.
    ///
    /// # Errors
    /// The lock's file cannot be made or locked.
    pub fn try_hold(paths: &Paths) -> io::Result<Option<Self>> {
        let locks = ByteLocks::open(&paths.watcher())?;
        let is_held = locks.try_hold(BYTE, Hold::Exclusive)?;
        Ok(is_held.then_some(Self { _held: locks }))
    }

    /// Whether a process of this node watches. Where that cannot be told, none does.
    pub fn is_held(paths: &Paths) -> bool {
        ByteLocks::open(&paths.watcher())
            .and_then(|locks| locks.is_held_elsewhere(BYTE))
            .unwrap_or(false)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_watches_and_the_others_see_it_until_it_ends() {
        let root = tempfile::tempdir().expect("a directory");
        let paths = Paths {
            config: root.path().join("config"),
            state: root.path().join("state"),
            run: root.path().join("run"),
            log: root.path().join("log"),
        };
        assert!(!WatcherLock::is_held(&paths));
        let held = WatcherLock::try_hold(&paths).expect("lockable");
        assert!(held.is_some() && WatcherLock::is_held(&paths));
        assert!(WatcherLock::try_hold(&paths).expect("lockable").is_none());
        drop(held);
        assert!(!WatcherLock::is_held(&paths));
    }
}
