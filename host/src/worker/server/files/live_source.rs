//! What is read to be copied or packed, while those who use it go on writing to it.

use std::fs::File;
use std::os::fd::OwnedFd;
use std::path::Path;

use rustix::fs::{AtFlags, FileType, Mode, OFlags, Stat, fstat, openat, statat};

use super::resolved_path::{ResolvedPath, failed};
use super::tree::{Site, VANISHED, identity};
use crate::worker::{Fault, FaultKind};

/// A file of somebody's is opened without following a link and without waiting for the other end of a pipe.
pub(in crate::worker::server) const READ_FILE: OFlags = OFlags::RDONLY
    .union(OFlags::NOFOLLOW)
    .union(OFlags::NONBLOCK)
    .union(OFlags::NOCTTY)
    .union(OFlags::CLOEXEC);

/// A source may be a mount point itself; what lies beneath it may not hold another.
pub(in crate::worker::server) fn open_source(from: &ResolvedPath) -> Result<OwnedFd, Fault> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    openat(&from.parent, &from.name, flags, Mode::empty())
        .map_err(|error| failed("open directory", &from.path, error))
}

/// A fault in the midst of the work. It is never about the source itself: that was there, and what is missing now
/// is what was being made.
pub(in crate::worker::server) fn within(attempt: &str, from: &ResolvedPath, fault: Fault) -> Fault {
    let kind = match fault.kind == FaultKind::NotFound {
        true => FaultKind::Busy,
        false => fault.kind,
    };
    Fault::new(
        kind,
        format!("cannot {attempt} {:?}: {}", from.path, fault.message),
    )
}

/// What was passed over on the way may have been all of it.
pub(in crate::worker::server) fn still_there(
    from: &ResolvedPath,
    root: &Stat,
) -> Result<(), Fault> {
    let now = statat(&from.parent, &from.name, AtFlags::SYMLINK_NOFOLLOW)
        .map_err(|error| failed("find again", &from.path, error))?;
    match identity(&now) == identity(root) {
        true => Ok(()),
        false => Err(exchanged(Path::new(&from.path))),
    }
}

fn exchanged(path: &Path) -> Fault {
    Fault::new(
        FaultKind::Busy,
        format!("{} was exchanged while it was read", path.display()),
    )
}

/// Opens a regular file found by a walk, or the one that has taken its name since; `None` if none has. What is
/// written anew and renamed is exchanged all the time.
pub(in crate::worker::server) fn open_file(
    site: &Site<'_>,
    found: &Stat,
) -> Result<Option<(File, Stat)>, Fault> {
    let wrong = |error| failed("open", site.path, error);
    let file = match openat(site.parent, site.name, READ_FILE, Mode::empty()) {
        Ok(file) => file,
        Err(error) if VANISHED.contains(&error) => return Ok(None),
        Err(error) => return Err(wrong(error)),
    };
    let stat = match fstat(&file) {
        Err(error) if VANISHED.contains(&error) => return Ok(None),
        stat => stat.map_err(wrong)?,
    };
    let is_file = FileType::from_raw_mode(stat.st_mode).is_file();
    if !is_file || stat.st_dev != found.st_dev {
        return Err(exchanged(site.path));
    }
    Ok(Some((File::from(file), stat)))
}
