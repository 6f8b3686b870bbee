//! Copying a tree within one directory handle.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::fs::File;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

use cap_std::fs::Dir;
use rustix::fs::{
    AtFlags, FileType, Mode, OFlags, Stat, fstat, linkat, mkdirat, openat, readlinkat, statat,
    symlinkat, unlinkat,
};
use rustix::io::Errno;

use super::files::atomic_create::Build;
use super::files::attributes::{Attributes, SET_ID, copy_attributes, make_node, read_xattrs};
use super::files::extents::ContentCopier;
use super::files::live_source::{open_file, open_source, still_there, within};
use super::files::openat2::{Crossing, open_child, open_directory_beneath};
use super::files::resolved_path::{ResolvedPath, failed};
use super::files::tree::{Site, VANISHED, Visitor, identity, open_parent, tells_of_nothing, walk};
use super::work_limits::Bounds;
use crate::worker::{Fault, FaultKind, Reply};

/// Copies a directory with all it holds, or a single file. `to` appears whole or not at all.
pub(super) fn copy_tree(
    dir: &Dir,
    source: &str,
    to: &str,
    bounds: &Bounds,
) -> Result<Reply, Fault> {
    let from = ResolvedPath::of(dir, source)?;
    let target = ResolvedPath::of(dir, to)?;
    let stat = statat(&from.parent, &from.name, AtFlags::SYMLINK_NOFOLLOW)
        .map_err(|error| failed("copy", source, error))?;
    let build = Build::begin(&target)?;
    let built = if FileType::from_raw_mode(stat.st_mode).is_dir() {
        copy_directory(&from, &build, bounds)?
    } else {
        copy_single(&from, &stat, &target, &build, bounds)?
    };
    build.finish(&built)?;
    Ok(Reply::Done)
}

/// Anything but a directory.
fn copy_single(
    from: &ResolvedPath,
    stat: &Stat,
    target: &ResolvedPath,
    build: &Build<'_>,
    bounds: &Bounds,
) -> Result<Stat, Fault> {
    let parent = target
        .parent
        .try_clone()
        .map_err(|error| failed("open the parent of", &target.path, error))?;
    let mut copier = Copier::new(parent, bounds)?;
    let site = Site {
        parent: from.parent.as_fd(),
        name: &from.name,
        path: Path::new(&from.path),
    };
    match FileType::from_raw_mode(stat.st_mode).is_file() {
        // Large ones take long, and the build keeps them from being taken for a leftover meanwhile.
        true => copier.copy_file(&site, stat, |_| build.make_file())?,
        false => copier.copy_entry(&site, stat, build.name())?,
    }
    statat(&target.parent, build.name(), AtFlags::SYMLINK_NOFOLLOW)
        .map_err(|error| failed("copy", &from.path, error))
}

fn copy_directory(from: &ResolvedPath, build: &Build<'_>, bounds: &Bounds) -> Result<Stat, Fault> {
    let path = Path::new(&from.path);
    let root = open_source(from)?;
    let stat = fstat(&root).map_err(|error| failed("copy", path, error))?;
    let target = build.make_directory()?;
    let kept = (root.try_clone(), target.try_clone());
    let mut copier = Copier::new(target, bounds)?;
    // The walk's paths begin at the root of the copy, where hard links are found again.
    walk(root, Path::new(""), &mut copier).map_err(|fault| within("copy", from, fault))?;
    still_there(from, &stat)?;
    let (root, target) = (
        kept.0.map_err(|error| failed("copy", path, error))?,
        kept.1.map_err(|error| failed("copy", path, error))?,
    );
    copy_attributes(root.as_fd(), &stat, &target, path)?;
    fstat(&target).map_err(|error| failed("copy", path, error))
}

/// The kernel takes set-user-ID and set-group-ID from a file that others write to. Where that happened while it was
/// read, what was read may be theirs.
fn as_it_is_now(file: &File, mut stat: Stat) -> rustix::io::Result<Stat> {
    if stat.st_mode & SET_ID != 0 {
        stat.st_mode &= fstat(file)?.st_mode | !SET_ID;
    }
    Ok(stat)
}

struct Copier<'a> {
    top: OwnedFd,
    here: OwnedFd,
    /// Of the copy's directories, from its top to `here`.
    trail: Vec<(u64, u64)>,
    /// Files with several names, by the first one copied.
    linked: HashMap<(u64, u64), PathBuf>,
    content: ContentCopier,
    bounds: &'a Bounds,
}

impl<'a> Copier<'a> {
    fn new(top: OwnedFd, bounds: &'a Bounds) -> Result<Self, Fault> {
        let wrong = |error| failed("open the copy", "", error);
        let here = top.try_clone().map_err(wrong)?;
        let trail = vec![identity(
            &fstat(&top).map_err(|error| failed("open the copy", "", error))?,
        )];
        Ok(Self {
            top,
            here,
            trail,
            linked: HashMap::new(),
            content: ContentCopier::new(),
            bounds,
        })
    }

    fn copy_entry(&mut self, site: &Site<'_>, stat: &Stat, name: &OsStr) -> Result<(), Fault> {
        match FileType::from_raw_mode(stat.st_mode) {
            FileType::RegularFile => self.copy_file(site, stat, |here| new_copy(here, name, site)),
            FileType::Symlink => self.copy_symlink(site, stat, name),
            kind @ (FileType::Fifo
            | FileType::Socket
            | FileType::CharacterDevice
            | FileType::BlockDevice
            | FileType::Directory
            | FileType::Unknown) => {
                make_node(self.here.as_fd(), name, kind, stat.st_rdev, site.path)?;
                self.remember(site, stat)?;
                Attributes::from(stat).apply_unopened(self.here.as_fd(), name, kind, site.path)
            }
        }
    }

    fn copy_file(
        &mut self,
        site: &Site<'_>,
        stat: &Stat,
        make: impl FnOnce(&OwnedFd) -> Result<File, Fault>,
    ) -> Result<(), Fault> {
        let Some((file, stat)) = open_file(site, stat)? else {
            return Ok(());
        };
        let wrong = |error: std::io::Error| failed("copy", site.path, error);
        let copy = make(&self.here)?;
        let size = u64::try_from(stat.st_size).unwrap_or_default();
        self.content
            .copy(&file, &copy, size, self.bounds)
            .map_err(wrong)?;
        let stat = as_it_is_now(&file, stat).map_err(|error| wrong(error.into()))?;
        copy_attributes(file.as_fd(), &stat, &copy, site.path)?;
        self.remember(site, &stat)
    }

    /// For the other names of what was copied.
    fn remember(&mut self, site: &Site<'_>, copied: &Stat) -> Result<(), Fault> {
        if copied.st_nlink > 1 {
            self.bounds.keep(site.path.as_os_str().len())?;
            self.linked.insert(identity(copied), site.path.to_owned());
        }
        Ok(())
    }

    /// A second name for what was copied before. No symlink is followed to it: root in a pod may enter the copy, and
    /// exchange a directory for one.
    fn link(&self, first: &Path, name: &OsStr) -> rustix::io::Result<()> {
        let above = first.parent().unwrap_or(Path::new(""));
        let parent = open_directory_beneath(self.top.as_fd(), above, Crossing::Refused)?;
        let first = first.file_name().unwrap_or_default();
        linkat(&parent, first, &self.here, name, AtFlags::empty())
    }

    fn copy_symlink(&mut self, site: &Site<'_>, stat: &Stat, name: &OsStr) -> Result<(), Fault> {
        let wrong = |error| failed("copy symlink", site.path, error);
        let target = readlinkat(site.parent, site.name, Vec::new()).map_err(wrong)?;
        symlinkat(target.as_c_str(), &self.here, name).map_err(wrong)?;
        self.remember(site, stat)?;
        Attributes::from(stat).apply_unopened(self.here.as_fd(), name, FileType::Symlink, site.path)
    }
}

fn new_copy(here: &OwnedFd, name: &OsStr, site: &Site<'_>) -> Result<File, Fault> {
    let flags = OFlags::RDWR | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    openat(here, name, flags, Mode::RUSR | Mode::WUSR)
        .map(File::from)
        .map_err(|error| failed("copy", site.path, error))
}

impl Visitor for Copier<'_> {
    const PASSED_OVER: &'static [Errno] = VANISHED;

    fn bounds(&self) -> &Bounds {
        self.bounds
    }

    fn enter(&mut self, site: &Site<'_>, _: BorrowedFd<'_>, stat: &Stat) -> Result<(), Fault> {
        if self.trail.first() == Some(&identity(stat)) {
            return Err(Fault::new(
                FaultKind::Invalid,
                "the copy would lie beneath its source",
            ));
        }
        let wrong = |error| failed("make directory", site.path, error);
        mkdirat(&self.here, site.name, Mode::RWXU).map_err(wrong)?;
        self.here = open_child(self.here.as_fd(), site.name).map_err(wrong)?;
        self.trail
            .push(identity(&fstat(&self.here).map_err(wrong)?));
        Ok(())
    }

    fn leave(
        &mut self,
        site: &Site<'_>,
        here: Option<BorrowedFd<'_>>,
        stat: &Stat,
    ) -> Result<(), Fault> {
        let xattrs = match here.map(|here| read_xattrs(here, site.path)) {
            Some(Err(fault)) if !tells_of_nothing(&fault) => return Err(fault),
            // It has gone, and what it held was read before.
            None | Some(Err(_)) => Vec::new(),
            Some(Ok(xattrs)) => xattrs,
        };
        Attributes::from(stat).apply(self.here.as_fd(), &xattrs, site.path)?;
        self.trail.pop();
        let above = self.trail.last().copied().unwrap_or_default();
        self.here = open_parent(self.here.as_fd(), above)
            .map_err(|error| failed("go back up from", site.path, error))?;
        Ok(())
    }

    fn entry(&mut self, site: &Site<'_>, stat: &Stat) -> Result<(), Fault> {
        if stat.st_nlink > 1
            && let Some(first) = self.linked.get(&identity(stat))
        {
            match self.link(first, site.name) {
                Ok(()) => return Ok(()),
                // Too deep to be named again: a copy of its own then.
                Err(Errno::NAMETOOLONG) => {}
                Err(error) => return Err(failed("link", site.path, error)),
            }
        }
        match self.copy_entry(site, stat, site.name) {
            Err(fault) if tells_of_nothing(&fault) && site.is_gone() => {
                // Half of it may be there.
                match unlinkat(&self.here, site.name, AtFlags::empty()) {
                    Ok(()) | Err(Errno::NOENT) => Ok(()),
                    Err(error) => Err(failed("leave out", site.path, error)),
                }
            }
            copied => copied,
        }
    }
}

#[cfg(test)]
mod tests;
