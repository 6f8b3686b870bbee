//! Work beneath a directory handle.
//!
//! A path is taken apart before it is used; its directories are opened without following a symlink, and the last
//! component is then worked on by its bare name in its open parent. Whoever writes to a volume can put a symlink into it,
//! also while we are on the way, and exchange it for a directory: none is followed, wherever it leads. Nothing here knows
//! grants.

pub(super) mod atomic_create;
pub(super) mod attributes;
pub(super) mod extents;
mod leftovers;
pub(super) mod live_source;
pub(super) mod openat2;
mod partial_name;
pub(super) mod resolved_path;
mod root_squash;
pub(super) mod tree;

use std::io::Read;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

use cap_std::fs::Dir;
use rustix::fs::{
    AtFlags, FileType, Mode, OFlags, fstat, fsync, mkdirat, openat, statat, unlinkat,
};
use rustix::io::{Errno, fcntl_dupfd_cloexec};

use attributes::{MODE_BITS, SET_ID};
use live_source::READ_FILE;
use openat2::{Crossing, open_directory_beneath};
use partial_name::is_partial;
use resolved_path::{ResolvedPath, failed, unreached};
use tree::{VANISHED, remove};

use super::archive::extract::extract_archive;
use super::archive::own_archives::Records;
use super::archive::pack::archive_tree;
use super::copy;
use super::target::{open_directory, proc_path};
use super::work_limits::Bounds;
use crate::worker::{Entry, EntryKind, Fault, FaultKind, FileOperation, Properties, Reply, Usage};

/// The contract's bound on a directory listing.
const MAX_ENTRIES: usize = 10_000;

/// And on the names in it, together: they are all in memory several times on their way.
const MAX_NAME_BYTES: usize = 1 << 20;

/// The contract's bound on a file that crosses to the guest.
const MAX_CONTENT: u64 = 64 * 1024;

/// Of a message, in characters: two paths as long as the kernel takes them, and what is said of them.
const MAX_MESSAGE: usize = 10_000;

/// Of parents that the guest did not ask for by name.
const PARENT_MODE: u32 = 0o755;

/// Opens a directory of the node. The operator wrote the path, so its symlinks are the operator's.
pub(super) fn open_local(path: &Path) -> Result<Dir, Fault> {
    open_directory(path).map(Dir::from_std_file)
}

/// Opens a directory beneath another; an empty path is the directory itself.
pub(super) fn open_beneath(dir: &Dir, path: &str) -> Result<Dir, Fault> {
    open_directory_beneath(dir.as_fd(), &resolved_path::parts(path)?, Crossing::Allowed)
        .map(|opened| Dir::from_std_file(opened.into()))
        .map_err(|error| unreached("open directory", path, error))
}

/// Carries out one operation. `notes` is where what must survive this process is noted.
pub(super) fn carry_out(
    dir: &Dir,
    operation: FileOperation,
    notes: &Path,
    bounds: &Bounds,
) -> Result<Reply, Fault> {
    let changes = !matches!(
        operation,
        FileOperation::Look { .. }
            | FileOperation::List { .. }
            | FileOperation::Read { .. }
            | FileOperation::Usage
    );
    match work(dir, operation, notes, bounds).map_err(shortened) {
        Err(fault) if changes => Err(root_squash::explained(dir, fault)),
        answer => answer,
    }
}

/// Names that an archive or a tree made up are as long as they like, and messages are stored and passed on.
fn shortened(mut fault: Fault) -> Fault {
    if let Some((at, _)) = fault.message.char_indices().nth(MAX_MESSAGE) {
        fault.message.truncate(at);
        fault.message.push('…');
    }
    fault
}

fn work(
    dir: &Dir,
    operation: FileOperation,
    notes: &Path,
    bounds: &Bounds,
) -> Result<Reply, Fault> {
    match operation {
        FileOperation::MakeDirectory { path, mode } => {
            make_directory(dir, &path, checked_mode(mode)?)
        }
        FileOperation::SetMode { path, mode } => set_mode(dir, &path, checked_mode(mode)?),
        FileOperation::Look { path } => look(dir, &path),
        FileOperation::List { path } => list(dir, &path),
        FileOperation::Read { path } => read(dir, &path),
        FileOperation::Create { path, content } => atomic_create::create_file(
            &ResolvedPath::of(dir, &path)?,
            checked_content(&path, &content)?,
        ),
        FileOperation::Write { path, content } => atomic_create::write_file(
            &ResolvedPath::of(dir, &path)?,
            checked_content(&path, &content)?,
        ),
        FileOperation::Rename { source, to } => atomic_create::rename(
            &ResolvedPath::of(dir, &source)?,
            &ResolvedPath::of(dir, &to)?,
        ),
        FileOperation::Remove { path } => remove_tree(dir, &path),
        FileOperation::RemoveDirectory { path } => remove_empty_directory(dir, &path),
        FileOperation::Copy { source, to } => copy::copy_tree(dir, &source, &to, bounds),
        FileOperation::Archive {
            source,
            to,
            compression,
        } => archive_tree(
            dir,
            &source,
            &to,
            compression,
            &Records::beneath(notes),
            bounds,
        ),
        FileOperation::Extract { source, to } => {
            extract_archive(dir, &source, &to, &Records::beneath(notes), bounds)
        }
        FileOperation::Usage => usage(dir),
    }
}

fn checked_mode(mode: u32) -> Result<Mode, Fault> {
    if mode & !MODE_BITS != 0 {
        return Err(Fault::new(
            FaultKind::Invalid,
            format!("mode {mode:o} has bits that are no permissions"),
        ));
    }
    Ok(Mode::from_raw_mode(mode))
}

fn checked_content<'a>(path: &str, content: &'a [u8]) -> Result<&'a [u8], Fault> {
    match u64::try_from(content.len()) {
        Ok(size) if size <= MAX_CONTENT => Ok(content),
        _ => Err(too_large("write", path)),
    }
}

fn too_large(attempt: &str, path: &str) -> Fault {
    Fault::new(
        FaultKind::Exhausted,
        format!("cannot {attempt} {path:?}: larger than {MAX_CONTENT} bytes"),
    )
}

fn make_directory(dir: &Dir, path: &str, mode: Mode) -> Result<Reply, Fault> {
    let parts = resolved_path::parts(path)?;
    if open_directory_beneath(dir.as_fd(), &parts, Crossing::Allowed).is_ok() {
        return Ok(Reply::Done);
    }
    let wrong = |error| failed("make directory", path, error);
    let mut above = fcntl_dupfd_cloexec(dir, 0).map_err(wrong)?;
    let mut names = parts.iter().peekable();
    while let Some(name) = names.next() {
        let is_last = names.peek().is_none();
        let wanted = match is_last {
            true => mode,
            false => Mode::from_raw_mode(PARENT_MODE),
        };
        let made = match mkdirat(&above, name, wanted) {
            Ok(()) => true,
            Err(Errno::EXIST) => false,
            Err(error) => return Err(wrong(error)),
        };
        let here = open_directory_beneath(above.as_fd(), Path::new(name), Crossing::Allowed)
            .map_err(|error| match error {
                // mkdirat found something there.
                Errno::NOTDIR => in_the_way(path),
                Errno::LOOP if is_last => in_the_way(path),
                error => unreached("make directory", path, error),
            })?;
        if made {
            settle_directory(&above, &here, wanted).map_err(wrong)?;
        }
        above = here;
    }
    Ok(Reply::Done)
}

fn in_the_way(path: &str) -> Fault {
    Fault::new(
        FaultKind::Exists,
        format!("cannot make directory {path:?}: a file or a symlink is in the way"),
    )
}

/// The mode asked for, in spite of umask and default ACLs; set-group-ID comes from the parent and stays.
fn settle_directory(above: &OwnedFd, made: &OwnedFd, mode: Mode) -> rustix::io::Result<()> {
    let inherited = fstat(made)?.st_mode & Mode::SGID.as_raw_mode();
    rustix::fs::fchmod(made, mode | Mode::from_raw_mode(inherited))?;
    fsync(above)
}

fn set_mode(dir: &Dir, path: &str, mode: Mode) -> Result<Reply, Fault> {
    if resolved_path::parts(path)?.as_os_str().is_empty() {
        return rustix::fs::fchmod(dir, mode)
            .map(|()| Reply::Done)
            .map_err(|error| failed("set the mode of", path, error));
    }
    let target = ResolvedPath::of(dir, path)?;
    let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let entry = openat(&target.parent, &target.name, flags, Mode::empty())
        .map_err(|error| failed("open", path, error))?;
    let stat = fstat(&entry).map_err(|error| failed("open", path, error))?;
    check_mode_for(FileType::from_raw_mode(stat.st_mode), path, mode)?;
    // fchmod(2) refuses a descriptor that only names; opening one that also reads would block on a pipe.
    rustix::fs::chmod(proc_path(&entry), mode)
        .map_err(|error| failed("set the mode of", path, error))?;
    Ok(Reply::Done)
}

/// Set-user-ID and set-group-ID make a file run as its owner, for whoever can reach it: no guest gives them. On a
/// directory the one means nothing to Linux, and by the other a share keeps a group.
fn check_mode_for(kind: FileType, path: &str, mode: Mode) -> Result<(), Fault> {
    let refused = |fault, why: &str| {
        let mode = mode.as_raw_mode();
        let message = format!("cannot set the mode of {path:?} to {mode:04o}: {why}");
        Err(Fault::new(fault, message))
    };
    if kind.is_symlink() {
        return refused(FaultKind::Invalid, "it is a symlink");
    }
    if !kind.is_dir() && mode.as_raw_mode() & SET_ID != 0 {
        let why = "a driver gives set-user-ID and set-group-ID to no file, only to directories; leave them out";
        return refused(FaultKind::Denied, why);
    }
    Ok(())
}

fn look(dir: &Dir, path: &str) -> Result<Reply, Fault> {
    let wrong = |error: Errno| failed("look at", path, error);
    let stat = if resolved_path::parts(path)?.as_os_str().is_empty() {
        fstat(dir).map_err(wrong)?
    } else {
        let target = ResolvedPath::of(dir, path)?;
        statat(&target.parent, &target.name, AtFlags::SYMLINK_NOFOLLOW).map_err(wrong)?
    };
    Ok(Reply::Properties(Properties {
        kind: kind_of(FileType::from_raw_mode(stat.st_mode)),
        mode: stat.st_mode & MODE_BITS,
        size_bytes: u64::try_from(stat.st_size).unwrap_or_default(),
        modified_at_seconds: u64::try_from(stat.st_mtime).unwrap_or_default(),
    }))
}

/// Names that are not UTF-8 are shown with replacement characters; no path can name them.
fn list(dir: &Dir, path: &str) -> Result<Reply, Fault> {
    let wrong = |error: Errno| failed("list", path, error);
    let here = open_beneath(dir, path)?;
    let (mut entries, mut name_bytes) = (Vec::new(), 0);
    for entry in rustix::fs::Dir::read_from(&here).map_err(wrong)? {
        let entry = entry.map_err(wrong)?;
        let name = entry.file_name();
        if matches!(name.to_bytes(), b"." | b"..") || is_partial(name.to_bytes()) {
            continue;
        }
        if entries.len() == MAX_ENTRIES {
            return Err(Fault::new(
                FaultKind::Exhausted,
                format!("cannot list {path:?}: more than {MAX_ENTRIES} entries"),
            ));
        }
        name_bytes += name.to_bytes().len();
        if name_bytes > MAX_NAME_BYTES {
            return Err(Fault::new(
                FaultKind::Exhausted,
                format!("cannot list {path:?}: more than {MAX_NAME_BYTES} bytes of names"),
            ));
        }
        let mut file_type = entry.file_type();
        if file_type == FileType::Unknown {
            file_type = match statat(&here, name, AtFlags::SYMLINK_NOFOLLOW) {
                Ok(stat) => FileType::from_raw_mode(stat.st_mode),
                Err(error) if VANISHED.contains(&error) => continue,
                Err(error) => return Err(wrong(error)),
            };
        }
        entries.push(Entry {
            name: name.to_string_lossy().into_owned(),
            kind: kind_of(file_type),
        });
    }
    Ok(Reply::Entries(entries))
}

fn kind_of(file_type: FileType) -> EntryKind {
    match file_type {
        FileType::Directory => EntryKind::Directory,
        FileType::RegularFile => EntryKind::File,
        FileType::Symlink => EntryKind::Symlink,
        FileType::Fifo
        | FileType::Socket
        | FileType::CharacterDevice
        | FileType::BlockDevice
        | FileType::Unknown => EntryKind::Other,
    }
}

fn read(dir: &Dir, path: &str) -> Result<Reply, Fault> {
    let target = ResolvedPath::of(dir, path)?;
    let file = openat(&target.parent, &target.name, READ_FILE, Mode::empty())
        .map_err(|error| unreached("read", path, error))?;
    let stat = fstat(&file).map_err(|error| failed("read", path, error))?;
    if !FileType::from_raw_mode(stat.st_mode).is_file() {
        return Err(Fault::new(
            FaultKind::Invalid,
            format!("cannot read {path:?}: it is not a regular file"),
        ));
    }
    let mut content = Vec::new();
    std::fs::File::from(file)
        .take(MAX_CONTENT + 1)
        .read_to_end(&mut content)
        .map_err(|error| failed("read", path, error))?;
    checked_content(path, &content).map_err(|_| too_large("read", path))?;
    Ok(Reply::Content(content))
}

fn remove_tree(dir: &Dir, path: &str) -> Result<Reply, Fault> {
    match ResolvedPath::on_same_filesystem(dir, path) {
        Ok(target) => {
            remove(target.parent.as_fd(), &target.name, Path::new(path))?;
            leftovers::remove_beside(&target).map(|()| Reply::Done)
        }
        // Without its parent it is missing too.
        Err(fault) if fault.kind == FaultKind::NotFound => Ok(Reply::Done),
        Err(fault) => Err(fault),
    }
}

fn remove_empty_directory(dir: &Dir, path: &str) -> Result<Reply, Fault> {
    let target = match ResolvedPath::on_same_filesystem(dir, path) {
        Err(fault) if fault.kind == FaultKind::NotFound => return Ok(Reply::Done),
        target => target?,
    };
    let remove = || unlinkat(&target.parent, &target.name, AtFlags::REMOVEDIR);
    let removed = match remove() {
        Err(Errno::NOTEMPTY | Errno::EXIST) if leftovers::empty_of_unfinished(&target)? => remove(),
        removed => removed,
    };
    let refused = |why: &str| {
        let message = format!("cannot remove directory {path:?}: {why}");
        Err(Fault::new(FaultKind::Precondition, message))
    };
    match removed.and_then(|()| fsync(&target.parent)) {
        Ok(()) | Err(Errno::NOENT) => leftovers::remove_beside(&target).map(|()| Reply::Done),
        Err(Errno::NOTEMPTY | Errno::EXIST) => refused("something is in it"),
        Err(Errno::NOTDIR) => refused("it is none"),
        Err(error) => Err(failed("remove directory", path, error)),
    }
}

fn usage(dir: &Dir) -> Result<Reply, Fault> {
    let stat =
        rustix::fs::fstatvfs(dir).map_err(|error| failed("measure", "the directory", error))?;
    Ok(Reply::Usage(Usage {
        total_bytes: stat.f_blocks.saturating_mul(stat.f_frsize),
        available_bytes: stat.f_bavail.saturating_mul(stat.f_frsize),
        total_inodes: stat.f_files,
        available_inodes: stat.f_favail,
    }))
}

#[cfg(test)]
mod tests;
