//! The name at which callers find a process, which goes from one process to the next without ever being missing.
//!
//! The next process listens at a name beside it and renames that over the name. Whoever connects meets one process or
//! the other, and both accept: the one before goes on listening at a socket that has no name any more.
//!
//! Names change under a lock of their directory, which is of the directory itself, because CSI forbids a driver to make
//! anything beside its socket: between looking whose a name is and taking it away nobody takes it over, and a socket
//! that still has its name from before the rename was left by a process that was killed.

use std::fs::{self, DirEntry, File, Metadata, OpenOptions};
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::fcntl::OFlag;

use super::lock_file::try_until;
use super::socket::{is_listened_at, listen_as_root};
use super::{check_directory, random_bytes};

/// Others hold the directory for as long as it takes to bind and to rename.
const LOCK_WAIT: Duration = Duration::from_secs(2);

/// kubelet looks within a millisecond, unless its node is busy.
const TIME_TO_LOOK: Duration = Duration::from_millis(50);

/// How the name of a socket begins and ends that has not got its own yet.
const ASIDE: (&str, &str) = (".drivebay-", ".sock");

/// A path that leads callers to a socket of this process, until another one takes it over. Dropped, it is given up.
#[derive(Debug)]
pub struct SocketName {
    path: PathBuf,
    onlooker: Onlooker,
    /// What the name led to when it was taken. Kept open: the number of a file that is gone is given to the next one.
    socket: File,
}

/// Whether somebody looks at each name that comes into the directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Onlooker {
    Nobody,
    /// kubelet, which passes over names that begin with a dot and logs an error for one that is gone when it looks.
    Kubelet,
}

/// What a path led to before it was taken over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Predecessor {
    /// Nothing, or what a dead process left.
    Nobody,
    /// A process that listens. It keeps the callers that it has.
    Alive,
}

/// To whom a name leads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NameHolder {
    /// To the socket of this process.
    Own,
    /// It is gone, or leads to a process that has ended.
    Nobody,
    /// To another process that listens, or to what is not a socket and so none of ours to remove.
    Another,
}

impl SocketName {
    /// Listens at that path, for root alone, in the place of whoever listens there now.
    ///
    /// # Errors
    /// `AddrInUse` where something lies there that is not a socket; `TimedOut` where others keep the directory
    /// locked; the kernel's own.
    pub fn take_over(path: &Path) -> io::Result<(Self, UnixListener, Predecessor)> {
        Self::take_over_before(Onlooker::Nobody, path)
    }

    /// The same in a directory that kubelet watches.
    ///
    /// # Errors
    /// As [`Self::take_over`].
    pub fn take_over_in_sight(path: &Path) -> io::Result<(Self, UnixListener, Predecessor)> {
        Self::take_over_before(Onlooker::Kubelet, path)
    }

    fn take_over_before(
        onlooker: Onlooker,
        path: &Path,
    ) -> io::Result<(Self, UnixListener, Predecessor)> {
        // Not refused: volumes of pods (emptyDir) are everybody's to write, and nobody else is in such a pod.
        if let Err(error) = check_directory(directory_of(path)) {
            tracing::warn!(%error, socket = %path.display(), "others can put a socket of theirs in this one's place");
        }
        let directory = lock_directory_of(path)?;
        let predecessor = predecessor(path)?;
        let (socket, listener) = take(&directory, path, onlooker)?;
        let name = Self {
            path: path.to_owned(),
            onlooker,
            socket,
        };
        Ok((name, listener, predecessor))
    }

    /// Whether the name is gone or leads to a process that has ended: whoever took it over did not stay.
    ///
    /// # Errors
    /// The kernel's own.
    pub fn is_deserted(&self) -> io::Result<bool> {
        Ok(self.holder()? == NameHolder::Nobody)
    }

    /// To whom the name leads now.
    ///
    /// # Errors
    /// The kernel's own.
    pub fn holder(&self) -> io::Result<NameHolder> {
        match if_there(fs::symlink_metadata(&self.path))? {
            None => Ok(NameHolder::Nobody),
            Some(found) if self.is(&found)? => Ok(NameHolder::Own),
            Some(found) if !found.file_type().is_socket() => Ok(NameHolder::Another),
            Some(_) if is_listened_at(&self.path)? => Ok(NameHolder::Another),
            Some(_) => Ok(NameHolder::Nobody),
        }
    }

    /// Listens there again where it [is deserted](Self::is_deserted). `None` where somebody else was quicker.
    ///
    /// # Errors
    /// As [`Self::take_over`].
    pub fn take_back(&mut self) -> io::Result<Option<UnixListener>> {
        self.take_where(|holder| holder == NameHolder::Nobody)
    }

    /// Listens there at a new socket, also where the name leads to this process still: who watches the directory sees
    /// the name come once more. `None` where another process has it.
    ///
    /// # Errors
    /// As [`Self::take_over`].
    pub fn make_anew(&mut self) -> io::Result<Option<UnixListener>> {
        self.take_where(|holder| holder != NameHolder::Another)
    }

    fn take_where(
        &mut self,
        may_be_taken: impl FnOnce(NameHolder) -> bool,
    ) -> io::Result<Option<UnixListener>> {
        let directory = lock_directory_of(&self.path)?;
        if !may_be_taken(self.holder()?) {
            return Ok(None);
        }
        let (socket, listener) = take(&directory, &self.path, self.onlooker)?;
        self.socket = socket;
        Ok(Some(listener))
    }

    /// Takes the name away if it still leads to this process.
    ///
    /// # Errors
    /// The kernel's own; `TimedOut` where others keep the directory locked.
    pub fn give_up(&self) -> io::Result<()> {
        let _directory = lock_directory_of(&self.path)?;
        match if_there(fs::symlink_metadata(&self.path))? {
            Some(found) if self.is(&found)? => fs::remove_file(&self.path),
            _ => Ok(()),
        }
    }

    fn is(&self, found: &Metadata) -> io::Result<bool> {
        let own = self.socket.metadata()?;
        Ok((own.dev(), own.ino()) == (found.dev(), found.ino()))
    }
}

impl Drop for SocketName {
    fn drop(&mut self) {
        if let Err(error) = self.give_up() {
            tracing::warn!(%error, socket = %self.path.display(), "cannot remove the socket; the next start does");
        }
    }
}

/// The directory is locked: what has a name aside belongs to nobody.
fn take(directory: &File, path: &Path, onlooker: Onlooker) -> io::Result<(File, UnixListener)> {
    remove_leftovers(directory_of(path))?;
    let [one, two, three, four, ..] = random_bytes()?;
    let number = u32::from_le_bytes([one, two, three, four]);
    let aside = path.with_file_name(format!("{}{number:08x}{}", ASIDE.0, ASIDE.1));
    // Listened at before it is renamed: callers are refused at one that is only bound.
    let listener = listen_at(directory, &aside)?;
    if onlooker == Onlooker::Kubelet {
        thread::sleep(TIME_TO_LOOK);
    }
    let renamed = open_itself(&aside).and_then(|socket| fs::rename(&aside, path).map(|()| socket));
    let socket = renamed.inspect_err(|_| {
        let _ = fs::remove_file(&aside);
    })?;
    Ok((socket, listener))
}

/// The file, to hold on to it; a socket cannot be read so.
fn open_itself(path: &Path) -> io::Result<File> {
    let flags = OFlag::O_PATH | OFlag::O_NOFOLLOW;
    let mut options = OpenOptions::new();
    options.read(true).custom_flags(flags.bits()).open(path)
}

fn predecessor(path: &Path) -> io::Result<Predecessor> {
    match if_there(fs::symlink_metadata(path))? {
        Some(found) if !found.file_type().is_socket() => Err(io::Error::new(
            io::ErrorKind::AddrInUse,
            "something that is not a socket lies there; move it away, or give another endpoint",
        )),
        Some(_) if is_listened_at(path)? => Ok(Predecessor::Alive),
        Some(_) | None => Ok(Predecessor::Nobody),
    }
}

/// A socket's address has room for 107 bytes, and callers' name may need them.
fn listen_at(directory: &File, path: &Path) -> io::Result<UnixListener> {
    match listen_as_root(path) {
        Err(error) if error.raw_os_error() == Some(Errno::ENAMETOOLONG as i32) => {
            let opened = PathBuf::from(format!("/proc/self/fd/{}", directory.as_raw_fd()));
            listen_as_root(&opened.join(path.file_name().unwrap_or_default()))
        }
        listening => listening,
    }
}

/// Held until it is closed.
fn lock_directory_of(path: &Path) -> io::Result<File> {
    let directory = File::open(directory_of(path))?;
    let locked = try_until(Instant::now() + LOCK_WAIT, || match directory.try_lock() {
        Ok(()) => Ok(Some(())),
        Err(fs::TryLockError::WouldBlock) => Ok(None),
        Err(fs::TryLockError::Error(error)) => Err(error),
    })?;
    locked.map(|()| directory).ok_or_else(|| {
        io::Error::new(
            io::ErrorKind::TimedOut,
            "another process keeps the socket's directory locked; find it with lslocks",
        )
    })
}

fn remove_leftovers(directory: &Path) -> io::Result<()> {
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        if is_aside(&entry)? {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

fn is_aside(entry: &DirEntry) -> io::Result<bool> {
    let name = entry.file_name();
    let name = name.to_string_lossy();
    Ok(name.starts_with(ASIDE.0) && name.ends_with(ASIDE.1) && entry.file_type()?.is_socket())
}

fn directory_of(path: &Path) -> &Path {
    path.parent().unwrap_or(Path::new("/"))
}

fn if_there(found: io::Result<Metadata>) -> io::Result<Option<Metadata>> {
    match found {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        found => found.map(Some),
    }
}

#[cfg(test)]
mod tests;
