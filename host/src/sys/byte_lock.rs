//! Locks on single bytes of one file, across processes.
//!
//! They belong to the open file (`F_OFD_SETLK`, fcntl(2)): a worker that inherits the descriptor keeps them after we
//! died, and the kernel gives them up with the last one. However many there are, there is one file, and nothing to
//! clean up. The bytes need not exist.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::Path;
use std::time::SystemTime;

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, fcntl};
use nix::libc;

use super::lock_file;

/// What several holders may have at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Hold {
    /// Nobody else.
    Exclusive,
    /// Others that share it.
    Shared,
}

/// One open file and the bytes of it that are held.
#[derive(Debug)]
pub(crate) struct ByteLocks(File);

impl ByteLocks {
    /// Holds none yet. The file and its directory are made where they are missing, for root alone: whoever can open the
    /// file can hold its bytes.
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        let file = lock_file::open(path)?;
        // Never removed, so that it has its name.
        lock_file::has_name(&file)?;
        Ok(Self(file))
    }

    /// Holds a byte unless somebody has it; whether it is held now. Waits for nobody.
    pub(crate) fn try_hold(&self, byte: u64, hold: Hold) -> io::Result<bool> {
        let kind = match hold {
            Hold::Exclusive => libc::F_WRLCK,
            Hold::Shared => libc::F_RDLCK,
        };
        match self.set(byte, kind) {
            Ok(()) => Ok(true),
            Err(Errno::EAGAIN | Errno::EACCES) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    /// Gives a byte up.
    pub(crate) fn release(&self, byte: u64) -> io::Result<()> {
        Ok(self.set(byte, libc::F_UNLCK)?)
    }

    /// Whether somebody else holds a byte, alone or with others.
    pub(crate) fn is_held_elsewhere(&self, byte: u64) -> io::Result<bool> {
        let mut range = range(byte, libc::F_WRLCK)?;
        fcntl(&self.0, FcntlArg::F_OFD_GETLK(&mut range))?;
        Ok(libc::c_int::from(range.l_type) != libc::F_UNLCK)
    }

    /// Makes the file as new as if it had just been written.
    pub(crate) fn touch(&self) -> io::Result<()> {
        self.0.set_modified(SystemTime::now())
    }

    fn set(&self, byte: u64, kind: libc::c_int) -> nix::Result<()> {
        let range = range(byte, kind)?;
        fcntl(&self.0, FcntlArg::F_OFD_SETLK(&range)).map(drop)
    }
}

impl AsFd for ByteLocks {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

fn range(byte: u64, kind: libc::c_int) -> nix::Result<libc::flock> {
    let small = |number: libc::c_int| libc::c_short::try_from(number).map_err(|_| Errno::EINVAL);
    Ok(libc::flock {
        l_type: small(kind)?,
        l_whence: small(libc::SEEK_SET)?,
        l_start: libc::off_t::try_from(byte).map_err(|_| Errno::EINVAL)?,
        l_len: 1,
        l_pid: 0,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open(directory: &tempfile::TempDir) -> ByteLocks {
        ByteLocks::open(&directory.path().join("run/locks")).expect("opened")
    }

    #[test]
    fn a_byte_has_one_holder_or_several_that_share_it() {
        let directory = tempfile::tempdir().expect("a directory");
        let (one, other) = (open(&directory), open(&directory));
        assert!(one.try_hold(7, Hold::Exclusive).expect("asked"));
        assert!(!other.try_hold(7, Hold::Exclusive).expect("asked"));
        assert!(other.try_hold(8, Hold::Exclusive).expect("asked"));
        one.release(7).expect("ours");
        assert!(one.try_hold(7, Hold::Shared).expect("asked"));
        assert!(other.try_hold(7, Hold::Shared).expect("asked"));
        assert!(one.is_held_elsewhere(7).expect("asked"));
        drop(other);
        assert!(!one.is_held_elsewhere(7).expect("asked"));
    }

    #[test]
    fn a_byte_is_held_until_the_last_descriptor_is_closed() {
        let directory = tempfile::tempdir().expect("a directory");
        let (one, other) = (open(&directory), open(&directory));
        assert!(one.try_hold(0, Hold::Exclusive).expect("asked"));
        let inherited = one.as_fd().try_clone_to_owned().expect("cloned");
        drop(one);
        assert!(other.is_held_elsewhere(0).expect("asked"));
        drop(inherited);
        assert!(!other.is_held_elsewhere(0).expect("asked"));
    }
}
