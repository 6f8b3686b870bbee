//! A symlink that is held open.
//!
//! Which of several files counts is decided by renaming a link over the one before. To ask the one that is held whether it
//! is there still costs less than looking its name up and reading it.

use std::ffi::OsString;
use std::fs::File;
use std::io;
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, Mode, OFlags, openat, readlinkat};

use super::file_identity::FileIdentity;

/// What leads somewhere, and where.
#[derive(Debug)]
pub struct HeldLink {
    link: File,
    identity: FileIdentity,
    target: PathBuf,
}

impl HeldLink {
    /// The link that has that name now.
    ///
    /// # Errors
    /// Where there is none.
    pub fn open(path: &Path) -> io::Result<Self> {
        let itself = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let link = openat(CWD, path, itself, Mode::empty())?;
        let target = readlinkat(&link, "", Vec::new())?;
        let link = File::from(link);
        Ok(Self {
            identity: FileIdentity::from(&link.metadata()?),
            link,
            target: OsString::from_vec(target.into_bytes()).into(),
        })
    }

    /// Where it leads.
    pub fn target(&self) -> &Path {
        &self.target
    }

    /// Whether it still has a name, which nothing else was given since.
    pub fn is_there(&self) -> bool {
        let now = self.link.metadata();
        now.is_ok_and(|now| FileIdentity::from(&now) == self.identity)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn a_link_is_there_until_another_has_its_name_or_it_is_moved_or_removed() {
        let directory = tempfile::tempdir().expect("a directory");
        let (link, beside) = (
            directory.path().join("link"),
            directory.path().join("beside"),
        );
        let make = |target: &str| {
            symlink(target, &beside).expect("writable");
            fs::rename(&beside, &link).expect("writable");
            HeldLink::open(&link).expect("there")
        };
        let first = make("nowhere/a");
        assert_eq!(first.target(), Path::new("nowhere/a"));
        assert!(first.is_there() && first.is_there());
        let second = make("nowhere/b");
        assert!(!first.is_there() && second.is_there());
        fs::remove_file(&link).expect("there");
        assert!(!second.is_there());
        let third = make("nowhere/a");
        std::thread::sleep(std::time::Duration::from_millis(20));
        fs::rename(&link, &beside).expect("writable");
        assert!(!third.is_there());
    }

    #[test]
    fn what_is_no_link_is_not_held() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("file");
        HeldLink::open(&path).expect_err("nothing there");
        fs::write(&path, "").expect("writable");
        HeldLink::open(&path).expect_err("no link");
    }
}
