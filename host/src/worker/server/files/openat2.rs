//! The way to a directory beneath another: no symlink is followed, and a mount is crossed only where it may be.
//!
//! Those who write to a volume can put a symlink anywhere in it, and exchange a directory for one at any moment. So what
//! is opened is worked on, and never a path once more.

use std::ffi::OsStr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

use rustix::fs::{
    AtFlags, FileType, Mode, OFlags, ResolveFlags, StatxAttributes, StatxFlags, fstat, openat,
    openat2, statat, statx,
};
use rustix::io::{self, Errno, fcntl_dupfd_cloexec};

use crate::worker::{Fault, FaultKind};

pub(crate) fn crossing(path: &Path) -> Fault {
    let message = format!(
        "cannot enter {}: something is mounted there or on the way, or it is another file system",
        path.display()
    );
    Fault::new(FaultKind::Denied, message)
}

/// Whether a way may lead onto another filesystem.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Crossing {
    Allowed,
    Refused,
}

/// Opens a directory by its bare name; EXDEV where a mount or another file system begins.
pub(crate) fn open_child(parent: BorrowedFd<'_>, name: &OsStr) -> io::Result<OwnedFd> {
    open_directory_beneath(parent, Path::new(name), Crossing::Refused)
}

const DIRECTORY: OFlags = OFlags::RDONLY
    .union(OFlags::DIRECTORY)
    .union(OFlags::CLOEXEC);

/// Opens a directory beneath another, by a way of bare names; an empty one leads to the directory itself. No symlink is
/// followed, whoever puts one there meanwhile: ELOOP. EXDEV where the way crosses onto another filesystem and may not,
/// be it by a bind mount.
pub(crate) fn open_directory_beneath(
    top: BorrowedFd<'_>,
    way: &Path,
    across: Crossing,
) -> io::Result<OwnedFd> {
    if way.as_os_str().is_empty() {
        return fcntl_dupfd_cloexec(top, 0);
    }
    let beneath = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
    let resolve = match across {
        Crossing::Allowed => beneath,
        Crossing::Refused => beneath | ResolveFlags::NO_XDEV,
    };
    match openat2(top, way, DIRECTORY, Mode::empty(), resolve) {
        // Kernels before 5.6, and sandboxes that do not know the call.
        Err(Errno::NOSYS | Errno::PERM) => open_by_steps(top, way, across),
        opened => opened,
    }
}

/// Each name in what the one before it led to.
fn open_by_steps(top: BorrowedFd<'_>, way: &Path, across: Crossing) -> io::Result<OwnedFd> {
    let mut here = fcntl_dupfd_cloexec(top, 0)?;
    for name in way {
        let below = match openat(&here, name, DIRECTORY | OFlags::NOFOLLOW, Mode::empty()) {
            Err(Errno::NOTDIR) if is_symlink(here.as_fd(), name) => Err(Errno::LOOP),
            opened => opened,
        }?;
        if across == Crossing::Refused && begins_another(here.as_fd(), below.as_fd())? {
            return Err(Errno::XDEV);
        }
        here = below;
    }
    Ok(here)
}

fn is_symlink(parent: BorrowedFd<'_>, name: &OsStr) -> bool {
    statat(parent, name, AtFlags::SYMLINK_NOFOLLOW)
        .is_ok_and(|stat| FileType::from_raw_mode(stat.st_mode).is_symlink())
}

/// Whether a mount or another filesystem begins with a directory. Kernels before 5.8 do not tell of bind mounts.
fn begins_another(above: BorrowedFd<'_>, here: BorrowedFd<'_>) -> io::Result<bool> {
    let told = statx(here, "", AtFlags::EMPTY_PATH, StatxFlags::empty());
    let is_root = told.is_ok_and(|told| told.stx_attributes.contains(StatxAttributes::MOUNT_ROOT));
    Ok(is_root || fstat(here)?.st_dev != fstat(above)?.st_dev)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::PathBuf;

    use super::*;

    fn open(path: &Path) -> OwnedFd {
        fs::File::open(path).expect("a directory").into()
    }

    /// Both ways to open a directory: kernels and sandboxes without openat2(2) have the second.
    type Opened = fn(BorrowedFd<'_>, &Path, Crossing) -> io::Result<OwnedFd>;
    const WAYS: [Opened; 2] = [open_directory_beneath, open_by_steps];

    #[test]
    fn no_symlink_is_followed_on_the_way_nor_at_its_end() {
        let scratch = tempfile::tempdir().expect("a directory");
        fs::create_dir_all(scratch.path().join("a/b/c")).expect("made");
        fs::write(scratch.path().join("file"), "x").expect("written");
        std::os::unix::fs::symlink("b", scratch.path().join("a/link")).expect("linked");
        let top = open(scratch.path());
        for opened in WAYS {
            let at = |way: &str| opened(top.as_fd(), Path::new(way), Crossing::Allowed).map(drop);
            for way in ["", "a", "a/b/c"] {
                assert_eq!(at(way), Ok(()), "{way}");
            }
            for way in ["a/link", "a/link/c"] {
                assert_eq!(at(way), Err(Errno::LOOP), "{way}");
            }
            assert_eq!(at("file"), Err(Errno::NOTDIR));
            assert_eq!(at("a/missing"), Err(Errno::NOENT));
        }
    }

    #[test]
    #[ignore = "needs root: mounts"]
    fn a_way_leads_across_mounts_only_where_it_may() {
        use nix::mount::{MsFlags, mount, umount};
        let scratch = tempfile::tempdir().expect("a directory");
        let at = |name: &str| -> PathBuf { scratch.path().join(name) };
        fs::create_dir_all(at("tmpfs")).expect("made");
        fs::create_dir_all(at("bind")).expect("made");
        fs::create_dir_all(at("keep/below")).expect("made");
        let none = None::<&str>;
        mount(
            Some("none"),
            &at("tmpfs"),
            Some("tmpfs"),
            MsFlags::empty(),
            none,
        )
        .expect("mounted");
        mount(Some(&at("keep")), &at("bind"), none, MsFlags::MS_BIND, none).expect("mounted");
        fs::create_dir(at("tmpfs/below")).expect("made");
        let top = open(scratch.path());
        let mut found = Vec::new();
        for opened in WAYS {
            for way in ["tmpfs", "tmpfs/below", "bind", "bind/below"] {
                let at = |across| opened(top.as_fd(), Path::new(way), across).map(drop);
                found.push((way, at(Crossing::Allowed), at(Crossing::Refused)));
            }
        }
        umount(&at("tmpfs")).expect("unmounted");
        umount(&at("bind")).expect("unmounted");
        for (way, allowed, refused) in found {
            assert_eq!((allowed, refused), (Ok(()), Err(Errno::XDEV)), "{way}");
        }
    }
}
