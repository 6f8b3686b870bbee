//! A directory that somebody else fills, held open, and read without leaving it.
//!
//! Held, because whoever fills it may exchange it as a whole: what is read beneath one descriptor belongs together.
//! Nothing is followed out of it, neither an absolute link nor `..`.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use rustix::fs::{AtFlags, CWD, Dir, Mode, OFlags, ResolveFlags, fstat, openat, openat2, statat};
use rustix::io::Errno;

const DIRECTORY: OFlags = OFlags::DIRECTORY
    .union(OFlags::RDONLY)
    .union(OFlags::CLOEXEC);

/// A pipe would keep us waiting for whoever writes to it, and a terminal must not become ours.
const FILE: OFlags = OFlags::RDONLY
    .union(OFlags::CLOEXEC)
    .union(OFlags::NONBLOCK)
    .union(OFlags::NOCTTY);

const BENEATH: ResolveFlags = ResolveFlags::BENEATH.union(ResolveFlags::NO_MAGICLINKS);

/// A directory by its descriptor.
#[derive(Debug)]
pub struct OpenDirectory(OwnedFd);

/// Which directory it is, for as long as it is held open: no other can have the same number meanwhile.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DirectoryIdentity {
    device: u64,
    inode: u64,
}

impl OpenDirectory {
    /// By its path, wherever links lead.
    ///
    /// # Errors
    /// From the file system; [`io::ErrorKind::NotADirectory`] for anything else that lies there.
    pub fn open(path: &Path) -> io::Result<Self> {
        Ok(Self(openat(CWD, path, DIRECTORY, Mode::empty())?))
    }

    /// A directory in this one, also by a link that stays within it.
    ///
    /// # Errors
    /// From the file system; in words where a link leads out.
    pub fn open_directory(&self, name: &OsStr) -> io::Result<Self> {
        self.open_beneath(name, DIRECTORY).map(Self)
    }

    /// A regular file in this one, also by a link that stays within it.
    ///
    /// # Errors
    /// From the file system; in words where a link leads out, and for what is no regular file.
    pub fn open_file(&self, name: &OsStr) -> io::Result<File> {
        let file = File::from(self.open_beneath(name, FILE)?);
        match file.metadata()?.is_file() {
            true => Ok(file),
            false => Err(io::Error::other("it is not a regular file")),
        }
    }

    /// Whether there is an entry of that name, wherever it leads.
    pub fn contains(&self, name: &OsStr) -> bool {
        statat(&self.0, name, AtFlags::SYMLINK_NOFOLLOW).is_ok()
    }

    /// The names of its entries, of which no more than one over the bound is looked at.
    ///
    /// # Errors
    /// From the file system.
    pub fn names(&self, bound: usize) -> io::Result<Vec<OsString>> {
        let mut names = Vec::new();
        for entry in Dir::read_from(&self.0)? {
            let entry = entry?;
            let name = entry.file_name().to_bytes();
            if name == b"." || name == b".." {
                continue;
            }
            names.push(OsStr::from_bytes(name).to_owned());
            if names.len() > bound {
                break;
            }
        }
        Ok(names)
    }

    /// Which one it is.
    ///
    /// # Errors
    /// From the file system.
    pub fn identity(&self) -> io::Result<DirectoryIdentity> {
        let found = fstat(&self.0)?;
        Ok(DirectoryIdentity {
            device: found.st_dev,
            inode: found.st_ino,
        })
    }

    fn open_beneath(&self, name: &OsStr, flags: OFlags) -> io::Result<OwnedFd> {
        match openat2(&self.0, name, flags, Mode::empty(), BENEATH) {
            Err(Errno::XDEV) => Err(io::Error::other(
                "it is a link that leads out of the directory",
            )),
            opened => Ok(opened?),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::Read;
    use std::os::unix::fs::symlink;

    use super::*;

    fn read(directory: &OpenDirectory, name: &str) -> io::Result<String> {
        let mut text = String::new();
        directory
            .open_file(OsStr::new(name))?
            .read_to_string(&mut text)?;
        Ok(text)
    }

    #[test]
    fn links_are_followed_within_the_directory_and_never_out_of_it() {
        let root = tempfile::tempdir().expect("a directory");
        let inside = root.path().join("inside");
        fs::create_dir_all(inside.join("sub")).expect("made");
        fs::write(root.path().join("secret"), "secret").expect("written");
        fs::write(inside.join("sub/file"), "ours").expect("written");
        for (link, target) in [
            ("within", "sub/../sub/file"),
            ("above", "../secret"),
            ("absolute", "/etc/passwd"),
            ("itself", "itself"),
        ] {
            symlink(target, inside.join(link)).expect("linked");
        }
        let directory = OpenDirectory::open(&inside).expect("there");
        assert_eq!(read(&directory, "within").expect("inside"), "ours");
        for link in ["above", "absolute"] {
            let error = read(&directory, link).expect_err(link).to_string();
            assert!(error.contains("leads out of the directory"), "{error}");
        }
        read(&directory, "itself").expect_err("a circle");
    }

    #[test]
    fn pipes_and_directories_are_no_files_and_nothing_waits_for_them() {
        let root = tempfile::tempdir().expect("a directory");
        let mode = nix::sys::stat::Mode::from_bits_truncate(0o600);
        nix::unistd::mkfifo(&root.path().join("pipe"), mode).expect("made");
        fs::create_dir(root.path().join("directory")).expect("made");
        let directory = OpenDirectory::open(root.path()).expect("there");
        for name in ["pipe", "directory"] {
            let error = read(&directory, name).expect_err(name).to_string();
            assert!(error.contains("not a regular file"), "{error}");
        }
        OpenDirectory::open(&root.path().join("pipe")).expect_err("a pipe");
    }

    #[test]
    fn names_end_one_past_the_bound() {
        let root = tempfile::tempdir().expect("a directory");
        for name in ["a", "b", ".c", "d"] {
            fs::write(root.path().join(name), "").expect("written");
        }
        let directory = OpenDirectory::open(root.path()).expect("there");
        assert_eq!(directory.names(9).expect("listed").len(), 4);
        assert_eq!(directory.names(2).expect("listed").len(), 3);
    }

    #[test]
    fn what_is_held_open_is_another_directory_than_its_successor() {
        let root = tempfile::tempdir().expect("a directory");
        let path = root.path().join("data");
        fs::create_dir(&path).expect("made");
        let held = OpenDirectory::open(&path).expect("there");
        let identity = held.identity().expect("held");
        fs::remove_dir(&path).expect("removed");
        fs::create_dir(&path).expect("made");
        let successor = OpenDirectory::open(&path).expect("there");
        assert_ne!(successor.identity().expect("there"), identity);
    }
}
