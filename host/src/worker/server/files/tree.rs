//! Walking and removing trees, whatever those who own them do meanwhile.
//!
//! Each step opens one bare name without following a symlink, so a walk cannot be led out. Two descriptors
//! are open per walk however deep the tree is: the way up is `..`, believed only if it is the directory the
//! walk came from, and where that has gone it is searched for from the top. A walk never enters another file
//! system, nor a bind mount of the same one.

use std::ffi::{OsStr, OsString};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags, Stat, fstat, openat, statat, unlinkat};
use rustix::io::{self, Errno, fcntl_dupfd_cloexec};

use super::openat2::{crossing, open_child};
use super::resolved_path::failed;
use crate::worker::server::work_limits::Bounds;
use crate::worker::{Fault, FaultKind};

/// Which file it is, whatever it is called.
pub(crate) type Identity = (u64, u64);

/// Where a walk is.
#[derive(Debug)]
pub(crate) struct Site<'a> {
    pub(crate) parent: BorrowedFd<'a>,
    pub(crate) name: &'a OsStr,
    /// For messages, and within archives.
    pub(crate) path: &'a Path,
}

impl Site<'_> {
    /// Whether nothing is there any more.
    pub(crate) fn is_gone(&self) -> bool {
        statat(self.parent, self.name, AtFlags::SYMLINK_NOFOLLOW)
            .is_err_and(|error| VANISHED.contains(&error))
    }
}

/// How often a directory is opened that somebody exchanges meanwhile.
const TRIES: usize = 8;

/// What the kernel says of an entry that somebody has removed: on NFS, of one that another client removed, either.
pub(crate) const VANISHED: &[Errno] = &[Errno::NOENT, Errno::STALE];

/// Whether a fault can be about an entry that has vanished.
pub(crate) fn tells_of_nothing(fault: &Fault) -> bool {
    matches!(fault.kind, FaultKind::NotFound | FaultKind::Stale)
}

/// What is done on the way. The root of a walk is the caller's.
pub(crate) trait Visitor {
    /// Of which entries it is enough to hear this: they are passed over.
    const PASSED_OVER: &'static [Errno];
    /// What the walk may take.
    fn bounds(&self) -> &Bounds;
    /// Before what a directory holds.
    fn enter(&mut self, site: &Site<'_>, here: BorrowedFd<'_>, stat: &Stat) -> Result<(), Fault>;
    /// After it, with the attributes it had before. `here` is absent where the directory has gone meanwhile, and
    /// then the site's parent is not its own.
    fn leave(
        &mut self,
        site: &Site<'_>,
        here: Option<BorrowedFd<'_>>,
        stat: &Stat,
    ) -> Result<(), Fault>;
    /// Anything but a directory.
    fn entry(&mut self, site: &Site<'_>, stat: &Stat) -> Result<(), Fault>;
}

struct Level {
    name: OsString,
    stat: Stat,
    names: Names,
    /// Bytes of the names when all of them were there.
    kept: usize,
}

impl Level {
    fn read(here: BorrowedFd<'_>, name: OsString) -> io::Result<Self> {
        let names = Names::of(here)?;
        Ok(Self {
            name,
            stat: fstat(here)?,
            kept: names.0.len(),
            names,
        })
    }

    fn keep(&self, bounds: &Bounds) -> Result<(), Fault> {
        bounds.keep(self.kept)
    }
}

/// Names of one directory, end to end: a directory may hold millions.
struct Names(Vec<u8>);

impl Names {
    fn of(here: BorrowedFd<'_>) -> io::Result<Self> {
        let mut bytes = Vec::new();
        for entry in Dir::read_from(here)? {
            let entry = entry?;
            let name = entry.file_name().to_bytes();
            if !matches!(name, b"." | b"..") {
                bytes.push(0);
                bytes.extend_from_slice(name);
            }
        }
        Ok(Self(bytes))
    }

    fn pop(&mut self) -> Option<OsString> {
        let at = self.0.iter().rposition(|byte| *byte == 0)?;
        let name = self.0.split_off(at + 1);
        self.0.truncate(at);
        Some(OsString::from_vec(name))
    }
}

/// Visits everything beneath `root`. What disappears meanwhile is passed over.
pub(crate) fn walk<V: Visitor>(root: OwnedFd, path: &Path, visitor: &mut V) -> Result<(), Fault> {
    let mut path = path.to_owned();
    let unread = |path: &Path, error| failed("read directory", path, error);
    let top = fcntl_dupfd_cloexec(&root, 0).map_err(|error| unread(&path, error))?;
    let mut here = root;
    let first = Level::read(here.as_fd(), OsString::new()).map_err(|error| unread(&path, error))?;
    first.keep(visitor.bounds())?;
    let mut levels = vec![first];
    loop {
        let depth = levels.len();
        let Some(level) = levels.last_mut() else {
            return Ok(());
        };
        if let Some(name) = level.names.pop() {
            path.push(&name);
            let device = level.stat.st_dev;
            visitor.bounds().enter(depth)?;
            if let Some((below, level)) = step(&here, &name, &path, device, visitor)? {
                level.keep(visitor.bounds())?;
                levels.push(level);
                here = below;
            } else {
                path.pop();
            }
        } else if levels.len() > 1 {
            here = go_up(&top, here, &mut levels, &mut path, visitor)?;
        } else {
            return Ok(());
        }
    }
}

/// Leaves the deepest directory, and those above it that have gone meanwhile.
fn go_up<V: Visitor>(
    top: &OwnedFd,
    here: OwnedFd,
    levels: &mut Vec<Level>,
    path: &mut PathBuf,
    visitor: &mut V,
) -> Result<OwnedFd, Fault> {
    let above = levels
        .iter()
        .rev()
        .nth(1)
        .map(|level| identity(&level.stat));
    let (parent, depth, seen) = match open_parent(here.as_fd(), above.unwrap_or_default()) {
        Ok(parent) => (parent, levels.len() - 1, Some(here)),
        // Removed, or moved elsewhere; what is left of the way is the way from the top.
        Err(_) if V::PASSED_OVER.contains(&Errno::STALE) => {
            let (parent, depth) = last_there(top, levels)
                .map_err(|error| failed("go back up from", &*path, error))?;
            (parent, depth, None)
        }
        Err(error) => return Err(failed("go back up from", &*path, error)),
    };
    while levels.len() > depth
        && let Some(done) = levels.pop()
    {
        let site = Site {
            parent: parent.as_fd(),
            name: &done.name,
            path,
        };
        visitor.leave(&site, seen.as_ref().map(AsFd::as_fd), &done.stat)?;
        visitor.bounds().forget(done.kept);
        path.pop();
    }
    Ok(parent)
}

/// The deepest directory above the present one that is where it was, and how deep that is.
fn last_there(top: &OwnedFd, levels: &[Level]) -> io::Result<(OwnedFd, usize)> {
    let mut here = fcntl_dupfd_cloexec(top, 0)?;
    let above = levels.len().saturating_sub(1);
    for (depth, level) in levels.iter().enumerate().take(above).skip(1) {
        let below = open_child(here.as_fd(), &level.name)
            .and_then(|below| Ok((identity(&fstat(&below)?), below)));
        match below {
            Ok((found, below)) if found == identity(&level.stat) => here = below,
            Ok(_) | Err(Errno::NOENT | Errno::STALE | Errno::NOTDIR | Errno::LOOP) => {
                return Ok((here, depth));
            }
            Err(error) => return Err(error),
        }
    }
    Ok((here, above))
}

/// What is at a name now. Where somebody removes a directory and makes another of its name just then, the other one counts.
fn step<V: Visitor>(
    here: &OwnedFd,
    name: &OsStr,
    path: &Path,
    device: u64,
    visitor: &mut V,
) -> Result<Option<(OwnedFd, Level)>, Fault> {
    let mut tries = TRIES;
    loop {
        tries -= 1;
        match step_once(here, name, path, device, visitor) {
            Err(Stepped::IntoAnother(_)) if tries > 0 => {}
            Err(Stepped::IntoAnother(fault) | Stepped::Wrong(fault)) => return Err(fault),
            Ok(stepped) => return Ok(stepped),
        }
    }
}

/// Why a step was none.
enum Stepped {
    /// The directory that was opened is gone, and its name is there again.
    IntoAnother(Fault),
    Wrong(Fault),
}

impl From<Fault> for Stepped {
    fn from(fault: Fault) -> Self {
        Self::Wrong(fault)
    }
}

fn step_once<V: Visitor>(
    here: &OwnedFd,
    name: &OsStr,
    path: &Path,
    device: u64,
    visitor: &mut V,
) -> Result<Option<(OwnedFd, Level)>, Stepped> {
    let site = Site {
        parent: here.as_fd(),
        name,
        path,
    };
    let is_gone = |error: &Errno| V::PASSED_OVER.contains(error);
    let stat = match statat(here, name, AtFlags::SYMLINK_NOFOLLOW) {
        Ok(stat) => stat,
        Err(error) if is_gone(&error) => return Ok(None),
        Err(error) => return Err(failed("look at", path, error).into()),
    };
    if !FileType::from_raw_mode(stat.st_mode).is_dir() {
        return Ok(visitor.entry(&site, &stat).map(|()| None)?);
    }
    let below = match open_child(here.as_fd(), name) {
        Ok(below) => below,
        Err(error) if is_gone(&error) => return Ok(None),
        Err(Errno::XDEV) => return Err(crossing(path).into()),
        Err(error) => return Err(failed("open directory", path, error).into()),
    };
    let level = match Level::read(below.as_fd(), name.to_owned()) {
        Ok(level) => level,
        Err(error) if is_gone(&error) => return Ok(None),
        Err(error) => return Err(failed("read directory", path, error).into()),
    };
    if level.stat.st_dev != device {
        return Err(crossing(path).into());
    }
    match visitor.enter(&site, below.as_fd(), &level.stat) {
        Ok(()) => Ok(Some((below, level))),
        Err(fault) if is_gone(&Errno::STALE) && tells_of_nothing(&fault) && site.is_gone() => {
            Ok(None)
        }
        Err(fault) if is_gone(&Errno::STALE) && fault.kind == FaultKind::Stale => {
            Err(Stepped::IntoAnother(fault))
        }
        Err(fault) => Err(fault.into()),
    }
}

/// Opens the directory above, if it is still the one expected: somebody may have moved this one elsewhere.
pub(crate) fn open_parent(here: BorrowedFd<'_>, expected: Identity) -> io::Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let parent = openat(here, "..", flags, Mode::empty())?;
    if identity(&fstat(&parent)?) == expected {
        Ok(parent)
    } else {
        Err(Errno::BUSY)
    }
}

/// File system and inode.
pub(crate) fn identity(stat: &Stat) -> Identity {
    (stat.st_dev, stat.st_ino)
}

/// Removes a file, or a directory with all it holds. Missing is success.
pub(crate) fn remove(parent: BorrowedFd<'_>, name: &OsStr, path: &Path) -> Result<(), Fault> {
    remove_within(&Bounds::of_a_call(), parent, name, path)
}

/// The same, as far as it is allowed. What is removed stays removed.
pub(super) fn remove_within(
    bounds: &Bounds,
    parent: BorrowedFd<'_>,
    name: &OsStr,
    path: &Path,
) -> Result<(), Fault> {
    let site = Site { parent, name, path };
    match open_child(parent, name) {
        Ok(root) => {
            walk(root, path, &mut Remover(bounds))?;
            remove_directory(&site)
        }
        Err(Errno::NOENT) => Ok(()),
        Err(Errno::NOTDIR | Errno::LOOP) => remove_file(&site),
        Err(Errno::XDEV) => Err(crossing(path)),
        Err(error) => Err(failed("open directory", path, error)),
    }
}

struct Remover<'a>(&'a Bounds);

impl Visitor for Remover<'_> {
    /// What its server no longer knows may have been moved, and is not removed then.
    const PASSED_OVER: &'static [Errno] = &[Errno::NOENT];

    fn bounds(&self) -> &Bounds {
        self.0
    }

    fn enter(&mut self, _: &Site<'_>, _: BorrowedFd<'_>, _: &Stat) -> Result<(), Fault> {
        Ok(())
    }

    fn leave(&mut self, site: &Site<'_>, _: Option<BorrowedFd<'_>>, _: &Stat) -> Result<(), Fault> {
        remove_directory(site)
    }

    fn entry(&mut self, site: &Site<'_>, _: &Stat) -> Result<(), Fault> {
        remove_file(site)
    }
}

fn remove_file(site: &Site<'_>) -> Result<(), Fault> {
    match unlinkat(site.parent, site.name, AtFlags::empty()) {
        Ok(()) | Err(Errno::NOENT) => Ok(()),
        Err(error) => Err(failed("remove", site.path, error)),
    }
}

fn remove_directory(site: &Site<'_>) -> Result<(), Fault> {
    match unlinkat(site.parent, site.name, AtFlags::REMOVEDIR) {
        Ok(()) | Err(Errno::NOENT) => Ok(()),
        // An NFS client also keeps removed files under other names while somebody has them open.
        Err(Errno::NOTEMPTY | Errno::EXIST) => {
            let message = format!(
                "cannot remove {}: somebody still uses it or writes to it",
                site.path.display()
            );
            Err(Fault::new(FaultKind::Busy, message))
        }
        Err(error) => Err(failed("remove directory", site.path, error)),
    }
}

#[cfg(test)]
mod tests;
