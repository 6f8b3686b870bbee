//! Files as they were read last, so that a repeated call costs one question about an open file instead of a search by
//! name and a read.
//!
//! Writers replace a file whole, by renaming, and may be other processes. A file that is held open and has its name still,
//! and the time of change that it had, has the content that was read, unless it changed at the very moment of reading:
//! what changed too lately is not kept. In the same way a directory that did not change still has no such file.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::file_identity::FileIdentity;

/// More volumes than kubelet runs pods on a node, unless it is told otherwise; of any more, some are read again.
const MAX_FILES: usize = 128;

/// What was read, by names of the caller's, each of one file.
#[derive(Debug)]
pub struct FileCache<T>(Mutex<HashMap<Box<[u8]>, CachedFile<T>>>);

#[derive(Debug, Clone)]
struct CachedFile<T> {
    /// The file; where there is none, the directory in which it would be.
    held: Arc<File>,
    identity: FileIdentity,
    content: Option<T>,
}

impl<T> Default for FileCache<T> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<T: Clone> FileCache<T> {
    /// The content of the file of that name, if there is such a file. Where it lies, and what its content means, is asked
    /// where nothing is known of it, or it was replaced since.
    ///
    /// # Errors
    /// The file system's, and what `parsed` makes of the content.
    pub fn read<E: From<io::Error>>(
        &self,
        name: &[u8],
        path: impl FnOnce() -> PathBuf,
        parsed: impl FnOnce(Vec<u8>) -> Result<T, E>,
    ) -> Result<Option<T>, E> {
        let cached = self.lock().get(name).cloned();
        if let Some(cached) = cached
            && cached.is_current()
        {
            return Ok(cached.content);
        }
        let path = path();
        let Some(mut file) = if_there(File::open(&path))? else {
            if let Some(absent) = CachedFile::absent(&path) {
                self.insert(name, absent);
            }
            return Ok(None);
        };
        // What is read may be newer than what was looked at; then the next look differs.
        let identity = FileIdentity::from(&file.metadata()?);
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        let content = parsed(bytes)?;
        if identity.is_settled() {
            let cached = CachedFile {
                held: Arc::new(file),
                identity,
                content: Some(content.clone()),
            };
            self.insert(name, cached);
        }
        Ok(Some(content))
    }

    fn insert(&self, name: &[u8], file: CachedFile<T>) {
        let mut files = self.lock();
        if files.len() >= MAX_FILES
            && let Some(any) = files.keys().next().cloned()
        {
            files.remove(&any);
        }
        files.insert(name.into(), file);
    }

    /// A panic elsewhere leaves whole entries.
    fn lock(&self) -> MutexGuard<'_, HashMap<Box<[u8]>, CachedFile<T>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> CachedFile<T> {
    /// A file that is not there, known by its directory, or by the next one above where that is not there either.
    fn absent(path: &Path) -> Option<Self> {
        let directories = path.ancestors().skip(1);
        let directory = directories.map(File::open).find_map(Result::ok)?;
        let identity = FileIdentity::from(&directory.metadata().ok()?);
        // What came before that shows now, and what comes later changes the directory.
        let is_absent = matches!(if_there(path.symlink_metadata()), Ok(None));
        (is_absent && identity.is_settled()).then(|| Self {
            held: Arc::new(directory),
            identity,
            content: None,
        })
    }

    fn is_current(&self) -> bool {
        let now = self.held.metadata();
        now.is_ok_and(|now| FileIdentity::from(&now) == self.identity)
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
    use std::fs;
    use std::time::Duration;

    use super::*;

    /// Longer than a change may be too late to show.
    const SETTLED: Duration = Duration::from_millis(1050);

    fn text(bytes: Vec<u8>) -> Result<String, io::Error> {
        String::from_utf8(bytes).map_err(io::Error::other)
    }

    fn unread(_: Vec<u8>) -> Result<String, io::Error> {
        Err(io::Error::other("read again"))
    }

    fn read<E: From<io::Error>>(
        cache: &FileCache<String>,
        path: &Path,
        parsed: impl FnOnce(Vec<u8>) -> Result<String, E>,
    ) -> Result<Option<String>, E> {
        cache.read(b"it", || path.to_owned(), parsed)
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
        assert_eq!(read(&cache, &path, text).expect("no file"), None);
        for content in ["one", "two", "three"] {
            replace(&path, content);
            let read = read(&cache, &path, text).expect("readable");
            assert_eq!(read.as_deref(), Some(content));
        }
        fs::remove_file(&path).expect("there");
        assert_eq!(read(&cache, &path, text).expect("no file"), None);
    }

    #[test]
    fn what_changed_just_now_is_not_kept_and_what_is_older_is() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("record");
        let cache = FileCache::default();
        replace(&path, "one");
        read(&cache, &path, text).expect("readable");
        read(&cache, &path, unread).expect_err("it could still change within the same tick");
        std::thread::sleep(SETTLED);
        read(&cache, &path, text).expect("readable");
        let read = read(&cache, &path, unread).expect("not read");
        assert_eq!(read.as_deref(), Some("one"));
    }

    #[test]
    fn what_was_replaced_moved_away_or_removed_is_not_what_is_there() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("record");
        let cache = FileCache::default();
        let keep = |content| {
            replace(&path, content);
            std::thread::sleep(SETTLED);
            read(&cache, &path, text).expect("readable");
            let kept = read(&cache, &path, unread).expect("not read");
            assert_eq!(kept.as_deref(), Some(content));
        };
        keep("one");
        replace(&path, "two");
        let two = read(&cache, &path, text).expect("readable");
        assert_eq!(two.as_deref(), Some("two"));
        keep("three");
        fs::rename(&path, directory.path().join("away")).expect("there");
        assert_eq!(read(&cache, &path, text).expect("no file"), None);
        keep("four");
        fs::remove_file(&path).expect("there");
        assert_eq!(read(&cache, &path, text).expect("no file"), None);
    }

    #[test]
    fn what_was_not_there_is_found_as_soon_as_it_is() {
        let directory = tempfile::tempdir().expect("a directory");
        let (record, sub) = (
            directory.path().join("sub/record"),
            directory.path().join("sub"),
        );
        let cache = FileCache::default();
        let looks_for_none = || {
            std::thread::sleep(SETTLED);
            for _ in 0..2 {
                assert_eq!(read(&cache, &record, unread).expect("no file"), None);
            }
            assert!(cache.lock().contains_key(&b"it"[..]), "not kept");
        };
        looks_for_none();
        fs::create_dir(&sub).expect("writable");
        replace(&record, "one");
        let one = read(&cache, &record, text).expect("readable");
        assert_eq!(one.as_deref(), Some("one"));
        fs::remove_file(&record).expect("there");
        looks_for_none();
        replace(&record, "two");
        let two = read(&cache, &record, text).expect("readable");
        assert_eq!(two.as_deref(), Some("two"));
    }

    #[test]
    fn no_more_files_are_held_open_than_that() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("record");
        replace(&path, "one");
        std::thread::sleep(SETTLED);
        let cache = FileCache::default();
        for name in 0..2 * MAX_FILES {
            let name = name.to_string();
            let read = cache.read(name.as_bytes(), || path.clone(), text);
            assert_eq!(read.expect("readable").as_deref(), Some("one"));
        }
        assert_eq!(cache.lock().len(), MAX_FILES);
    }
}
