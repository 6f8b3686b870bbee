//! A lock across processes that ends with its last holder.
//!
//! `flock` belongs to the open file, not to the process: a worker that inherits the descriptor keeps the
//! lock after we died, for as long as it can still touch the volume.
//!
//! A lock's file may go when nobody holds it. So whoever got the lock looks whether the file still has its name, and
//! takes the one that has it where it does not: two holders never have two files of one name. The last holder takes it
//! away, which is a worker where its parent was killed.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use nix::fcntl::OFlag;
use nix::unistd::dup2_stderr;

use super::lock_file::{has_name, open, try_until};

/// Whoever removes a file holds it for microseconds.
const REMOVAL: Duration = Duration::from_secs(1);

/// How many files of others are looked at when one goes.
const SWEPT: usize = 16;

/// The lock of a worker, which inherits it as that.
const STANDARD_ERROR: &str = "/proc/self/fd/2";

/// Held until dropped, here and in every worker that got it.
#[derive(Debug)]
pub struct Lock {
    file: File,
    /// After the file, which is closed before anything is decided.
    end: End,
}

/// What is done when the lock is given up here.
#[derive(Debug)]
struct End {
    path: PathBuf,
    afterwards: Afterwards,
}

/// What becomes of a lock's file when nobody holds the lock any more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Afterwards {
    /// It stays for the next holder; there are only so many of them.
    Stays,
    /// It goes.
    Goes,
    /// It stays for as long as that other file is there, which only holders of the lock make and remove.
    StaysWith(PathBuf),
}

/// Why a lock was not had.
#[expect(missing_docs, reason = "the names of the fields say it")]
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Somebody else has it.
    #[error("another operation on it is still running")]
    Held,
    /// The lock file cannot be made.
    #[error("cannot lock {}", path.display())]
    Io {
        /// Which file.
        path: PathBuf,
        source: io::Error,
    },
}

impl Lock {
    /// Holds the file together with others that share it. For calls that change nothing: they wait for
    /// nobody, and their workers need a lock to inherit all the same.
    ///
    /// # Errors
    /// [`LockError::Io`] where the file cannot be made or locked; [`LockError::Held`] where somebody has it
    /// for himself, which nobody should.
    pub fn share(path: &Path) -> Result<Self, LockError> {
        let until = Instant::now() + REMOVAL;
        loop {
            let file = open(path).map_err(failed(path))?;
            match file.try_lock_shared() {
                Ok(()) if has_name(&file).map_err(failed(path))? => {
                    return Ok(Self::held(file, path));
                }
                Ok(()) => {}
                Err(TryLockError::Error(source)) => return Err(failed(path)(source)),
                Err(TryLockError::WouldBlock) if Instant::now() >= until => {
                    return Err(LockError::Held);
                }
                Err(TryLockError::WouldBlock) => std::thread::sleep(Duration::from_millis(1)),
            }
        }
    }

    /// Waits for the lock until the deadline.
    ///
    /// # Errors
    /// [`LockError::Held`] at the deadline; [`LockError::Io`] where the file cannot be made.
    pub fn acquire(path: &Path, deadline: Instant) -> Result<Self, LockError> {
        let had = try_until(deadline, || {
            loop {
                let file = open(path).map_err(failed(path))?;
                match file.try_lock() {
                    Ok(()) if has_name(&file).map_err(failed(path))? => return Ok(Some(file)),
                    // Its last holder removed it.
                    Ok(()) => {}
                    Err(TryLockError::WouldBlock) => return Ok(None),
                    Err(TryLockError::Error(source)) => return Err(failed(path)(source)),
                }
            }
        })?;
        had.map(|file| Self::held(file, path))
            .ok_or(LockError::Held)
    }

    fn held(file: File, path: &Path) -> Self {
        Self {
            file,
            end: End {
                path: path.to_owned(),
                afterwards: Afterwards::Stays,
            },
        }
    }

    /// The same lock, whose file has that end.
    #[must_use]
    pub fn and(mut self, afterwards: Afterwards) -> Self {
        self.end.afterwards = afterwards;
        self
    }

    /// For locks of files that hold something.
    pub(super) fn file(&self) -> &File {
        &self.file
    }
}

impl AsFd for Lock {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}

impl Drop for End {
    fn drop(&mut self) {
        let is_gone = match &self.afterwards {
            Afterwards::Stays => false,
            Afterwards::Goes => remove_unless_held(&self.path, || false),
            Afterwards::StaysWith(other) => remove_unless_held(&self.path, || other.exists()),
        };
        if is_gone {
            sweep(self.path.parent().unwrap_or(Path::new("/")));
        }
    }
}

/// Removes what holders have left there who were killed, as far as it is among the first few: there are the fewer
/// others, the fewer volumes there are. Whoever still needs one that nobody holds makes it anew.
fn sweep(directory: &Path) {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    for path in entries.take(SWEPT).map(|entry| entry.path()) {
        if is_lock(&path) {
            remove_unless_held(&path, || false);
        }
    }
}

fn is_lock(path: &Path) -> bool {
    path.extension().is_some_and(|end| end == "lock")
}

/// Gives up the lock that this process inherited as its standard error, and removes its file where nobody else holds it:
/// not our parent, which looks after it, nor another worker of its.
///
/// Until this process ends it has the same file as its standard error, opened anew, so that it is still seen at the
/// lock.
pub fn give_up_inherited_lock() {
    let Ok(path) = fs::read_link(STANDARD_ERROR) else {
        return;
    };
    if !is_lock(&path) {
        return;
    }
    let opened = open_there(&path);
    if let Some(file) = opened.filter(|file| dup2_stderr(file).is_ok()) {
        remove_where_free(&file, &path, || false);
    }
}

/// Removes a lock's file where nobody holds the lock, neither we nor a worker that is stuck, and it is not kept. Best
/// effort: the next holder tries again. Whether it is gone.
pub(super) fn remove_unless_held(path: &Path, is_kept: impl Fn() -> bool) -> bool {
    if is_kept() {
        return false;
    }
    // Opened anew, so that whoever has it from us counts as somebody else.
    open_there(path).is_some_and(|file| remove_where_free(&file, path, is_kept))
}

/// A file that is there already.
pub(super) fn open_there(path: &Path) -> Option<File> {
    let mut options = OpenOptions::new();
    options.read(true).custom_flags(OFlag::O_NOFOLLOW.bits());
    options.open(path).ok()
}

fn remove_where_free(file: &File, path: &Path, is_kept: impl Fn() -> bool) -> bool {
    let is_ours = file.try_lock().is_ok() && matches!(has_name(file), Ok(true)) && !is_kept();
    is_ours && fs::remove_file(path).is_ok()
}

fn failed(path: &Path) -> impl Fn(io::Error) -> LockError {
    |source| LockError::Io {
        path: path.to_owned(),
        source,
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    fn soon() -> Instant {
        Instant::now() + Duration::from_secs(5)
    }

    /// The directory goes with the first value.
    fn lock_file() -> (tempfile::TempDir, PathBuf) {
        let root = tempfile::tempdir().expect("a directory");
        let path = root.path().join("locks/a.lock");
        (root, path)
    }

    #[test]
    fn a_lock_that_goes_leaves_no_file_and_one_that_stays_leaves_it() {
        let (_root, path) = lock_file();
        drop(Lock::acquire(&path, soon()).expect("free"));
        assert!(path.exists());
        let lock = Lock::acquire(&path, soon()).expect("free");
        drop(lock.and(Afterwards::Goes));
        assert!(!path.exists());
    }

    #[test]
    fn a_lock_stays_for_as_long_as_what_it_is_about() {
        let (root, path) = lock_file();
        let record = root.path().join("record");
        let hold = || {
            let lock = Lock::acquire(&path, soon()).expect("free");
            lock.and(Afterwards::StaysWith(record.clone()))
        };
        let lock = hold();
        fs::write(&record, "").expect("writable");
        drop(lock);
        assert!(path.exists());
        let lock = hold();
        fs::remove_file(&record).expect("there");
        drop(lock);
        assert!(!path.exists());
    }

    #[test]
    fn what_somebody_left_who_was_killed_goes_with_the_next_one_that_goes() {
        let (_root, path) = lock_file();
        let (left, held) = (
            path.with_file_name("left.lock"),
            path.with_file_name("held.lock"),
        );
        drop(Lock::acquire(&left, soon()).expect("free"));
        let _held = Lock::acquire(&held, soon()).expect("free");
        drop(Lock::acquire(&path, soon()).expect("free"));
        assert!(left.exists());
        let lock = Lock::acquire(&path, soon()).expect("free");
        drop(lock.and(Afterwards::Goes));
        assert!(!left.exists() && held.exists());
    }

    #[test]
    fn what_a_worker_still_holds_keeps_its_file() {
        let (_root, path) = lock_file();
        let lock = Lock::acquire(&path, soon()).expect("free");
        let worker = lock.as_fd().try_clone_to_owned().expect("a descriptor");
        drop(lock.and(Afterwards::Goes));
        assert!(path.exists());
        assert!(matches!(
            Lock::acquire(&path, Instant::now()),
            Err(LockError::Held)
        ));
        drop(worker);
        drop(
            Lock::acquire(&path, soon())
                .expect("free")
                .and(Afterwards::Goes),
        );
        assert!(!path.exists());
    }

    #[test]
    fn no_two_hold_it_while_its_file_comes_and_goes() {
        let (_root, path) = lock_file();
        let holders = std::sync::atomic::AtomicUsize::new(0);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..50 {
                        let lock = Lock::acquire(&path, soon()).expect("in time");
                        assert_eq!(holders.fetch_add(1, std::sync::atomic::Ordering::SeqCst), 0);
                        std::thread::yield_now();
                        holders.fetch_sub(1, std::sync::atomic::Ordering::SeqCst);
                        drop(lock.and(Afterwards::Goes));
                    }
                });
            }
        });
        assert!(!path.exists());
    }

    #[test]
    fn a_link_is_not_followed_and_a_second_name_not_taken() {
        let (root, path) = lock_file();
        drop(
            Lock::acquire(&path, soon())
                .expect("free")
                .and(Afterwards::Goes),
        );
        let precious = root.path().join("precious");
        fs::write(&precious, "kept").expect("writable");
        symlink(&precious, &path).expect("writable");
        assert!(matches!(
            Lock::acquire(&path, soon()),
            Err(LockError::Io { .. })
        ));
        assert!(matches!(Lock::share(&path), Err(LockError::Io { .. })));
        fs::remove_file(&path).expect("there");
        fs::hard_link(&precious, &path).expect("writable");
        assert!(matches!(
            Lock::acquire(&path, soon()),
            Err(LockError::Io { .. })
        ));
    }
}
