//! Which form the state directory has: `state/format`, a number in a file.
//!
//! It rises when an earlier host would misread what a later one keeps there, or lose what it does not know. So a host
//! that meets a later number touches nothing.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use super::Paths;
use crate::sys;

/// The form that this host keeps. Hosts from before there was a number keep it too.
const FORMAT: u32 = 1;

/// A number, and more than any text that is taken for one.
const MAX_LENGTH: u64 = 64;

/// Why the state of this node is not for this host to use. Nothing of it was touched.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the names of the fields say it")]
pub enum StateError {
    /// A later host was here.
    #[error(
        "the state in {} has format {found}, and this host knows formats up to {FORMAT}: a later drivebay keeps it. Nothing was touched. Install that drivebay again; or, once nothing of its is mounted or attached any more, move the directory away",
        state.display()
    )]
    Later { state: PathBuf, found: u32 },
    /// It says nothing that any host would write.
    #[error(
        "{} says {text:?}, which is no format of a state directory. Nothing was touched. Write there what the drivebay wrote that was last used on this node; this one writes {FORMAT}",
        file.display()
    )]
    Corrupt { file: PathBuf, text: String },
    /// It cannot be read.
    #[error("cannot read which format the state has from {}", file.display())]
    Unreadable { file: PathBuf, source: io::Error },
    /// Others could have a hand in it.
    #[error(transparent)]
    Untrusted(#[from] io::Error),
}

/// What a state directory says of itself.
#[derive(Debug, PartialEq, Eq)]
enum Noted {
    Known,
    /// It is missing, new, or that of a host from before there was a number.
    Nothing,
}

impl Paths {
    /// Whether the state of this node is for this host to use. One read; nothing is changed.
    ///
    /// # Errors
    /// [`StateError`], but not [`StateError::Untrusted`].
    pub fn check_state(&self) -> Result<(), StateError> {
        self.noted().map(|_| ())
    }

    /// Sees to it that what the host itself keeps is this host's to use, and that nobody else may write it. To be called
    /// once a process, before anything there is relied on. Where nothing says yet which host's it is, this one says so.
    ///
    /// # Errors
    /// [`StateError`].
    pub fn close(&self) -> Result<(), StateError> {
        let noted = self.noted()?;
        self.close_roots()?;
        match noted {
            Noted::Known => Ok(()),
            Noted::Nothing => self.note(),
        }
    }

    fn noted(&self) -> Result<Noted, StateError> {
        let file = self.format_file();
        let text = match read(&file) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Noted::Nothing),
            Err(source) => return Err(StateError::Unreadable { file, source }),
            Ok(text) => text,
        };
        match parse(&text) {
            None => Err(StateError::Corrupt { file, text }),
            Some(1..=FORMAT) => Ok(Noted::Known),
            Some(found) => {
                let state = self.state.clone();
                Err(StateError::Later { state, found })
            }
        }
    }

    /// A full disk keeps nobody from unmounting: then the next process notes it.
    fn note(&self) -> Result<(), StateError> {
        let file = self.format_file();
        let Err(error) = write(&file) else {
            return Ok(());
        };
        // Another process may have been quicker, maybe one of a later host.
        if self.noted()? == Noted::Nothing {
            tracing::warn!(%error, file = %file.display(), "cannot note which format the state has");
        }
        Ok(())
    }

    fn format_file(&self) -> PathBuf {
        self.state.join("format")
    }
}

fn read(file: &Path) -> io::Result<String> {
    let mut bytes = Vec::new();
    File::open(file)?.take(MAX_LENGTH).read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// Digits, as a host writes them, and the end of a line that an editor adds.
fn parse(text: &str) -> Option<u32> {
    let digits = text.trim_ascii_end();
    let is_plain = digits.starts_with(|first: char| ('1'..='9').contains(&first));
    digits.parse().ok().filter(|_| is_plain)
}

fn write(file: &Path) -> io::Result<()> {
    let state = file.parent().unwrap_or(Path::new("/"));
    if !fs::exists(state)? {
        sys::create_root_only_directory(state)?;
    }
    sys::create_durably(file, format!("{FORMAT}\n").as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The directory goes with the first value.
    fn paths() -> (tempfile::TempDir, Paths) {
        let root = tempfile::tempdir().expect("a directory");
        let paths = Paths::beneath(root.path());
        (root, paths)
    }

    fn paths_that_say(text: &[u8]) -> (tempfile::TempDir, Paths) {
        let (root, paths) = paths();
        fs::create_dir(&paths.state).expect("writable");
        fs::write(paths.format_file(), text).expect("writable");
        (root, paths)
    }

    #[test]
    fn a_new_state_and_that_of_an_earlier_host_get_the_number() {
        for made_before in [true, false] {
            let (_root, paths) = paths();
            if made_before {
                fs::create_dir_all(paths.journal()).expect("writable");
            }
            paths.check_state().expect("nothing says otherwise");
            assert!(!paths.format_file().exists());
            paths.close().expect("ours");
            assert_eq!(fs::read(paths.format_file()).expect("there"), b"1\n");
            let entries = fs::read_dir(&paths.state).expect("readable").count();
            assert_eq!(entries, 1 + usize::from(made_before));
            paths.close().expect("known");
        }
    }

    #[test]
    fn a_later_number_is_refused_with_both_numbers_and_nothing_is_touched() {
        let (_root, paths) = paths_that_say(b"7\n");
        for refusal in [paths.check_state(), paths.close()] {
            let error = refusal.expect_err("later").to_string();
            assert!(
                error.contains("format 7") && error.contains("formats up to 1"),
                "{error}"
            );
        }
        assert_eq!(fs::read(paths.format_file()).expect("there"), b"7\n");
        assert!(!paths.run.exists());
    }

    #[test]
    fn what_no_host_writes_is_refused_and_stays() {
        for text in [
            &b""[..],
            b"0",
            b"+1",
            b" 1",
            b"-1",
            b"1.0",
            b"one",
            b"\xff",
            b"99999999999",
            &[b'1'; 100],
        ] {
            let (_root, paths) = paths_that_say(text);
            let error = paths.close().expect_err("no number");
            assert!(matches!(error, StateError::Corrupt { .. }), "{error}");
            assert_eq!(fs::read(paths.format_file()).expect("there"), text);
        }
    }

    #[test]
    fn what_cannot_be_read_is_refused() {
        let (_root, paths) = paths();
        fs::create_dir_all(paths.format_file()).expect("writable");
        let error = paths.close().expect_err("a directory");
        assert!(matches!(error, StateError::Unreadable { .. }), "{error}");
    }

    #[test]
    fn where_it_cannot_be_noted_the_state_is_used_all_the_same() {
        let (_root, paths) = paths();
        fs::create_dir(&paths.state).expect("writable");
        std::os::unix::fs::symlink("nowhere/at/all", paths.format_file()).expect("writable");
        let written = write(&paths.format_file()).expect_err("a link lies there");
        assert_eq!(written.kind(), io::ErrorKind::AlreadyExists);
        paths.close().expect("nothing says otherwise");
    }
}
