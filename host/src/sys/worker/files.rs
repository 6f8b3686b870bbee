//! Work beneath a directory handle.
//!
//! A path is taken apart before it is used; intermediate directories are opened by cap-std, which refuses
//! whatever leads out, and the last component is then worked on by its bare name in its open parent. What
//! changes something never follows a symlink in the last component. Nothing here knows grants.

mod attributes;
mod content;
mod partial;
mod place;
mod squash;
mod tree;

use std::io::Read;
use std::os::fd::AsFd;
use std::path::Path;

use cap_std::fs::{Dir, OpenOptions, OpenOptionsExt};
use rustix::fs::{
    AtFlags, FileType, Mode, OFlags, RawMode, fstat, fsync, mkdirat, openat, statat, unlinkat,
};
use rustix::io::Errno;

pub(crate) use attributes::{
    Attributes, Timestamp, Xattr, copy_attributes, is_content, make_node, read_xattrs,
};
pub(crate) use content::{ContentCopier, extents};
pub(crate) use partial::Build;
pub(crate) use place::{Place, failed};
pub(crate) use tree::{
    Site, VANISHED, Visitor, identity, open_child, open_parent, remove, tells_of_nothing, walk,
};

use super::mount::open_directory;
use super::{
    Entry, EntryKind, Fault, FaultKind, FileOperation, Properties, Reply, Usage, archive, copy,
};

/// The contract's bound on a directory listing.
const MAX_ENTRIES: usize = 10_000;

/// The contract's bound on a file that crosses to the guest.
const MAX_CONTENT: u64 = 64 * 1024;

/// Of parents that the guest did not ask for by name.
const PARENT_MODE: u32 = 0o755;

/// Permission bits, with set-user-ID, set-group-ID and sticky.
pub(crate) const MODE_BITS: RawMode = 0o7777;

/// Opens a directory of the node. The operator wrote the path, so its symlinks are the operator's.
pub(super) fn open_local(path: &Path) -> Result<Dir, Fault> {
    open_directory(path).map(Dir::from_std_file)
}

/// Opens a directory beneath another; an empty path is the directory itself.
pub(super) fn open_beneath(dir: &Dir, path: &str) -> Result<Dir, Fault> {
    place::open_plain(dir, &place::parts(path)?)
        .map_err(|error| failed("open directory", path, error))
}

/// Carries out one operation.
pub(super) fn carry_out(dir: &Dir, operation: FileOperation) -> Result<Reply, Fault> {
    let changes = !matches!(
        operation,
        FileOperation::Look { .. }
            | FileOperation::List { .. }
            | FileOperation::Read { .. }
            | FileOperation::Usage
    );
    match work(dir, operation) {
        Err(fault) if changes => Err(squash::explained(dir, fault)),
        answer => answer,
    }
}

fn work(dir: &Dir, operation: FileOperation) -> Result<Reply, Fault> {
    match operation {
        FileOperation::MakeDirectory { path, mode } => {
            make_directory(dir, &path, checked_mode(mode)?)
        }
        FileOperation::SetMode { path, mode } => set_mode(dir, &path, checked_mode(mode)?),
        FileOperation::Look { path } => look(dir, &path),
        FileOperation::List { path } => list(dir, &path),
        FileOperation::Read { path } => read(dir, &path),
        FileOperation::Create { path, content } => {
            partial::create_file(&Place::of(dir, &path)?, checked_content(&path, &content)?)
        }
        FileOperation::Write { path, content } => {
            partial::write_file(&Place::of(dir, &path)?, checked_content(&path, &content)?)
        }
        FileOperation::Rename { source, to } => {
            partial::rename(&Place::of(dir, &source)?, &Place::of(dir, &to)?)
        }
        FileOperation::Remove { path } => remove_tree(dir, &path),
        FileOperation::RemoveDirectory { path } => remove_empty_directory(dir, &path),
        FileOperation::Copy { source, to } => copy::copy_tree(dir, &source, &to),
        FileOperation::Archive {
            source,
            to,
            compression,
        } => archive::archive_tree(dir, &source, &to, compression),
        FileOperation::Extract { source, to } => archive::extract_archive(dir, &source, &to),
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

/// Every prefix is opened from the top, so that a symlink within the directory may point anywhere beneath it.
fn make_directory(dir: &Dir, path: &str, mode: Mode) -> Result<Reply, Fault> {
    let parts = place::parts(path)?;
    let failed = |error| match error {
        Errno::NOTDIR => Fault::new(
            FaultKind::Exists,
            format!("cannot make directory {path:?}: a file is in the way"),
        ),
        error => failed("make directory", path, error),
    };
    if open_beneath(dir, path).is_ok() {
        return Ok(Reply::Done);
    }
    let mut above = dir
        .try_clone()
        .map_err(|error| place::failed("open directory", path, error))?;
    let mut prefix = std::path::PathBuf::new();
    let mut components = parts.components().peekable();
    while let Some(name) = components.next() {
        prefix.push(name);
        let wanted = if components.peek().is_some() {
            Mode::from_raw_mode(PARENT_MODE)
        } else {
            mode
        };
        let made = match mkdirat(&above, name.as_os_str(), wanted) {
            Ok(()) => true,
            Err(Errno::EXIST) => false,
            Err(error) => return Err(failed(error)),
        };
        let here = place::open_plain(dir, &prefix).map_err(|error| {
            match Errno::from_io_error(&error) {
                // mkdirat found something there: a file, or a symlink to nowhere.
                Some(Errno::NOTDIR | Errno::NOENT) => failed(Errno::NOTDIR),
                _ => place::failed("make directory", path, error),
            }
        })?;
        if made {
            settle_directory(&above, &here, wanted).map_err(failed)?;
        }
        above = here;
    }
    Ok(Reply::Done)
}

/// The mode asked for, in spite of umask and default ACLs; set-group-ID comes from the parent and stays.
fn settle_directory(above: &Dir, made: &Dir, mode: Mode) -> rustix::io::Result<()> {
    let inherited = fstat(made)?.st_mode & Mode::SGID.as_raw_mode();
    rustix::fs::fchmod(made, mode | Mode::from_raw_mode(inherited))?;
    fsync(above)
}

fn set_mode(dir: &Dir, path: &str, mode: Mode) -> Result<Reply, Fault> {
    if place::parts(path)?.as_os_str().is_empty() {
        return rustix::fs::fchmod(dir, mode)
            .map(|()| Reply::Done)
            .map_err(|error| failed("set the mode of", path, error));
    }
    let place = Place::of(dir, path)?;
    let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let entry = openat(&place.parent, &place.name, flags, Mode::empty())
        .map_err(|error| failed("open", path, error))?;
    let kind = fstat(&entry)
        .map_err(|error| failed("open", path, error))?
        .st_mode;
    if FileType::from_raw_mode(kind).is_symlink() {
        return Err(Fault::new(
            FaultKind::Invalid,
            format!("cannot set the mode of {path:?}: it is a symlink"),
        ));
    }
    // fchmod(2) refuses a descriptor that only names; opening one that also reads would block on a pipe.
    rustix::fs::chmod(super::mount::proc_path(&entry), mode)
        .map_err(|error| failed("set the mode of", path, error))?;
    Ok(Reply::Done)
}

fn look(dir: &Dir, path: &str) -> Result<Reply, Fault> {
    let wrong = |error: Errno| failed("look at", path, error);
    let stat = if place::parts(path)?.as_os_str().is_empty() {
        fstat(dir).map_err(wrong)?
    } else {
        let place = Place::of(dir, path)?;
        statat(&place.parent, &place.name, AtFlags::SYMLINK_NOFOLLOW).map_err(wrong)?
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
    let mut entries = Vec::new();
    for entry in rustix::fs::Dir::read_from(&here).map_err(wrong)? {
        let entry = entry.map_err(wrong)?;
        let name = entry.file_name();
        if matches!(name.to_bytes(), b"." | b"..") || partial::is_partial(name.to_bytes()) {
            continue;
        }
        if entries.len() == MAX_ENTRIES {
            return Err(Fault::new(
                FaultKind::Exhausted,
                format!("cannot list {path:?}: more than {MAX_ENTRIES} entries"),
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
    let parts = place::named_parts(path)?;
    let wrong = |error| failed("read", path, error);
    let mut options = OpenOptions::new();
    // Not waiting for the other end of a pipe.
    options
        .read(true)
        .custom_flags(nix::libc::O_NONBLOCK | nix::libc::O_NOCTTY);
    let file = dir.open_with(parts, &options).map_err(wrong)?;
    if !file.metadata().map_err(wrong)?.is_file() {
        return Err(Fault::new(
            FaultKind::Invalid,
            format!("cannot read {path:?}: it is not a regular file"),
        ));
    }
    let mut content = Vec::new();
    file.take(MAX_CONTENT + 1)
        .read_to_end(&mut content)
        .map_err(wrong)?;
    checked_content(path, &content).map_err(|_| too_large("read", path))?;
    Ok(Reply::Content(content))
}

fn remove_tree(dir: &Dir, path: &str) -> Result<Reply, Fault> {
    match Place::of(dir, path) {
        Ok(place) => {
            remove(place.parent.as_fd(), &place.name, Path::new(path)).map(|()| Reply::Done)
        }
        // Without its parent it is missing too.
        Err(fault) if fault.kind == FaultKind::NotFound => Ok(Reply::Done),
        Err(fault) => Err(fault),
    }
}

fn remove_empty_directory(dir: &Dir, path: &str) -> Result<Reply, Fault> {
    let place = match Place::of(dir, path) {
        Err(fault) if fault.kind == FaultKind::NotFound => return Ok(Reply::Done),
        place => place?,
    };
    let removed = unlinkat(&place.parent, &place.name, AtFlags::REMOVEDIR);
    let refused = |why: &str| {
        let message = format!("cannot remove directory {path:?}: {why}");
        Err(Fault::new(FaultKind::Precondition, message))
    };
    match removed.and_then(|()| fsync(&place.parent)) {
        Ok(()) | Err(Errno::NOENT) => Ok(Reply::Done),
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
