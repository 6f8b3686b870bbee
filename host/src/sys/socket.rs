//! The socket that CSI's callers connect to.

use std::fs;
use std::io;
use std::os::unix::fs::FileTypeExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;

use nix::sys::stat::{Mode, umask};

use super::check_directory;

/// Listens at that path, for root alone. Nothing else is made there, as CSI wants it. A socket that a dead
/// process left is replaced; one that is alive, and anything that is not a socket, is not.
///
/// To be called before there are threads: for a moment it changes the mode of whatever this process makes.
///
/// # Errors
/// `AddrInUse` where another process listens or something else lies there; the kernel's own.
pub fn listen_at(path: &Path) -> io::Result<UnixListener> {
    remove_stale(path)?;
    // Not refused: volumes of pods (emptyDir) are everybody's to write, and nobody else is in such a pod.
    if let Err(error) = check_directory(path.parent().unwrap_or(Path::new("/"))) {
        tracing::warn!(%error, socket = %path.display(), "others can put a socket of theirs in this one's place");
    }
    let before = umask(Mode::from_bits_truncate(0o077));
    let listener = UnixListener::bind(path);
    umask(before);
    listener
}

fn remove_stale(path: &Path) -> io::Result<()> {
    let in_use = |reason: &str| Err(io::Error::new(io::ErrorKind::AddrInUse, reason));
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
        Ok(found) if !found.file_type().is_socket() => {
            return in_use("something that is not a socket lies there");
        }
        Ok(_) => {}
    }
    match UnixStream::connect(path) {
        Ok(_) => in_use("another process listens there"),
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => fs::remove_file(path),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_stale_socket_is_replaced_and_only_root_may_connect() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("csi.sock");
        drop(listen_at(&path).expect("the first"));
        let _listener = listen_at(&path).expect("the second");
        let mode = fs::metadata(&path).expect("there").permissions().mode();
        assert_eq!(mode & 0o077, 0);
        assert_eq!(fs::read_dir(directory.path()).expect("readable").count(), 1);
    }

    #[test]
    fn what_is_alive_or_no_socket_stays() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("csi.sock");
        let _listener = listen_at(&path).expect("the first");
        let error = listen_at(&path).expect_err("alive");
        assert_eq!(error.kind(), io::ErrorKind::AddrInUse);
        let file = directory.path().join("file.sock");
        fs::write(&file, "precious").expect("written");
        assert!(listen_at(&file).is_err());
        assert_eq!(fs::read(&file).expect("still there"), b"precious");
    }
}
