//! Small files of sysfs, which are kept open.
//!
//! To find one by its path takes the kernel ten times as long as to read it again. What is kept can tell nothing
//! stale: sysfs makes up the content for each reading from the start, and answers ENODEV once the thing that
//! a file belonged to is gone, also where another has taken its name since.

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::sync::{Mutex, PoisonError};

/// More disks than a node can have attached; beyond, all are looked for again.
const MOST: usize = 256;

/// What such a file holds at most, in bytes: one number.
const LONGEST: usize = 32;

/// Files by what they tell and of what.
#[derive(Debug)]
pub(super) struct FileCache(Mutex<BTreeMap<String, File>>);

impl FileCache {
    pub(super) const fn none() -> Self {
        Self(Mutex::new(BTreeMap::new()))
    }

    /// The number in the file that is kept under that name, or is found now.
    ///
    /// # Errors
    /// Where it cannot be found or read.
    pub(super) fn number(
        &self,
        name: &str,
        find: impl FnOnce() -> io::Result<File>,
    ) -> io::Result<u64> {
        let mut files = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(kept) = files.get(name) {
            match read(kept) {
                Ok(number) => return Ok(number),
                Err(_) => files.remove(name),
            };
        }
        let found = find()?;
        let number = read(&found)?;
        if files.len() >= MOST {
            files.clear();
        }
        files.insert(name.to_owned(), found);
        Ok(number)
    }
}

fn read(file: &File) -> io::Result<u64> {
    let mut content = [0; LONGEST];
    let length = file.read_at(&mut content, 0)?;
    let text = str::from_utf8(content.get(..length).unwrap_or_default());
    let number = text.ok().and_then(|text| text.trim().parse().ok());
    number.ok_or_else(|| io::ErrorKind::InvalidData.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn a_kept_file_tells_what_is_in_it_now_and_is_looked_for_once() {
        let scratch = tempfile::tempdir().expect("a directory");
        let path = scratch.path().join("diskseq");
        let files = FileCache::none();
        fs::write(&path, "9\n").expect("writable");
        assert_eq!(files.number("7:0", || File::open(&path)).expect("9"), 9);
        fs::write(&path, "10\n").expect("writable");
        let never = || panic!("it is kept");
        assert_eq!(files.number("7:0", never).expect("10"), 10);
    }

    #[test]
    fn what_can_no_longer_be_read_is_looked_for_again() {
        let scratch = tempfile::tempdir().expect("a directory");
        let path = scratch.path().join("diskseq");
        let files = FileCache::none();
        // Of what is gone sysfs lets nothing be read; so does this, because it was opened for writing alone.
        let gone = || File::create(&path);
        files.number("7:0", gone).expect_err("not readable");
        fs::write(&path, "9\n").expect("writable");
        assert_eq!(files.number("7:0", || File::open(&path)).expect("9"), 9);
    }

    #[test]
    fn no_more_files_are_kept_than_a_node_has_disks() {
        let scratch = tempfile::tempdir().expect("a directory");
        let path = scratch.path().join("diskseq");
        fs::write(&path, "9\n").expect("writable");
        let files = FileCache::none();
        for disk in 0..=2 * MOST {
            let name = disk.to_string();
            files.number(&name, || File::open(&path)).expect("9");
        }
        let kept = files.0.lock().expect("no panic");
        assert!(kept.len() <= MOST);
    }
}
