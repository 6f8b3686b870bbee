//! Files that are locked, and waiting for their locks.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;
use std::time::{Duration, Instant};

use nix::fcntl::OFlag;

use super::directory::{create_once, create_root_only_directory};

/// The first pause; each is twice the one before.
const SHORTEST: Duration = Duration::from_millis(1);

const LONGEST: Duration = Duration::from_millis(50);

/// In a directory that is ours alone, so that nobody else has put a link there, which would lead a worker's last
/// words into another file. What it is, [`has_name`] tells.
pub(super) fn open(path: &Path) -> io::Result<File> {
    let directory = path.parent().unwrap_or(Path::new("/"));
    create_once(directory)?;
    let mut options = OpenOptions::new();
    options
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .custom_flags(OFlag::O_NOFOLLOW.bits())
        .mode(0o600);
    match options.open(path) {
        // Somebody removed it since.
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            create_root_only_directory(directory)?;
            options.open(path)
        }
        opened => opened,
    }
}

/// Whether an open file has its name still: it has one, and nobody gives it another.
///
/// # Errors
/// Where it is no file of its own.
pub(super) fn has_name(file: &File) -> io::Result<bool> {
    let found = file.metadata()?;
    match (found.is_file(), found.nlink()) {
        (true, 1) => Ok(true),
        (true, 0) => Ok(false),
        _ => Err(io::Error::other(
            "it is no file of its own; remove what lies there",
        )),
    }
}

/// Tries until it is had, or the next attempt would come after the deadline. At least once.
pub(crate) fn try_until<T, E>(
    deadline: Instant,
    mut attempt: impl FnMut() -> Result<Option<T>, E>,
) -> Result<Option<T>, E> {
    let mut pause = SHORTEST;
    loop {
        if let Some(had) = attempt()? {
            return Ok(Some(had));
        }
        if Instant::now() + pause >= deadline {
            return Ok(None);
        }
        std::thread::sleep(pause);
        pause = (pause * 2).min(LONGEST);
    }
}
