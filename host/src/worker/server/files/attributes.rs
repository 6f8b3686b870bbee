//! Owners, modes, times, extended attributes and nodes that hold no data.

use std::ffi::{CStr, CString, OsStr};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

use rustix::fs::{
    AtFlags, FileType, Gid, Mode, OFlags, RawMode, Stat, Timespec, Timestamps, Uid, XattrFlags,
    chmod, chownat, fchmod, fchown, fgetxattr, flistxattr, flistxattr_query, fsetxattr, fstat,
    futimens, mknodat, openat, statat, utimensat,
};
use rustix::io::{self, Errno};

use super::resolved_path::failed;
use crate::worker::Fault;
use crate::worker::server::target::proc_path;

/// xattr(7): no value is larger, and no list of names.
const XATTR_MAX: usize = 64 * 1024;

/// Permission bits, with set-user-ID, set-group-ID and sticky.
pub(crate) const MODE_BITS: RawMode = 0o7777;

/// Set-user-ID and set-group-ID.
pub(crate) const SET_ID: RawMode = 0o6000;

/// Seconds and nanoseconds since 1970.
pub(crate) type Timestamp = (i64, i64);

/// An extended attribute's name and value.
pub(crate) type Xattr = (CString, Vec<u8>);

/// What every entry has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Attributes {
    pub(crate) uid: u32,
    pub(crate) gid: u32,
    /// Permission bits.
    pub(crate) mode: u32,
    pub(crate) accessed: Timestamp,
    pub(crate) modified: Timestamp,
}

impl From<&Stat> for Attributes {
    fn from(stat: &Stat) -> Self {
        Self {
            uid: stat.st_uid,
            gid: stat.st_gid,
            mode: stat.st_mode & MODE_BITS,
            accessed: (
                stat.st_atime,
                i64::try_from(stat.st_atime_nsec).unwrap_or_default(),
            ),
            modified: (
                stat.st_mtime,
                i64::try_from(stat.st_mtime_nsec).unwrap_or_default(),
            ),
        }
    }
}

impl Attributes {
    /// Sets everything on an open file or directory. The order matters: chown(2) takes set-user-ID and
    /// file capabilities away, and attributes can no longer be set where the mode forbids writing.
    pub(crate) fn apply(
        &self,
        file: BorrowedFd<'_>,
        xattrs: &[Xattr],
        path: &Path,
    ) -> Result<(), Fault> {
        self.apply_owner(file, path)?;
        Self::apply_xattrs(file, xattrs, path)?;
        self.apply_mode_and_times(file, path)
    }

    pub(crate) fn apply_xattrs(
        file: BorrowedFd<'_>,
        xattrs: &[Xattr],
        path: &Path,
    ) -> Result<(), Fault> {
        xattrs
            .iter()
            .try_for_each(|xattr| set_xattr(file, xattr, path))
    }

    pub(crate) fn apply_owner(&self, file: BorrowedFd<'_>, path: &Path) -> Result<(), Fault> {
        let wanted = (Some(Uid::from_raw(self.uid)), Some(Gid::from_raw(self.gid)));
        let set =
            fchown(file, wanted.0, wanted.1).or_else(|error| self.unless_owned(error, fstat(file)));
        set.map_err(|error| failed("set the owner of", path, error))
    }

    pub(crate) fn apply_mode_and_times(
        &self,
        file: BorrowedFd<'_>,
        path: &Path,
    ) -> Result<(), Fault> {
        fchmod(file, Mode::from_raw_mode(self.mode))
            .map_err(|error| failed("set the mode of", path, error))?;
        futimens(file, &self.times()).map_err(|error| failed("set the times of", path, error))
    }

    /// Sets what can be set without opening. Symlinks have no mode.
    pub(crate) fn apply_unopened(
        &self,
        parent: BorrowedFd<'_>,
        name: &OsStr,
        kind: FileType,
        path: &Path,
    ) -> Result<(), Fault> {
        let nofollow = AtFlags::SYMLINK_NOFOLLOW;
        let wanted = (Some(Uid::from_raw(self.uid)), Some(Gid::from_raw(self.gid)));
        let owned = chownat(parent, name, wanted.0, wanted.1, nofollow)
            .or_else(|error| self.unless_owned(error, statat(parent, name, nofollow)));
        owned.map_err(|error| failed("set the owner of", path, error))?;
        if !kind.is_symlink() {
            set_mode_unopened(parent, name, kind, self.mode)
                .map_err(|error| failed("set the mode of", path, error))?;
        }
        utimensat(parent, name, &self.times(), nofollow)
            .map_err(|error| failed("set the times of", path, error))
    }

    /// Servers that map root to nobody refuse chown(2) even where nothing would change.
    fn unless_owned(&self, error: Errno, now: io::Result<Stat>) -> io::Result<()> {
        let now = now?;
        if error == Errno::PERM && (now.st_uid, now.st_gid) == (self.uid, self.gid) {
            Ok(())
        } else {
            Err(error)
        }
    }

    fn times(&self) -> Timestamps {
        let time = |(tv_sec, tv_nsec)| Timespec { tv_sec, tv_nsec };
        Timestamps {
            last_access: time(self.accessed),
            last_modification: time(self.modified),
        }
    }
}

/// chmod(2) follows a symlink, which a pod may have put where we made something: root in a pod enters every directory of
/// its volume. So the entry is held first, and looked at.
fn set_mode_unopened(
    parent: BorrowedFd<'_>,
    name: &OsStr,
    kind: FileType,
    mode: RawMode,
) -> io::Result<()> {
    let held = hold(parent, name)?;
    match FileType::from_raw_mode(fstat(&held)?.st_mode) == kind {
        true => chmod(proc_path(&held), Mode::from_raw_mode(mode)),
        false => Err(Errno::BUSY),
    }
}

/// Names the entry itself, whatever becomes of its name.
pub(crate) fn hold(parent: BorrowedFd<'_>, name: &OsStr) -> io::Result<OwnedFd> {
    let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    openat(parent, name, flags, Mode::empty())
}

/// All extended attributes that the kernel shows us. None where the file system has none.
pub(crate) fn read_xattrs(file: BorrowedFd<'_>, path: &Path) -> Result<Vec<Xattr>, Fault> {
    let wrong = |error| failed("read the attributes of", path, error);
    // Most files have none; asking for the length alone is one call without a buffer.
    let mut names = match flistxattr_query(file) {
        Ok(0) | Err(Errno::OPNOTSUPP) => return Ok(Vec::new()),
        Ok(_) => vec![0; XATTR_MAX],
        Err(error) => return Err(wrong(error)),
    };
    let length = flistxattr(file, &mut names[..]).map_err(wrong)?;
    let mut value = vec![0; XATTR_MAX];
    let mut found = Vec::new();
    for name in names[..length]
        .split_inclusive(|byte| *byte == 0)
        .filter_map(|name| CStr::from_bytes_with_nul(name).ok())
    {
        match fgetxattr(file, name, &mut value[..]) {
            Ok(length) => found.push((name.to_owned(), value[..length].to_vec())),
            Err(Errno::NODATA) => {}
            Err(error) => return Err(wrong(error)),
        }
    }
    Ok(found)
}

/// Labels and the like are the kernel's or the server's: where they cannot be set, they have been already.
fn set_xattr(file: BorrowedFd<'_>, (name, value): &Xattr, path: &Path) -> Result<(), Fault> {
    match fsetxattr(file, name.as_c_str(), value, XattrFlags::empty()) {
        Ok(()) => Ok(()),
        Err(error) if is_content(name) => {
            Err(failed(&format!("set attribute {name:?} of"), path, error))
        }
        Err(_) => Ok(()),
    }
}

/// Attributes without which a copy is not the same to those who use it.
pub(crate) fn is_content(name: &CStr) -> bool {
    let text = name.to_bytes();
    text.starts_with(b"user.") || text.starts_with(b"system.posix_acl_") || is_capability(name)
}

/// The one by which a program has capabilities that its user lacks (capabilities(7)).
pub(crate) fn is_capability(name: &CStr) -> bool {
    name == c"security.capability"
}

/// Whether a node leads to nothing that its user could not reach without: a pipe, a socket's name, or an overlay's mark
/// for "deleted", a character device 0:0. Any other device is a way to the hardware.
pub(crate) fn opens_nothing(kind: FileType, device: u64) -> bool {
    match kind {
        FileType::Fifo | FileType::Socket => true,
        FileType::CharacterDevice => device == 0,
        FileType::BlockDevice
        | FileType::RegularFile
        | FileType::Directory
        | FileType::Symlink
        | FileType::Unknown => false,
    }
}

/// Makes what holds no data. Whether a device may be made is the caller's to know.
pub(crate) fn make_node(
    parent: BorrowedFd<'_>,
    name: &OsStr,
    kind: FileType,
    device: u64,
    path: &Path,
) -> Result<(), Fault> {
    mknodat(parent, name, kind, Mode::RUSR | Mode::WUSR, device)
        .map_err(|error| failed("make", path, error))
}

/// As [`Attributes::apply`], for a copy of an open file.
pub(crate) fn copy_attributes(
    from: BorrowedFd<'_>,
    stat: &Stat,
    to: impl AsFd,
    path: &Path,
) -> Result<(), Fault> {
    Attributes::from(stat).apply(to.as_fd(), &read_xattrs(from, path)?, path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::worker::FaultKind;

    #[test]
    fn devices_lead_to_something_and_pipes_do_not() {
        for (kind, device) in [
            (FileType::Fifo, 0),
            (FileType::Socket, 0),
            (FileType::CharacterDevice, 0),
        ] {
            assert!(opens_nothing(kind, device), "{kind:?}");
        }
        for (kind, device) in [
            (FileType::BlockDevice, 0),
            (FileType::BlockDevice, 0x800),
            (FileType::CharacterDevice, 0x101),
        ] {
            assert!(!opens_nothing(kind, device), "{kind:?} {device}");
        }
    }

    #[test]
    fn a_symlink_in_the_place_of_a_pipe_keeps_what_it_leads_to_from_being_changed() {
        let scratch = tempfile::tempdir().expect("a directory");
        let dir = std::fs::File::open(scratch.path()).expect("open");
        let victim = scratch.path().join("victim");
        std::fs::write(&victim, "x").expect("written");
        let before = rustix::fs::stat(&victim).expect("there");
        std::os::unix::fs::symlink(&victim, scratch.path().join("pipe")).expect("linked");
        let attributes = Attributes {
            mode: 0o4777,
            ..Attributes::from(&before)
        };
        let refused = attributes.apply_unopened(
            dir.as_fd(),
            "pipe".as_ref(),
            FileType::Fifo,
            Path::new("pipe"),
        );
        assert_eq!(refused.expect_err("refused").kind, FaultKind::Busy);
        assert_eq!(
            rustix::fs::stat(&victim).expect("there").st_mode,
            before.st_mode
        );
    }

    #[test]
    fn only_what_users_wrote_must_be_kept() {
        assert!(is_content(c"user.comment"));
        assert!(is_content(c"system.posix_acl_access"));
        assert!(!is_content(c"security.selinux"));
        assert!(!is_content(c"trusted.overlay.opaque"));
    }
}
