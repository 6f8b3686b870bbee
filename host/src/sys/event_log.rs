//! Events of all processes of this machine, one byte each, in a file that keeps the last of them.
//!
//! What is counted so is counted in each call, and call-outs live for a millisecond: nobody waits for a lock, and
//! nothing is synced. The file belongs on a tmpfs. Who adds at the moment at which another process cuts the file back
//! may lose its byte, one in some thousand.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Seek, Write};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use nix::fcntl::OFlag;

use super::directory::create_root_only_directory;
use super::file_cache::if_there;

/// How many of the last events are kept at least, where there were so many.
pub const LAST_EVENTS: usize = 4096;

/// So long the file gets before it is cut back.
const LONGEST: u64 = 2 * LAST_EVENTS as u64;

/// A file of events, opened with the first that is added.
#[derive(Debug)]
pub struct EventLog {
    path: PathBuf,
    file: Mutex<Option<File>>,
}

impl EventLog {
    /// At that path, of which nothing is touched yet.
    pub fn at(path: PathBuf) -> Self {
        Self {
            path,
            file: Mutex::default(),
        }
    }

    /// Adds an event after all others.
    ///
    /// # Errors
    /// The file system's; where something else has the file's name.
    pub fn add(&self, event: u8) -> io::Result<()> {
        let mut opened = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        let mut file = match &*opened {
            Some(file) => file,
            None => opened.insert(open(&self.path)?),
        };
        file.write_all(&[event])?;
        // Appending leaves the position behind what was added, wherever that came to lie.
        match file.stream_position()? {
            length if length >= LONGEST => cut(file, length),
            _ => Ok(()),
        }
    }

    /// All that are kept, the last one last.
    ///
    /// # Errors
    /// The file system's.
    pub fn read(path: &Path) -> io::Result<Vec<u8>> {
        Ok(if_there(fs::read(path))?.unwrap_or_default())
    }

    /// Forgets all events; processes that have the file open go on adding to it.
    ///
    /// # Errors
    /// The file system's.
    pub fn begin_anew(path: &Path) -> io::Result<()> {
        let mut options = OpenOptions::new();
        options.write(true).custom_flags(OFlag::O_NOFOLLOW.bits());
        if_there(options.open(path).and_then(|file| file.set_len(0))).map(drop)
    }
}

/// In a directory that is ours alone, as locks' files are.
fn open(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options
        .read(true)
        .append(true)
        .create(true)
        .custom_flags(OFlag::O_NOFOLLOW.bits() | OFlag::O_NONBLOCK.bits())
        .mode(0o600);
    let file = match options.open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            create_root_only_directory(path.parent().unwrap_or(Path::new("/")))?;
            options.open(path)?
        }
        opened => opened?,
    };
    match file.metadata()?.is_file() {
        true => Ok(file),
        false => Err(io::Error::other("it is no file; remove what lies there")),
    }
}

fn cut(mut file: &File, length: u64) -> io::Result<()> {
    let mut kept = vec![0; LAST_EVENTS];
    let from = length.saturating_sub(LAST_EVENTS as u64);
    match file.read_exact_at(&mut kept, from) {
        // Another process has cut it back already.
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(()),
        read => read?,
    }
    file.set_len(0)?;
    file.write_all(&kept)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event_log() -> (tempfile::TempDir, EventLog) {
        let directory = tempfile::tempdir().expect("a directory");
        let event_log = EventLog::at(directory.path().join("calls/nfs/a"));
        (directory, event_log)
    }

    #[test]
    fn events_of_several_who_have_the_file_open_are_all_there() {
        let (_directory, event_log) = event_log();
        assert_eq!(EventLog::read(&event_log.path).expect("none"), b"");
        let other = EventLog::at(event_log.path.clone());
        for event in *b"abc" {
            event_log.add(event).expect("writable");
            other.add(b'.').expect("writable");
        }
        assert_eq!(
            EventLog::read(&event_log.path).expect("readable"),
            b"a.b.c."
        );
    }

    #[test]
    fn what_begins_anew_is_counted_by_those_who_had_it_open() {
        let (_directory, event_log) = event_log();
        EventLog::begin_anew(&event_log.path).expect("nothing yet");
        event_log.add(b'a').expect("writable");
        EventLog::begin_anew(&event_log.path).expect("ours");
        event_log.add(b'b').expect("writable");
        assert_eq!(EventLog::read(&event_log.path).expect("readable"), b"b");
    }

    #[test]
    fn the_last_of_very_many_are_kept_and_the_file_stays_small() {
        let (_directory, event_log) = event_log();
        let many = 5 * LAST_EVENTS + 7;
        let event_of = |number: usize| [b'a', b'b'][number % 2];
        for event in 0..many {
            event_log.add(event_of(event)).expect("writable");
            let length = fs::metadata(&event_log.path).expect("there").len();
            assert!(length < LONGEST, "{length} after {event}");
        }
        let kept = EventLog::read(&event_log.path).expect("readable");
        assert!(kept.len() >= LAST_EVENTS);
        let is_last = |(back, event): (usize, &u8)| *event == event_of(many - 1 - back);
        assert!(kept.iter().rev().enumerate().all(is_last));
    }

    #[test]
    fn a_link_gets_no_event() {
        let directory = tempfile::tempdir().expect("a directory");
        let (path, precious) = (
            directory.path().join("a"),
            directory.path().join("precious"),
        );
        fs::write(&precious, "kept").expect("writable");
        std::os::unix::fs::symlink(&precious, &path).expect("writable");
        assert!(EventLog::at(path.clone()).add(b'x').is_err());
        assert!(EventLog::begin_anew(&path).is_err());
        assert_eq!(fs::read_to_string(&precious).expect("there"), "kept");
    }
}
