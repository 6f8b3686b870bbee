//! mount(2) and umount2(2) on targets.
//!
//! A target is opened without following a symlink, and what was opened is what is mounted on: through
//! `/proc/self/fd`, so that nothing can be swapped in between.

use std::fs::{DirBuilder, File};
use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{OFlag, open};
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sys::stat::{Mode, fstat};
use nix::sys::statvfs::{FsFlags, fstatvfs};

use super::{Fault, FaultKind, MountAccess, MountFlags, Reply};

/// More mounts than this on one directory are not ours to take away.
const MAX_STACKED: usize = 16;

/// kubelet makes pod directories with this mode.
const TARGET_MODE: u32 = 0o750;

/// Makes sure that the target is a directory and not a symlink; makes its last component if missing.
pub(super) fn prepare_target(target: &Path) -> Result<Reply, Fault> {
    match open_target(target) {
        Ok(_) => Ok(Reply::Done),
        Err(fault) if fault.kind == FaultKind::NotFound => {
            DirBuilder::new()
                .mode(TARGET_MODE)
                .create(target)
                .map_err(|error| io_fault("make target directory", target, &error))?;
            Ok(Reply::Created)
        }
        Err(fault) => Err(fault),
    }
}

/// Removes the target directory. rmdir(2) refuses what is not empty or still a mount point.
pub(super) fn remove_target(target: &Path) -> Result<Reply, Fault> {
    match std::fs::remove_dir(target) {
        Ok(()) => Ok(Reply::Done),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Reply::Done),
        Err(error) => Err(io_fault("remove target directory", target, &error)),
    }
}

/// The target itself, checked to be a directory reached without a final symlink.
#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "Linux has more errors than we have words"
)]
pub(super) fn open_target(target: &Path) -> Result<OwnedFd, Fault> {
    let flags = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
    open(target, flags, Mode::empty()).map_err(|errno| match errno {
        // With O_PATH, O_DIRECTORY and O_NOFOLLOW together, a symlink gives ENOTDIR as a file does.
        Errno::ENOTDIR | Errno::ELOOP => Fault::new(
            FaultKind::Invalid,
            format!(
                "target {} is not a directory (or is a symlink, or lies beneath a file)",
                target.display()
            ),
        ),
        errno => fault("open target", target, errno),
    })
}

/// The name under which the kernel finds an open descriptor.
pub(super) fn proc_path(fd: &impl AsRawFd) -> PathBuf {
    PathBuf::from(format!("/proc/self/fd/{}", fd.as_raw_fd()))
}

/// Binds an open directory onto the target.
pub(super) fn bind(
    from: &impl AsRawFd,
    target: &Path,
    access: MountAccess,
) -> Result<Reply, Fault> {
    let onto = open_target(target)?;
    let none = None::<&str>;
    mount(
        Some(&proc_path(from)),
        &proc_path(&onto),
        none,
        MsFlags::MS_BIND,
        none,
    )
    .map_err(|errno| fault("bind onto", target, errno))?;
    if access == MountAccess::ReadOnly {
        make_read_only(target).inspect_err(|_| {
            // Half a bind is worse than none: it would be writable.
            let _ = umount2(target, MntFlags::UMOUNT_NOFOLLOW);
        })?;
    }
    Ok(Reply::Done)
}

/// Whether the target shows the open directory: the same inode of the same file system.
pub(super) fn compare(with: &impl AsFd, target: &Path) -> Result<Reply, Fault> {
    let identity = |fd: std::os::fd::BorrowedFd<'_>| {
        fstat(fd)
            .map(|stat| (stat.st_dev, stat.st_ino))
            .map_err(|errno| fault("look at", target, errno))
    };
    if identity(open_target(target)?.as_fd())? == identity(with.as_fd())? {
        Ok(Reply::Done)
    } else {
        Err(Fault::new(
            FaultKind::Exists,
            format!(
                "{} already holds something else; unmount it first",
                target.display()
            ),
        ))
    }
}

/// Binds one mount point onto another target.
pub(super) fn bind_mount(from: &Path, target: &Path, access: MountAccess) -> Result<Reply, Fault> {
    let source = open_target(from)?;
    bind(&source, target, access)
}

/// A bind mount ignores MS_RDONLY when it is made; it takes a second call (mount(2), "Remounting").
/// That call replaces all flags, so those inherited from the source are read back first.
fn make_read_only(target: &Path) -> Result<(), Fault> {
    let mounted = open_target(target)?;
    let kept = fstatvfs(mounted.as_fd())
        .map_err(|errno| fault("read the flags of", target, errno))?
        .flags();
    let inherited = [
        (FsFlags::ST_NOSUID, MsFlags::MS_NOSUID),
        (FsFlags::ST_NODEV, MsFlags::MS_NODEV),
        (FsFlags::ST_NOEXEC, MsFlags::MS_NOEXEC),
        (FsFlags::ST_NOATIME, MsFlags::MS_NOATIME),
        (FsFlags::ST_NODIRATIME, MsFlags::MS_NODIRATIME),
        (FsFlags::ST_RELATIME, MsFlags::MS_RELATIME),
    ];
    let base = MsFlags::MS_REMOUNT | MsFlags::MS_BIND | MsFlags::MS_RDONLY;
    let flags = inherited
        .into_iter()
        .filter(|(have, _)| kept.contains(*have))
        .fold(base, |flags, (_, add)| flags | add);
    let none = None::<&str>;
    mount(none, &proc_path(&mounted), none, flags, none)
        .map_err(|errno| fault("make read-only", target, errno))
}

/// Takes away every mount at the target. EINVAL is the kernel's word for "not a mount point".
pub(super) fn unmount(target: &Path, flags: MountFlags) -> Result<Reply, Fault> {
    let flags = match flags {
        MountFlags::Plain => MntFlags::UMOUNT_NOFOLLOW,
        MountFlags::Force => MntFlags::UMOUNT_NOFOLLOW | MntFlags::MNT_FORCE,
    };
    for _ in 0..MAX_STACKED {
        match umount2(target, flags) {
            Ok(()) => {}
            Err(Errno::EINVAL | Errno::ENOENT) => return Ok(Reply::Done),
            Err(errno) => return Err(fault("unmount", target, errno)),
        }
    }
    Err(Fault::new(
        FaultKind::Busy,
        format!(
            "cannot unmount {}: more than {MAX_STACKED} mounts on it",
            target.display()
        ),
    ))
}

/// A file opened with O_PATH for the length of a mount call.
pub(super) fn open_directory(path: &Path) -> Result<File, Fault> {
    let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
    open(path, flags, Mode::empty())
        .map(File::from)
        .map_err(|errno| fault("open directory", path, errno))
}

pub(super) fn fault(attempt: &str, path: &Path, errno: Errno) -> Fault {
    Fault::new(
        kind_of(errno),
        format!("cannot {attempt} {}: {}", path.display(), errno.desc()),
    )
}

pub(super) fn io_fault(attempt: &str, path: &Path, error: &io::Error) -> Fault {
    fault(
        attempt,
        path,
        Errno::from_raw(error.raw_os_error().unwrap_or(0)),
    )
}

#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "Linux has more errors than we have words"
)]
pub(super) fn kind_of(errno: Errno) -> FaultKind {
    match errno {
        Errno::EINVAL | Errno::ENOTDIR | Errno::ELOOP | Errno::ENAMETOOLONG => FaultKind::Invalid,
        Errno::ENOENT | Errno::ESTALE => FaultKind::NotFound,
        Errno::EEXIST | Errno::ENOTEMPTY => FaultKind::Exists,
        Errno::EBUSY => FaultKind::Busy,
        Errno::EACCES | Errno::EPERM | Errno::EROFS | Errno::EXDEV => FaultKind::Denied,
        Errno::ENODEV | Errno::EPROTONOSUPPORT | Errno::EOPNOTSUPP | Errno::ENOSYS => {
            FaultKind::Unsupported
        }
        Errno::ENOSPC | Errno::EDQUOT | Errno::EMFILE | Errno::ENFILE | Errno::ENOMEM => {
            FaultKind::Exhausted
        }
        Errno::ETIMEDOUT
        | Errno::ECONNREFUSED
        | Errno::EHOSTUNREACH
        | Errno::ENETUNREACH
        | Errno::EHOSTDOWN
        | Errno::ECONNRESET
        | Errno::ECONNABORTED => FaultKind::Unreachable,
        _ => FaultKind::Other,
    }
}
