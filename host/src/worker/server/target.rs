//! Targets: opened, bound to what is mounted elsewhere, and unmounted: mount(2), umount2(2).
//!
//! A target is opened without following a symlink, and what was opened is what is mounted on: through
//! `/proc/self/fd`, so that nothing can be swapped in between.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{OFlag, open};
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sched::{CloneFlags, unshare};
use nix::sys::stat::{Mode, SFlag, fstat};

use crate::volume::Access;
use crate::worker::errno::{fault, io_fault};
use crate::worker::mount_flags::flags_shown;
use crate::worker::{Fault, FaultKind, MountFlags, Reply, TargetKind};

/// More mounts than this on one directory are not ours to take away.
const MAX_STACKED: usize = 16;

/// kubelet makes pod directories with this mode.
const TARGET_MODE: u32 = 0o750;

/// What is bound over a file hides its mode; until then nobody else need look at it.
const DEVICE_TARGET_MODE: u32 = 0o600;

/// Makes sure that the target is what it has to be and not a symlink; makes its last component if missing.
pub(super) fn prepare_target(target: &Path, kind: TargetKind) -> Result<Reply, Fault> {
    match open_kind(target, kind) {
        Ok(_) => Ok(Reply::Done),
        Err(fault) if fault.kind == FaultKind::NotFound => {
            let attempt = format!("make target {}", word(kind));
            make_target(target, kind).map_err(|error| io_fault(&attempt, target, &error))?;
            Ok(Reply::Created)
        }
        Err(fault) => Err(fault),
    }
}

fn word(kind: TargetKind) -> &'static str {
    match kind {
        TargetKind::Directory => "directory",
        TargetKind::Device => "file",
    }
}

fn make_target(target: &Path, kind: TargetKind) -> io::Result<()> {
    match kind {
        TargetKind::Directory => DirBuilder::new().mode(TARGET_MODE).create(target),
        TargetKind::Device => OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(DEVICE_TARGET_MODE)
            .open(target)
            .map(drop),
    }
}

fn open_kind(target: &Path, kind: TargetKind) -> Result<OwnedFd, Fault> {
    match kind {
        TargetKind::Directory => open_target(target),
        TargetKind::Device => open_device_target(target),
    }
}

/// Removes the target, whichever kind it is: nobody need remember what was mounted there. rmdir(2) refuses what is
/// not empty, and both refuse what is still a mount point. What is not as we make targets is left alone.
pub(super) fn remove_target(target: &Path) -> Result<Reply, Fault> {
    let left_alone = |what: &str| {
        let target = target.display();
        let message = format!(
            "cannot remove target {target}: {what}; it is left alone, only a person may remove it"
        );
        Err(Fault::new(FaultKind::Precondition, message))
    };
    let found = match std::fs::symlink_metadata(target) {
        Ok(found) => found,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Reply::Done),
        Err(error) => return Err(io_fault("look at target", target, &error)),
    };
    let removed = match found.file_type() {
        kind if kind.is_dir() => std::fs::remove_dir(target),
        kind if !kind.is_file() => return left_alone("it is neither a directory nor a file"),
        _ if found.len() > 0 => return left_alone("it is a file with data in it"),
        _ => std::fs::remove_file(target),
    };
    match removed {
        Ok(()) => Ok(Reply::Done),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Reply::Done),
        Err(error) if error.kind() == io::ErrorKind::DirectoryNotEmpty => {
            left_alone("nothing is mounted there, and the directory is not empty")
        }
        Err(error) => Err(io_fault("remove target", target, &error)),
    }
}

/// The target for a raw device: a plain file, or the device that is bound there already.
pub(super) fn open_device_target(target: &Path) -> Result<OwnedFd, Fault> {
    let opened = open_path(target)?;
    match kind_of_file(&opened, target)? {
        SFlag::S_IFREG | SFlag::S_IFBLK => Ok(opened),
        _ => Err(Fault::new(
            FaultKind::Invalid,
            format!(
                "target {} is not a plain file, which a raw device is bound onto",
                target.display()
            ),
        )),
    }
}

/// Whatever lies there, a symlink included.
fn open_path(path: &Path) -> Result<OwnedFd, Fault> {
    let flags = OFlag::O_PATH | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
    open(path, flags, Mode::empty()).map_err(|errno| fault("open", path, errno))
}

fn kind_of_file(opened: &impl AsFd, path: &Path) -> Result<SFlag, Fault> {
    let stat = fstat(opened).map_err(|errno| fault("look at", path, errno))?;
    Ok(SFlag::from_bits_truncate(stat.st_mode) & SFlag::S_IFMT)
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
pub(super) fn bind(from: &impl AsRawFd, target: &Path, access: Access) -> Result<Reply, Fault> {
    let onto = open_target(target)?;
    bind_onto(from, &onto, target, access)
}

/// Binds an open device node onto the target. The kernel lets a device be written to through a read-only
/// mount, so that read-only says here only what was asked for.
pub(super) fn bind_device(
    from: &impl AsRawFd,
    target: &Path,
    access: Access,
) -> Result<Reply, Fault> {
    let onto = open_device_target(target)?;
    bind_onto(from, &onto, target, access)
}

fn bind_onto(
    from: &impl AsRawFd,
    onto: &OwnedFd,
    target: &Path,
    access: Access,
) -> Result<Reply, Fault> {
    let none = None::<&str>;
    mount(
        Some(&proc_path(from)),
        &proc_path(onto),
        none,
        MsFlags::MS_BIND,
        none,
    )
    .map_err(|errno| fault("bind onto", target, errno))?;
    if access == Access::ReadOnly {
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
pub(super) fn bind_mount(from: &Path, target: &Path, access: Access) -> Result<Reply, Fault> {
    let source = open_path(from)?;
    match kind_of_file(&source, from)? {
        SFlag::S_IFBLK => bind_device(&source, target, access),
        // Anything else is a directory, or refused with what it is.
        _ => bind(&open_target(from)?, target, access),
    }
}

/// A bind mount ignores MS_RDONLY when it is made; it takes a second call (mount(2), "Remounting").
fn make_read_only(target: &Path) -> Result<(), Fault> {
    let mounted = open_path(target)?;
    let flags = MsFlags::MS_REMOUNT | MsFlags::MS_BIND | MsFlags::MS_RDONLY;
    let flags = flags | kept_flags(&mounted, target)?;
    let none = None::<&str>;
    mount(none, &proc_path(&mounted), none, flags, none)
        .map_err(|errno| fault("make read-only", target, errno))
}

/// Remounting replaces all flags, so those that are to stay are read back first.
fn kept_flags(mounted: &impl AsFd, target: &Path) -> Result<MsFlags, Fault> {
    let found = rustix::fs::fstatvfs(mounted)
        .map_err(|error| {
            let errno = Errno::from_raw(error.raw_os_error());
            fault("read the flags of", target, errno)
        })?
        .f_flag;
    Ok(flags_shown(found))
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

/// From here on, mounts of this process are seen by nobody and end with it. Only where nothing else will do: the
/// kernel copies every mount of the node.
pub(super) fn own_mount_namespace() -> Result<(), Fault> {
    let none = None::<&str>;
    unshare(CloneFlags::CLONE_NEWNS)
        .and_then(|()| mount(none, "/", none, MsFlags::MS_REC | MsFlags::MS_PRIVATE, none))
        .map_err(|errno| {
            let message = format!("cannot make a mount namespace: {}", errno.desc());
            Fault::new(FaultKind::Other, message)
        })
}
