//! `.installed`: which files of a copy were written by us, and what was in them; one line each, as `sha256sum` has them.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::sys;

const FILE: &str = ".installed";

/// By path beneath the directory: the digests that a file of ours can have. Two while it is being replaced.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Written(BTreeMap<PathBuf, BTreeSet<String>>);

impl Written {
    /// As it was kept last. A line that says nothing is nobody's.
    pub(super) fn read(directory: &Path) -> io::Result<Self> {
        let text = match sys::read_trusted(&directory.join(FILE)) {
            Ok(text) => text,
            Err(sys::TrustError::Io(error)) if error.kind() == io::ErrorKind::NotFound => {
                return Ok(Self::default());
            }
            Err(error) => {
                let reason = format!("{}: {error}", directory.join(FILE).display());
                return Err(io::Error::other(reason));
            }
        };
        let mut written = Self::default();
        for line in String::from_utf8_lossy(&text).lines() {
            if let Some((digest, place)) = line.split_once("  ") {
                written.add(Path::new(place), digest);
            }
        }
        Ok(written)
    }

    pub(super) fn keep(&self, directory: &Path) -> io::Result<()> {
        let mut text = String::new();
        for (place, digests) in &self.0 {
            for digest in digests {
                text += &format!("{digest}  {}\n", place.display());
            }
        }
        let file = directory.join(FILE);
        sys::remove_leftovers(directory, &file);
        match text.is_empty() {
            true => match fs::remove_file(&file) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
                _ => Ok(()),
            },
            false => sys::write_durably(&file, text.as_bytes()),
        }
    }

    pub(super) fn has(&self, place: &Path, digest: &str) -> bool {
        let digests = self.0.get(place);
        digests.is_some_and(|digests| digests.contains(digest))
    }

    pub(super) fn add(&mut self, place: &Path, digest: &str) {
        let digests = self.0.entry(place.to_owned()).or_default();
        digests.insert(digest.to_owned());
    }

    /// It has that content alone from now on.
    pub(super) fn settle(&mut self, place: &Path, digest: &str) {
        let digests = BTreeSet::from([digest.to_owned()]);
        self.0.insert(place.to_owned(), digests);
    }

    pub(super) fn forget(&mut self, place: &Path) {
        self.0.remove(place);
    }

    pub(super) fn places(&self, is_meant: impl Fn(&Path) -> bool) -> Vec<PathBuf> {
        let places = self.0.keys().filter(|place| is_meant(place));
        places.cloned().collect()
    }
}
