//! Work beneath a directory: the host's `files`, or a [fake](crate::fake::FakeTree) in memory.
//!
//! A guest that works on a [`Tree`] instead of a `directory` can be tested natively, cut off after any step.

use crate::bindings::files::{Directory, FileStatus};
use crate::bindings::types::Error;
use crate::error::missing_is_none;

/// Of directories that are made without anybody asking for a mode: what Kubernetes' own drivers leave behind.
pub const DIRECTORY_MODE: u32 = 0o755;

/// A directory, as the host names kinds of entries.
pub const DIRECTORY: &str = "directory";

/// A regular file.
pub const FILE: &str = "file";

/// The root of a share or a pool; every path is below it, and `""` is itself. Errors as `files.wit` has them.
pub trait Tree {
    /// What one entry is; `not-found`.
    fn look(&self, path: &str) -> Result<FileStatus, Error>;
    /// What lies in a directory; `exhausted` past what the host lists.
    fn names(&self, directory: &str) -> Result<Vec<String>, Error>;
    /// A file of at most 64 KiB; `not-found`, `exhausted`.
    fn read(&self, path: &str) -> Result<Vec<u8>, Error>;
    /// Make a file, whole or not at all; `already-exists`: there is one.
    fn create(&self, path: &str, content: &[u8]) -> Result<(), Error>;
    /// Replace a file or make it, whole or not at all.
    fn write(&self, path: &str, content: &[u8]) -> Result<(), Error>;
    /// Make a directory with its missing parents, unless it is there.
    fn make_directory(&self, path: &str, mode: u32) -> Result<(), Error>;
    /// Set the permission bits of an entry.
    fn set_mode(&self, path: &str, mode: u32) -> Result<(), Error>;
    /// Move an entry; `not-found`, `already-exists`.
    fn rename(&self, from: &str, to: &str) -> Result<(), Error>;
    /// Remove an entry with all beneath it. Missing is success.
    fn remove_tree(&self, path: &str) -> Result<(), Error>;
    /// Remove an empty directory. Missing is success; `failed-precondition`: something is in it.
    fn remove_directory(&self, path: &str) -> Result<(), Error>;
    /// Copy a tree, whole or not at all; `already-exists`: the target is there.
    fn copy_tree(&self, from: &str, to: &str) -> Result<(), Error>;
    /// Pack a tree into a compressed archive, whole or not at all; `already-exists`.
    fn archive_tree(&self, from: &str, to: &str) -> Result<(), Error>;
    /// Unpack an archive, whole or not at all; `already-exists`.
    fn extract_archive(&self, from: &str, to: &str) -> Result<(), Error>;
    /// What room there is, in bytes.
    fn available_bytes(&self) -> Result<u64, Error>;
}

impl dyn Tree + '_ {
    /// Whether a directory is there. A symlink is none: what it leads to is somebody else's.
    pub fn has_directory(&self, path: &str) -> Result<bool, Error> {
        Ok(self.kind(path)?.as_deref() == Some(DIRECTORY))
    }

    /// What is there, if anything.
    pub fn kind(&self, path: &str) -> Result<Option<String>, Error> {
        missing_is_none(self.look(path).map(|found| found.kind))
    }

    /// Give a directory its mode, unless it has it: where root is nobody on the server, setting it again may be
    /// refused.
    pub fn ensure_mode(&self, path: &str, mode: u32) -> Result<(), Error> {
        match self.look(path)?.mode == mode {
            true => Ok(()),
            false => self.set_mode(path, mode),
        }
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
