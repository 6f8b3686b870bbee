//! Which archives were made here.
//!
//! A guest can write an archive as it can write any file. What only those who use a volume may have given to its files is
//! believed of bytes alone that [`super::pack::archive_tree`] wrote: their digests are noted in the driver's state directory,
//! where no guest writes. An archive's name means nothing here, so that it may be moved.

use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use crate::sys::{create_root_only_directory, write_durably};
use crate::worker::{Fault, FaultKind};

/// Only archives that hold something to be believed are noted, and nobody says when one is gone.
const MAX_RECORDS: usize = 10_000;

/// So that they are not listed and sorted for each new one.
const FORGOTTEN_AT_ONCE: usize = MAX_RECORDS / 10;

/// The notes of one driver.
#[derive(Debug)]
pub(in super::super) struct Records(PathBuf);

impl Records {
    /// In the directory where what must survive a worker is noted.
    pub(in super::super) fn beneath(notes: &Path) -> Self {
        Self(notes.join("archives"))
    }

    /// Notes an archive that is whole, before anybody can find it. The oldest are forgotten beyond a bound.
    pub(super) fn note(&self, digest: &str) -> Result<(), Fault> {
        create_root_only_directory(&self.0)
            .and_then(|()| write_durably(&self.0.join(digest), b""))
            .and_then(|()| self.forget_beyond(MAX_RECORDS, FORGOTTEN_AT_ONCE))
            .map_err(|error| unnoted(&error))
    }

    /// Whether an archive of these bytes was made here.
    pub(super) fn has(&self, digest: &str) -> Result<bool, Fault> {
        match fs::symlink_metadata(self.0.join(digest)) {
            Ok(_) => Ok(true),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
            Err(error) => Err(unnoted(&error)),
        }
    }

    fn forget_beyond(&self, bound: usize, at_once: usize) -> io::Result<()> {
        if fs::read_dir(&self.0)?.count() <= bound {
            return Ok(());
        }
        let mut found = fs::read_dir(&self.0)?
            .map(|entry| entry.and_then(|entry| Ok((age(&entry)?, entry.path()))))
            .collect::<io::Result<Vec<_>>>()?;
        found.sort();
        for (_, path) in found.into_iter().take(at_once) {
            // Best effort: another job forgets them too.
            let _ = fs::remove_file(path);
        }
        Ok(())
    }
}

fn age(entry: &fs::DirEntry) -> io::Result<SystemTime> {
    match entry.metadata() {
        Ok(metadata) => metadata.modified(),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(SystemTime::UNIX_EPOCH),
        Err(error) => Err(error),
    }
}

fn unnoted(error: &io::Error) -> Fault {
    Fault::new(
        FaultKind::Other,
        format!("cannot keep a record of archives in the driver's state: {error}"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_noted_is_known_and_nothing_else() {
        let scratch = tempfile::tempdir().expect("a directory");
        let records = Records::beneath(scratch.path());
        assert_eq!(records.has("a1"), Ok(false));
        records.note("a1").expect("noted");
        records.note("a1").expect("noted again");
        assert_eq!(
            (records.has("a1"), records.has("b2")),
            (Ok(true), Ok(false))
        );
    }

    #[test]
    fn the_oldest_are_forgotten_beyond_the_bound() {
        let scratch = tempfile::tempdir().expect("a directory");
        let records = Records::beneath(scratch.path());
        for (age, digest) in ["old", "older", "new"].into_iter().enumerate() {
            records.note(digest).expect("noted");
            let seconds = [2, 1, 3][age];
            let time = SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(seconds);
            let file = fs::File::open(records.0.join(digest)).expect("there");
            file.set_modified(time).expect("set");
        }
        records.forget_beyond(3, 1).expect("room");
        assert_eq!(records.has("older"), Ok(true));
        records.forget_beyond(2, 1).expect("forgotten");
        let left = ["old", "older", "new"].map(|digest| records.has(digest));
        assert_eq!(left, [Ok(true), Ok(false), Ok(true)]);
    }
}
