//! Files as they were read last, so that a repeated call costs a stat(2) instead of a read.
//!
//! Writers replace a file whole, by renaming, and may be other processes. A file that is the same by number,
//! size and time of change has the content that was read, unless it changed at the very moment of reading and
//! its number was given out again: what changed too lately is not kept.

use std::collections::HashMap;
use std::fs::{self, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// More volumes than a node has of one driver; of any more, some are read again.
const MAX_FILES: usize = 2048;

/// Kernels before 6.13 tell times of change in steps of up to 10 ms.
const SETTLED: Duration = Duration::from_secs(1);

/// What was read, by path.
#[derive(Debug)]
pub struct FileCache<T>(Mutex<HashMap<PathBuf, (Identity, T)>>);

/// What tells one file, and one change of it, from another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Identity {
    device: u64,
    inode: u64,
    size: u64,
    changed_at: (i64, i64),
}

impl<T> Default for FileCache<T> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<T: Clone> FileCache<T> {
    /// The file's content, if there is such a file. `parsed` is asked only where it changed since.
    ///
    /// # Errors
    /// The file system's, and what `parsed` makes of the content.
    pub fn read<E: From<io::Error>>(
        &self,
        path: &Path,
        parsed: impl FnOnce(Vec<u8>) -> Result<T, E>,
    ) -> Result<Option<T>, E> {
        let Some(metadata) = if_there(fs::metadata(path))? else {
            return Ok(None);
        };
        let identity = Identity::of(&metadata);
        if let Some((known, content)) = self.lock().get(path)
            && *known == identity
        {
            return Ok(Some(content.clone()));
        }
        let Some(bytes) = if_there(fs::read(path))? else {
            return Ok(None);
        };
        let content = parsed(bytes)?;
        // What was read may be newer than what was looked at; then the next look differs.
        if identity.is_settled() {
            self.insert(path, identity, content.clone());
        }
        Ok(Some(content))
    }

    fn insert(&self, path: &Path, identity: Identity, content: T) {
        let mut files = self.lock();
        if files.len() >= MAX_FILES
            && let Some(any) = files.keys().next().cloned()
        {
            files.remove(&any);
        }
        files.insert(path.to_owned(), (identity, content));
    }

    /// A panic elsewhere leaves whole entries.
    fn lock(&self) -> MutexGuard<'_, HashMap<PathBuf, (Identity, T)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Identity {
    fn of(metadata: &Metadata) -> Self {
        Self {
            device: metadata.dev(),
            inode: metadata.ino(),
            size: metadata.size(),
            changed_at: (metadata.ctime(), metadata.ctime_nsec()),
        }
    }

    /// Whether any change from now on shows in the time. A clock that was set back says no.
    fn is_settled(&self) -> bool {
        let (Ok(seconds), Ok(nanoseconds)) = (
            u64::try_from(self.changed_at.0),
            u32::try_from(self.changed_at.1),
        ) else {
            return false;
        };
        let changed_at = UNIX_EPOCH + Duration::new(seconds, nanoseconds);
        SystemTime::now()
            .duration_since(changed_at)
            .is_ok_and(|age| age > SETTLED)
    }
}

/// A file that does not exist is no failure.
///
/// # Errors
/// Every other one of the file system.
pub fn if_there<T>(outcome: io::Result<T>) -> io::Result<Option<T>> {
    match outcome {
        Ok(found) => Ok(Some(found)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(bytes: Vec<u8>) -> Result<String, io::Error> {
        String::from_utf8(bytes).map_err(io::Error::other)
    }

    fn unread(_: Vec<u8>) -> Result<String, io::Error> {
        Err(io::Error::other("read again"))
    }

    fn replace(path: &Path, content: &str) {
        let beside = path.with_extension("new");
        fs::write(&beside, content).expect("writable");
        fs::rename(beside, path).expect("writable");
    }

    #[test]
    fn what_was_replaced_is_read_again_also_where_it_has_the_same_size() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("record");
        let cache = FileCache::default();
        assert_eq!(cache.read(&path, text).expect("no file"), None);
        for content in ["one", "two", "three"] {
            replace(&path, content);
            let read = cache.read(&path, text).expect("readable");
            assert_eq!(read.as_deref(), Some(content));
        }
        fs::remove_file(&path).expect("there");
        assert_eq!(cache.read(&path, text).expect("no file"), None);
    }

    #[test]
    fn what_changed_just_now_is_not_kept_and_what_is_older_is() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("record");
        let cache = FileCache::default();
        replace(&path, "one");
        cache.read(&path, text).expect("readable");
        cache
            .read(&path, unread)
            .expect_err("it could still change within the same tick");
        std::thread::sleep(SETTLED + Duration::from_millis(50));
        cache.read(&path, text).expect("readable");
        let read = cache.read(&path, unread).expect("not read");
        assert_eq!(read.as_deref(), Some("one"));
    }
}
