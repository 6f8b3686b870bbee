//! What is done on a share: the host's `files`, as far as volumes and snapshots need it.

use crate::bindings::drivebay::driver::files::{Directory, FileStatus};
use crate::bindings::drivebay::driver::types::Error;

/// Of directories that are made without anybody asking for a mode: what the Kubernetes driver leaves behind.
pub(crate) const DIRECTORY_MODE: u32 = 0o755;

/// Kinds of entries, as the host names them.
pub(crate) const DIRECTORY: &str = "directory";
pub(crate) const FILE: &str = "file";

/// The root of a share; every path is below it.
pub(crate) trait Tree {
    fn look(&self, path: &str) -> Result<FileStatus, Error>;
    /// What lies in a directory; `exhausted` past what the host lists.
    fn names(&self, directory: &str) -> Result<Vec<String>, Error>;
    fn read(&self, path: &str) -> Result<Vec<u8>, Error>;
    fn create(&self, path: &str, content: &[u8]) -> Result<(), Error>;
    fn write(&self, path: &str, content: &[u8]) -> Result<(), Error>;
    fn make_directory(&self, path: &str, mode: u32) -> Result<(), Error>;
    fn set_mode(&self, path: &str, mode: u32) -> Result<(), Error>;
    fn rename(&self, from: &str, to: &str) -> Result<(), Error>;
    fn remove_tree(&self, path: &str) -> Result<(), Error>;
    fn remove_directory(&self, path: &str) -> Result<(), Error>;
    fn copy_tree(&self, from: &str, to: &str) -> Result<(), Error>;
    fn archive_tree(&self, from: &str, to: &str) -> Result<(), Error>;
    fn extract_archive(&self, from: &str, to: &str) -> Result<(), Error>;
    fn available_bytes(&self) -> Result<u64, Error>;
}

impl dyn Tree + '_ {
    /// Whether a directory is there. A symlink is none: what it leads to is somebody else's.
    pub(crate) fn has_directory(&self, path: &str) -> Result<bool, Error> {
        Ok(self.kind(path)?.as_deref() == Some(DIRECTORY))
    }

    /// What is there, if anything.
    pub(crate) fn kind(&self, path: &str) -> Result<Option<String>, Error> {
        missing_is_none(self.look(path).map(|found| found.kind))
    }

    /// Give a directory its mode, unless it has it: where root is nobody on the server, setting it again may be
    /// refused.
    pub(crate) fn ensure_mode(&self, path: &str, mode: u32) -> Result<(), Error> {
        match self.look(path)?.mode == mode {
            true => Ok(()),
            false => self.set_mode(path, mode),
        }
    }
}

/// The answer, or nothing where there is nothing.
pub(crate) fn missing_is_none<T>(answer: Result<T, Error>) -> Result<Option<T>, Error> {
    match answer {
        Ok(found) => Ok(Some(found)),
        Err(Error::NotFound(_)) => Ok(None),
        Err(error) => Err(error),
    }
}

/// What was to be made is there already: an earlier try made it.
pub(crate) fn there_is_done(answer: Result<(), Error>) -> Result<(), Error> {
    match answer {
        Err(Error::AlreadyExists(_)) => Ok(()),
        answer => answer,
    }
}

/// What vanishes while it is copied is left out, so a copy is whole only if its source is still there afterwards. And
/// only what is missing then is gone: the answer decides what becomes of the copy.
pub(crate) fn whole_if_still_there(
    copied: Result<(), Error>,
    look_again: impl FnOnce() -> Result<(), Error>,
) -> Result<(), Error> {
    match copied {
        Ok(()) => look_again(),
        Err(Error::NotFound(reason)) => {
            look_again().and(Err(Error::Unavailable(format!("{reason}; ask again"))))
        }
        error => error,
    }
}

impl Tree for Directory {
    fn look(&self, path: &str) -> Result<FileStatus, Error> {
        self.stat(path)
    }

    fn names(&self, directory: &str) -> Result<Vec<String>, Error> {
        let entries = self.readdir(directory)?;
        Ok(entries.into_iter().map(|entry| entry.name).collect())
    }

    fn read(&self, path: &str) -> Result<Vec<u8>, Error> {
        self.read_file(path)
    }

    fn create(&self, path: &str, content: &[u8]) -> Result<(), Error> {
        self.create_file(path, content)
    }

    fn write(&self, path: &str, content: &[u8]) -> Result<(), Error> {
        self.write_file(path, content)
    }

    fn make_directory(&self, path: &str, mode: u32) -> Result<(), Error> {
        self.mkdir(path, mode)
    }

    fn set_mode(&self, path: &str, mode: u32) -> Result<(), Error> {
        self.chmod(path, mode)
    }

    fn rename(&self, from: &str, to: &str) -> Result<(), Error> {
        self.rename(from, to)
    }

    fn remove_tree(&self, path: &str) -> Result<(), Error> {
        self.remove_tree(path)
    }

    fn remove_directory(&self, path: &str) -> Result<(), Error> {
        self.rmdir(path)
    }

    fn copy_tree(&self, from: &str, to: &str) -> Result<(), Error> {
        self.copy_tree(from, to)
    }

    /// The size is asked for when all is done: a retry that finds the archive there gets none here.
    fn archive_tree(&self, from: &str, to: &str) -> Result<(), Error> {
        self.archive_tree(from, to, "gzip").map(drop)
    }

    fn extract_archive(&self, from: &str, to: &str) -> Result<(), Error> {
        self.extract_archive(from, to)
    }

    fn available_bytes(&self) -> Result<u64, Error> {
        self.statfs().map(|found| found.available_bytes)
    }
}
