//! Looks under a lock: together with others who look, and not while somebody works under it.
//!
//! Opening a lock's file by its name costs the kernel more than most of what a look asks of it. So the files are kept
//! open, and asked each time whether they still have their names: a lock's file may go when nobody holds it.

use std::collections::HashMap;
use std::fs::{File, TryLockError};
use std::mem;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::lock::{open_there, remove_unless_held};
use super::lock_file::has_name;

/// More volumes than kubelet runs pods on a node, unless it is told otherwise; of any more, some are opened again.
const MAX_FILES: usize = 128;

/// The files, by names of the caller's.
#[derive(Debug, Default)]
pub struct Looks(Mutex<HashMap<Box<str>, File>>);

/// Until it is dropped, nobody works who holds the lock to do so.
#[derive(Debug)]
pub struct Look<'a> {
    looks: &'a Looks,
    name: Box<str>,
    /// Until then.
    file: Option<File>,
}

/// How it stands with a lock.
enum Standing {
    /// It is held, by this and by others who look.
    Shared,
    /// Somebody works under it.
    Busy,
    /// The file is nobody's lock any more, or cannot be asked.
    Gone,
}

impl Looks {
    /// A look, if nobody works under the lock of that name. Waits for nobody and makes nothing: there is none either where
    /// the lock has no file.
    pub fn begin(&self, name: &str, path: impl FnOnce() -> PathBuf) -> Option<Look<'_>> {
        let look = |name, file| Look {
            looks: self,
            name,
            file: Some(file),
        };
        // Taken out: two who look at once do not give up each other's lock.
        let kept = self.lock().remove_entry(name);
        if let Some((name, file)) = kept {
            match standing(&file) {
                Standing::Shared => return Some(look(name, file)),
                Standing::Busy => {
                    self.keep(name, file);
                    return None;
                }
                Standing::Gone => {}
            }
        }
        let file = open_there(&path())?;
        match standing(&file) {
            Standing::Shared => Some(look(name.into(), file)),
            Standing::Busy | Standing::Gone => None,
        }
    }

    fn keep(&self, name: Box<str>, file: File) {
        let mut files = self.lock();
        // Volumes come and go, and nobody says so.
        if files.len() >= MAX_FILES
            && let Some(any) = files.keys().next().cloned()
        {
            files.remove(&any);
        }
        files.insert(name, file);
    }

    /// A panic elsewhere leaves whole entries.
    fn lock(&self) -> MutexGuard<'_, HashMap<Box<str>, File>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn standing(file: &File) -> Standing {
    match file.try_lock_shared() {
        Ok(()) if matches!(has_name(file), Ok(true)) => Standing::Shared,
        Err(TryLockError::WouldBlock) => Standing::Busy,
        Ok(()) | Err(TryLockError::Error(_)) => Standing::Gone,
    }
}

impl Look<'_> {
    /// Ends it, and removes the lock's file unless somebody holds the lock: there is nothing that it is about.
    pub fn end_with_file(mut self, path: &Path) {
        drop(self.file.take());
        remove_unless_held(path, || false);
    }
}

impl Drop for Look<'_> {
    fn drop(&mut self) {
        // Not by closing: a child that was just forked has the file too, until it runs its own program.
        if let Some(file) = self.file.take()
            && file.unlock().is_ok()
        {
            self.looks.keep(mem::take(&mut self.name), file);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::super::lock::{Afterwards, Lock};
    use super::*;

    /// The directory goes with the first value.
    fn lock_file() -> (tempfile::TempDir, PathBuf) {
        let root = tempfile::tempdir().expect("a directory");
        let path = root.path().join("a.lock");
        (root, path)
    }

    fn worker(path: &Path) -> Lock {
        Lock::acquire(path, Instant::now() + Duration::from_secs(5)).expect("free")
    }

    fn is_free(path: &Path) -> bool {
        Lock::acquire(path, Instant::now()).is_ok()
    }

    #[test]
    fn looks_are_made_together_and_not_while_somebody_works() {
        let (_root, path) = lock_file();
        drop(worker(&path));
        let looks = Looks::default();
        let begin = || looks.begin("a", || path.clone());
        for _ in 0..3 {
            let (one, other) = (begin().expect("free"), begin().expect("shared"));
            assert!(!is_free(&path), "somebody looks");
            drop(one);
            assert!(!is_free(&path), "somebody looks still");
            drop(other);
            assert!(is_free(&path), "nobody looks any more");
            let work = worker(&path);
            assert!(begin().is_none(), "somebody works");
            drop(work);
        }
    }

    #[test]
    fn a_lock_without_a_file_is_not_made_for_a_look() {
        let (root, path) = lock_file();
        let looks = Looks::default();
        assert!(looks.begin("a", || path.clone()).is_none());
        assert_eq!(root.path().read_dir().expect("there").count(), 0);
    }

    #[test]
    fn a_file_that_is_kept_is_not_the_lock_any_more_once_its_name_is_gone() {
        let (_root, path) = lock_file();
        let looks = Looks::default();
        drop(worker(&path));
        drop(looks.begin("a", || path.clone()).expect("free"));
        drop(worker(&path).and(Afterwards::Goes));
        assert!(!path.exists());
        let work = worker(&path);
        assert!(looks.begin("a", || path.clone()).is_none(), "another file");
        drop(work);
        let look = looks.begin("a", || path.clone()).expect("free");
        assert!(!is_free(&path));
        drop(look);
    }

    #[test]
    fn where_there_is_nothing_to_look_at_the_file_goes_unless_it_is_held() {
        let (_root, path) = lock_file();
        let looks = Looks::default();
        drop(worker(&path));
        let (one, other) = (
            looks.begin("a", || path.clone()).expect("free"),
            looks.begin("a", || path.clone()).expect("shared"),
        );
        one.end_with_file(&path);
        assert!(path.exists(), "somebody looks still");
        other.end_with_file(&path);
        assert!(!path.exists());
    }

    #[test]
    fn no_more_files_are_kept_than_that() {
        let (root, _) = lock_file();
        let looks = Looks::default();
        for number in 0..2 * MAX_FILES {
            let path = root.path().join(format!("{number}.lock"));
            drop(worker(&path));
            let look = looks.begin(&number.to_string(), || path.clone());
            drop(look.expect("free"));
        }
        assert_eq!(looks.lock().len(), MAX_FILES);
    }
}
