//! What a call-out leaves behind on a node, to compare before with after.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use crate::Node;

/// Mounts, journal, directories and files; logs, lock files and the host's own directories do not count.
#[derive(Debug, PartialEq, Eq)]
pub struct Traces {
    mounts: Vec<String>,
    files: Vec<String>,
}

impl Node {
    /// As it is now.
    pub fn traces(&self) -> Traces {
        let mut files = Vec::new();
        for part in ["etc", "plugins", "pods", "mounts", "pool", "state"] {
            walk(&self.path(part), &mut files);
        }
        files.retain(|line| !(line.ends_with('/') && line.contains("/state/")));
        files.sort();
        Traces {
            mounts: Self::mount_lines_beneath(&self.path("")),
            files,
        }
    }

    /// Runs something that must leave nothing behind: no mount, no journal entry, no directory, no process.
    #[track_caller]
    pub fn unchanged_by<T>(&self, call: impl FnOnce() -> T) -> T {
        let before = self.traces();
        let result = call();
        assert_eq!(before, self.traces(), "something was left half done");
        assert!(self.workers().is_empty(), "a worker still runs");
        result
    }

    /// Exactly one mount at that path and none beneath it.
    #[track_caller]
    pub fn holds_one_mount(path: &Path) {
        assert_eq!(Self::mounts_beneath(path), [path]);
    }

    /// No mount at that path or beneath it.
    #[track_caller]
    pub fn holds_no_mount(path: &Path) {
        let mounted = Self::mounts_beneath(path);
        assert!(mounted.is_empty(), "still mounted: {mounted:?}");
    }

    /// After the last teardown: nothing mounted, nothing in the journal, nobody running, and no lock left.
    #[track_caller]
    pub fn is_clean(&self) {
        Self::holds_no_mount(&self.path(""));
        assert_eq!(self.journal(), Vec::<std::path::PathBuf>::new());
        assert!(self.workers().is_empty(), "a worker still runs");
        self.has_no_lock();
    }

    /// No lock's file, held or left.
    #[track_caller]
    pub fn has_no_lock(&self) {
        let mut locks = Vec::new();
        walk(&self.path("run/locks"), &mut locks);
        // The one that all calls share that change nothing, and the one for which version of a driver serves.
        let stays = |line: &str| {
            ["/readers-", "/versions-"]
                .iter()
                .any(|name| line.contains(name))
        };
        locks.retain(|line| !line.ends_with('/') && !stays(line));
        assert!(locks.is_empty(), "locks are left: {locks:?}");
    }
}

fn walk(path: &Path, found: &mut Vec<String>) {
    let Ok(metadata) = fs::symlink_metadata(path) else {
        return;
    };
    if !metadata.is_dir() {
        found.push(format!(
            "{:o} {} bytes {}",
            metadata.mode(),
            metadata.len(),
            path.display()
        ));
        return;
    }
    // A directory's size says how many names it ever held.
    found.push(format!("{:o} {}/", metadata.mode(), path.display()));
    for entry in fs::read_dir(path).expect("readable").flatten() {
        walk(&entry.path(), found);
    }
}
