//! A lock across processes that ends with its last holder.
//!
//! `flock` belongs to the open file, not to the process: a worker that inherits the descriptor keeps the
//! lock after we died, for as long as it can still touch the volume.

use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::create_root_only_directory;

/// Held until dropped, here and in every worker that got it.
#[derive(Debug)]
pub struct Lock {
    file: File,
}

/// Why a lock was not had.
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
        /// Why.
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
        let io = |source| LockError::Io {
            path: path.to_owned(),
            source,
        };
        let file = open(path).map_err(io)?;
        match file.try_lock_shared() {
            Ok(()) => Ok(Self { file }),
            Err(TryLockError::Error(source)) => Err(io(source)),
            Err(TryLockError::WouldBlock) => Err(LockError::Held),
        }
    }

    /// Waits for the lock until the deadline. The file stays behind: removing it would let two holders
    /// lock two different files of one name.
    ///
    /// # Errors
    /// [`LockError::Held`] at the deadline; [`LockError::Io`] where the file cannot be made.
    pub fn acquire(path: &Path, deadline: Instant) -> Result<Self, LockError> {
        let io = |source| LockError::Io {
            path: path.to_owned(),
            source,
        };
        let file = open(path).map_err(io)?;
        let mut pause = Duration::from_millis(1);
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(Self { file }),
                Err(TryLockError::Error(source)) => return Err(io(source)),
                Err(TryLockError::WouldBlock) if Instant::now() + pause >= deadline => {
                    return Err(LockError::Held);
                }
                Err(TryLockError::WouldBlock) => std::thread::sleep(pause),
            }
            pause = (pause * 2).min(Duration::from_millis(50));
        }
    }
}

impl AsFd for Lock {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}

fn open(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600);
    match options.open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            create_root_only_directory(path.parent().unwrap_or(Path::new("/")))?;
            options.open(path)
        }
        opened => opened,
    }
}
