//! Unix sockets that only root may connect to.

use std::fs::{File, Permissions};
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;
use std::path::Path;

use nix::errno::Errno;
use nix::sys::socket::{
    AddressFamily, Backlog, SockFlag, SockType, UnixAddr, bind, connect, listen, socket,
};

/// Listens at that path, where nothing may lie yet.
///
/// # Errors
/// The kernel's own.
pub(super) fn listen_as_root(path: &Path) -> io::Result<UnixListener> {
    let address = UnixAddr::new(path)?;
    let socket = File::from(stream_socket(SockFlag::empty())?);
    // Linux makes the name with the mode that the socket has, less the umask. Changed afterwards, others could
    // connect in between; and the umask is that of all threads.
    socket.set_permissions(Permissions::from_mode(0o600))?;
    bind(socket.as_raw_fd(), &address)?;
    listen(&socket, Backlog::MAXALLOWABLE)?;
    Ok(UnixListener::from(OwnedFd::from(socket)))
}

/// Whether a process listens there. It sees somebody who connects and says nothing.
///
/// # Errors
/// The kernel's own.
pub fn is_listened_at(path: &Path) -> io::Result<bool> {
    // One that has no room for callers lets others wait.
    let socket = stream_socket(SockFlag::SOCK_NONBLOCK)?;
    match connect(socket.as_raw_fd(), &UnixAddr::new(path)?) {
        Ok(()) | Err(Errno::EAGAIN) => Ok(true),
        Err(Errno::ECONNREFUSED | Errno::ENOENT) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

fn stream_socket(flags: SockFlag) -> io::Result<OwnedFd> {
    let flags = flags | SockFlag::SOCK_CLOEXEC;
    Ok(socket(AddressFamily::Unix, SockType::Stream, flags, None)?)
}
