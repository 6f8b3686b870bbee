//! A directory with one socket for each process that answers there.
//!
//! Names are the processes' own choice and say nothing: containers that share the directory have process
//! ids of their own. Whoever looks removes what dead processes left.

use std::fs;
use std::io;
use std::os::unix::fs::FileTypeExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::socket::listen_as_root;
use super::{Lock, close_directory, create_root_only_directory, random_bytes};

/// Others hold the lock for as long as it takes to connect to a few sockets.
const LOCK_WAIT: Duration = Duration::from_secs(5);

/// Listens at a new socket in that directory, which is made if it is missing, for root alone.
///
/// # Errors
/// The kernel's own, and where another process keeps the directory locked.
pub fn listen_in(directory: &Path) -> io::Result<(PathBuf, UnixListener)> {
    create_root_only_directory(directory)?;
    let _lock = locked(directory)?;
    connect_each(directory)?;
    let [one, two, three, four, ..] = random_bytes()?;
    let mine = u32::from_le_bytes([one, two, three, four]);
    let path = directory.join(format!("{}-{mine:08x}.sock", std::process::id()));
    let listener = listen_as_root(&path)?;
    Ok((path, listener))
}

/// A connection to every process that listens in that directory, in the order of the sockets' names; none
/// where there is no such directory.
pub fn connect_all(directory: &Path) -> io::Result<Vec<(PathBuf, UnixStream)>> {
    if !directory.try_exists()? {
        return Ok(Vec::new());
    }
    // Whoever could put a socket there would be asked, and believed.
    close_directory(directory)?;
    // A socket that is bound and not yet listened at looks like a dead one.
    let _lock = locked(directory)?;
    connect_each(directory)
}

fn locked(directory: &Path) -> io::Result<Lock> {
    Lock::acquire(&directory.join(".lock"), Instant::now() + LOCK_WAIT).map_err(io::Error::other)
}

fn connect_each(directory: &Path) -> io::Result<Vec<(PathBuf, UnixStream)>> {
    let mut paths = Vec::new();
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        if entry.file_type()?.is_socket() {
            paths.push(entry.path());
        }
    }
    paths.sort();
    let mut connected = Vec::new();
    for path in paths {
        match UnixStream::connect(&path) {
            Ok(stream) => connected.push((path, stream)),
            Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
                fs::remove_file(&path)?;
            }
            // It has just ended by itself.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    Ok(connected)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn the_living_are_found_and_what_the_dead_left_is_removed() {
        let root = tempfile::tempdir().expect("a directory");
        let directory = root.path().join("serve");
        assert!(connect_all(&directory).expect("nobody").is_empty());
        let (alive, _listener) = listen_in(&directory).expect("the first");
        let (dead, listener) = listen_in(&directory).expect("the second");
        assert_ne!(alive, dead);
        drop(listener);
        let found = connect_all(&directory).expect("looked at");
        let paths: Vec<&PathBuf> = found.iter().map(|(path, _)| path).collect();
        assert_eq!(paths, [&alive]);
        assert!(!dead.exists() && alive.exists());
    }

    #[test]
    fn only_root_may_look_and_what_is_no_socket_stays() {
        let root = tempfile::tempdir().expect("a directory");
        let directory = root.path().join("serve");
        let (path, _listener) = listen_in(&directory).expect("listens");
        for path in [&directory, &path] {
            let mode = fs::metadata(path).expect("there").permissions().mode();
            assert_eq!(mode & 0o077, 0, "{}", path.display());
        }
        let file = directory.join("file.sock");
        fs::write(&file, "precious").expect("written");
        assert_eq!(connect_all(&directory).expect("looked at").len(), 1);
        assert_eq!(fs::read(&file).expect("still there"), b"precious");
    }
}
