//! Counting over all processes of this machine: every call-out is one of its own.

use std::io::{Read, Seek, Write};
use std::path::Path;
use std::time::Instant;

use super::{Lock, LockError};

/// Two numbers.
const MAX_TEXT: u64 = 64;

/// How many there were, this one included, in the window that `window` numbers; windows before it are
/// forgotten. The file belongs on a tmpfs: it matters for a minute.
///
/// # Errors
/// Where the file cannot be locked until the deadline, or not written.
pub fn count_in_window(path: &Path, window: u64, deadline: Instant) -> Result<u32, LockError> {
    let lock = Lock::acquire(path, deadline)?;
    let io = |source| LockError::Io {
        path: path.to_owned(),
        source,
    };
    // The file that is locked, whatever has its name by now.
    let mut file = lock.file();
    // Killed in the midst of writing, it is empty or short: a count that begins anew harms nobody.
    let mut text = String::new();
    let _ = file.take(MAX_TEXT).read_to_string(&mut text);
    let count = counted(&text, window).saturating_add(1);
    file.set_len(0)
        .and_then(|()| file.rewind())
        .and_then(|()| file.write_all(format!("{window} {count}\n").as_bytes()))
        .map_err(io)?;
    Ok(count)
}

fn counted(text: &str, window: u64) -> u32 {
    let mut words = text.split_whitespace();
    let same = words.next().and_then(|word| word.parse().ok()) == Some(window);
    let count = words.next().and_then(|word| word.parse().ok());
    count.filter(|_| same).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn soon() -> Instant {
        Instant::now() + Duration::from_secs(5)
    }

    #[test]
    fn every_window_begins_at_one() {
        let directory = tempfile::tempdir().expect("a directory");
        let file = directory.path().join("rates/nfs/ecs");
        let counts = [7, 7, 7, 8, 8, 7].map(|window| {
            count_in_window(&file, window, soon()).unwrap_or_else(|error| panic!("{error}"))
        });
        assert_eq!(counts, [1, 2, 3, 1, 2, 1]);
    }

    #[test]
    fn callers_at_the_same_time_are_all_counted() {
        let directory = tempfile::tempdir().expect("a directory");
        let file = directory.path().join("ecs");
        let count = || count_in_window(&file, 1, soon()).unwrap_or_default();
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    for _ in 0..5 {
                        count();
                    }
                });
            }
        });
        assert_eq!(count(), 41);
    }

    #[test]
    fn a_damaged_file_counts_as_none() {
        for text in ["", "7", "x y", "7 -1", "seven 3"] {
            assert_eq!(counted(text, 7), 0, "{text:?}");
        }
        assert_eq!(counted("7 3\n", 7), 3);
    }
}
