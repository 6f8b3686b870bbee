//! Unpacking a tar file that may be hostile.
//!
//! Every member is made by its bare name in a parent that is reached step by step from the top, never
//! through a symlink, whether the archive brought it or not. `..` and absolute paths are refused rather
//! than bent. All of it happens in a directory that nobody else can enter until it is whole. What gives more than
//! its user has waits until the whole archive is known to be one that was made here.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, BufReader, Read};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use cap_std::fs::Dir;
use flate2::bufread::MultiGzDecoder;
use rustix::fs::{
    AtFlags, FileType, Mode, OFlags, Stat, XattrFlags, chmod, fstat, linkat, makedev, mkdirat,
    openat, setxattr, symlinkat,
};
use rustix::io::Errno;
use tar::EntryType;

use super::BUFFER;
use super::bounded_writer::Counted;
use super::own_archives::Records;
use super::privileged_attributes::{Waiting, WaitingList, What};
use super::reader::{Found, TarReader};
use super::sha256_stream::Sha256Stream;
use crate::worker::server::files::atomic_create::Build;
use crate::worker::server::files::attributes::{
    Attributes, SET_ID, Xattr, hold, is_capability, make_node, opens_nothing,
};
use crate::worker::server::files::live_source::{READ_FILE, within};
use crate::worker::server::files::openat2::open_child;
use crate::worker::server::files::resolved_path::{ResolvedPath, failed};
use crate::worker::server::files::tree::{Identity, identity};
use crate::worker::server::target::proc_path;
use crate::worker::server::work_limits::Bounds;
use crate::worker::{Fault, FaultKind, Reply, Withheld};

const GZIP_MAGIC: [u8; 2] = [0x1f, 0x8b];

/// Of directories that the archive uses without having them.
const PARENT_MODE: Mode = Mode::from_raw_mode(0o755);

/// Unpacks into a new directory. `to` appears whole or not at all.
pub(in crate::worker::server) fn extract_archive(
    dir: &Dir,
    source: &str,
    to: &str,
    records: &Records,
    bounds: &Bounds,
) -> Result<Reply, Fault> {
    let from = ResolvedPath::of(dir, source)?;
    let target = ResolvedPath::of(dir, to)?;
    let file = open_archive(&from)?;
    let build = Build::begin(&target)?;
    let top = build.make_directory()?;
    let (built, withheld) =
        extract(file, top, records, bounds).map_err(|fault| within("extract", &from, fault))?;
    build.finish(&built)?;
    Ok(Reply::Extracted(withheld))
}

fn open_archive(from: &ResolvedPath) -> Result<File, Fault> {
    let wrong = |error| failed("open archive", &from.path, error);
    let file = openat(&from.parent, &from.name, READ_FILE, Mode::empty()).map_err(wrong)?;
    if !FileType::from_raw_mode(fstat(&file).map_err(wrong)?.st_mode).is_file() {
        return Err(Fault::new(
            FaultKind::Invalid,
            format!("cannot extract {:?}: it is not a regular file", from.path),
        ));
    }
    Ok(File::from(file))
}

fn extract(
    file: File,
    top: OwnedFd,
    records: &Records,
    bounds: &Bounds,
) -> Result<(Stat, Withheld), Fault> {
    let wrong = |error: io::Error| failed("read", "archive", error);
    let mut magic = [0; 2];
    let compressed = file.read_exact_at(&mut magic, 0).is_ok() && magic == GZIP_MAGIC;
    let kept = top.try_clone().map_err(wrong)?;
    let mut extractor = Extractor::new(top, bounds);
    let mut file = Sha256Stream::new(file);
    let input = BufReader::with_capacity(BUFFER, &mut file);
    match compressed {
        true => extractor.add_all(MultiGzDecoder::new(input))?,
        false => extractor.add_all(input)?,
    }
    // There is nothing more, but what the digest is of must not depend on who reads how far.
    let mut rest = Paced {
        input: &mut file,
        bounds,
    };
    io::copy(&mut rest, &mut io::sink()).map_err(wrong)?;
    let waiting = std::mem::take(&mut extractor.waiting);
    let withheld = match records.has(&file.digest())? {
        true => extractor.give(waiting)?,
        false => waiting.unproven(),
    };
    extractor.finish_directories()?;
    let built = fstat(&kept).map_err(|error| wrong(error.into()))?;
    Ok((built, withheld))
}

/// The stream, as long as there is time: what makes no member can be endless too.
struct Paced<'a, R> {
    input: R,
    bounds: &'a Bounds,
}

impl<R: Read> Read for Paced<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.bounds.go_on().map_err(io::Error::other)?;
        self.input.read(buffer)
    }
}

struct Extractor<'a> {
    top: OwnedFd,
    /// The parent of the latest member: the next one's too, most often.
    parent: Option<(PathBuf, OwnedFd)>,
    /// Their modes and times are set last, the deepest first: filling a directory changes its times, and its
    /// mode may forbid it.
    directories: BTreeMap<PathBuf, Attributes>,
    /// What nobody gets unless the archive is known.
    waiting: WaitingList,
    bounds: &'a Bounds,
}

impl<'a> Extractor<'a> {
    fn new(top: OwnedFd, bounds: &'a Bounds) -> Self {
        Self {
            top,
            parent: None,
            directories: BTreeMap::new(),
            waiting: WaitingList::default(),
            bounds,
        }
    }

    /// To the very end, where gzip has its checksum.
    fn add_all<R: Read>(&mut self, input: R) -> Result<(), Fault> {
        let wrong = |error: io::Error| failed("read", "archive", error);
        let bounds = self.bounds;
        let mut reader = TarReader::new(Paced { input, bounds });
        while let Some(found) = reader.next().map_err(wrong)? {
            self.add(&found, &mut reader)?;
        }
        reader.drain().map_err(wrong)
    }

    fn add<R: Read>(&mut self, found: &Found, reader: &mut TarReader<R>) -> Result<(), Fault> {
        // Before anything is made of it: its depth is what the way there costs, and as long as a record it may be.
        self.bounds.enter(depth(&found.path))?;
        let path = member_path(&found.path)?;
        match (found.kind, path.file_name()) {
            (EntryType::Directory, _) => self.add_directory(&path, found),
            (_, None) => Err(Fault::new(
                FaultKind::Invalid,
                "a member without a name is no directory",
            )),
            (EntryType::Regular | EntryType::Continuous, Some(name)) => {
                self.add_file(&path, name, found, reader)
            }
            (EntryType::Link, Some(name)) => self.add_link(&path, name, found),
            (EntryType::Symlink, Some(name)) => self.add_symlink(&path, name, found),
            (EntryType::Fifo, Some(name)) => self.add_node(&path, name, FileType::Fifo, found),
            (EntryType::Char, Some(name)) => {
                self.add_node(&path, name, FileType::CharacterDevice, found)
            }
            (EntryType::Block, Some(name)) => {
                self.add_node(&path, name, FileType::BlockDevice, found)
            }
            (kind, Some(_)) => {
                let message = format!(
                    "{}: members of type {:?} are not known",
                    path.display(),
                    char::from(kind.as_byte())
                );
                Err(Fault::new(FaultKind::Unsupported, message))
            }
        }
    }

    fn add_directory(&mut self, path: &Path, found: &Found) -> Result<(), Fault> {
        let here = self.open(path)?;
        found.attributes.apply_owner(here.as_fd(), path)?;
        Attributes::apply_xattrs(here.as_fd(), &without_capabilities(found), path)?;
        self.bounds.keep(path.as_os_str().len())?;
        self.directories.insert(path.to_owned(), found.attributes);
        Ok(())
    }

    fn add_file<R: Read>(
        &mut self,
        path: &Path,
        name: &OsStr,
        found: &Found,
        reader: &mut TarReader<R>,
    ) -> Result<(), Fault> {
        let flags =
            OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let file = openat(self.parent(path)?, name, flags, Mode::RUSR | Mode::WUSR)
            .map_err(|error| unmade(path, error))?;
        let mut file = Counted {
            file: File::from(file),
            bounds: self.bounds,
        };
        let written = match found.real_size {
            None => io::copy(&mut reader.take(found.size), &mut file).map(drop),
            Some(size) => write_sparse(reader, &file, size),
        };
        let file = file.file;
        written.map_err(|error| failed("extract", path, error))?;
        let made = fstat(&file).map_err(|error| failed("extract", path, error))?;
        let attributes = Attributes {
            mode: self
                .waiting
                .mode_now(path, identity(&made), found.attributes.mode),
            ..found.attributes
        };
        for xattr in found.xattrs.iter().filter(|(name, _)| is_capability(name)) {
            let what = What::Capabilities(identity(&made), xattr.clone());
            self.waiting.add(path, what);
        }
        attributes.apply(file.as_fd(), &without_capabilities(found), path)
    }

    /// A second name for what the archive brought itself; a symlink in its place is linked, not followed.
    fn add_link(&mut self, path: &Path, name: &OsStr, found: &Found) -> Result<(), Fault> {
        self.bounds.descend(depth(&found.link))?;
        let first = member_path(&found.link)?;
        let Some(first_name) = first.file_name() else {
            return Err(unmade(path, Errno::INVAL));
        };
        let from = self
            .parent(&first)?
            .try_clone()
            .map_err(|error| failed("link", path, error))?;
        linkat(
            &from,
            first_name,
            self.parent(path)?,
            name,
            AtFlags::empty(),
        )
        .map_err(|error| match error {
            Errno::NOENT => Fault::new(
                FaultKind::Invalid,
                format!(
                    "the archive has {} as a second name of what it does not have before",
                    path.display()
                ),
            ),
            error => unmade(path, error),
        })
    }

    /// Where it points to is the business of those who follow it; nothing here does.
    fn add_symlink(&mut self, path: &Path, name: &OsStr, found: &Found) -> Result<(), Fault> {
        let parent = self.parent(path)?;
        symlinkat(OsStr::from_bytes(&found.link), parent, name)
            .map_err(|error| unmade(path, error))?;
        found
            .attributes
            .apply_unopened(parent.as_fd(), name, FileType::Symlink, path)
    }

    fn add_node(
        &mut self,
        path: &Path,
        name: &OsStr,
        kind: FileType,
        found: &Found,
    ) -> Result<(), Fault> {
        let device = makedev(found.device.0, found.device.1);
        let attributes = Attributes {
            mode: found.attributes.mode & !SET_ID,
            ..found.attributes
        };
        let parent = self.parent(path)?;
        if opens_nothing(kind, device) {
            return add_node_in(parent, name, (kind, device), &attributes, path);
        }
        self.waiting
            .add(path, What::Device(kind, device, attributes));
        Ok(())
    }

    /// Gives what waited, and says what had found no room.
    fn give(&mut self, list: WaitingList) -> Result<Withheld, Fault> {
        let (waiting, beyond) = list.proven();
        for Waiting { path, what } in waiting {
            let name = path.file_name().unwrap_or_default();
            let parent = self.parent(&path)?;
            match what {
                What::Device(kind, device, attributes) => {
                    add_node_in(parent, name, (kind, device), &attributes, &path)?;
                }
                What::Mode(file, mode) => {
                    let held = find_again(parent, name, file, &path)?;
                    chmod(proc_path(&held), Mode::from_raw_mode(mode))
                        .map_err(|error| failed("set the mode of", &path, error))?;
                }
                What::Capabilities(file, (name_of_it, value)) => {
                    let held = find_again(parent, name, file, &path)?;
                    setxattr(proc_path(&held), name_of_it, &value, XattrFlags::empty())
                        .map_err(|error| failed("set the capabilities of", &path, error))?;
                }
            }
        }
        Ok(beyond)
    }

    fn parent(&mut self, path: &Path) -> Result<&OwnedFd, Fault> {
        let above = path.parent().unwrap_or(Path::new(""));
        let cached = self.parent.take().filter(|(known, _)| known == above);
        let known = match cached {
            Some(known) => known,
            None => (above.to_owned(), self.open(above)?),
        };
        Ok(&self.parent.insert(known).1)
    }

    /// Opens a directory of the new tree, made if it is missing. A symlink on the way is refused.
    fn open(&self, path: &Path) -> Result<OwnedFd, Fault> {
        let mut here = self
            .top
            .try_clone()
            .map_err(|error| failed("open", path, error))?;
        for name in path {
            match mkdirat(&here, name, PARENT_MODE) {
                Ok(()) | Err(Errno::EXIST) => {}
                Err(error) => return Err(failed("make directory", path, error)),
            }
            here = open_child(here.as_fd(), name).map_err(|error| match error {
                Errno::LOOP | Errno::NOTDIR => {
                    let message = format!(
                        "{} leads through something that is not a directory",
                        path.display()
                    );
                    Fault::new(FaultKind::Denied, message)
                }
                error => failed("open directory", path, error),
            })?;
        }
        Ok(here)
    }

    fn finish_directories(&self) -> Result<(), Fault> {
        for (path, attributes) in self.directories.iter().rev() {
            self.bounds.go_on()?;
            attributes.apply_mode_and_times(self.open(path)?.as_fd(), path)?;
        }
        Ok(())
    }
}

fn without_capabilities(found: &Found) -> Vec<Xattr> {
    let kept = found.xattrs.iter().filter(|(name, _)| !is_capability(name));
    kept.cloned().collect()
}

fn add_node_in(
    parent: &OwnedFd,
    name: &OsStr,
    (kind, device): (FileType, u64),
    attributes: &Attributes,
    path: &Path,
) -> Result<(), Fault> {
    make_node(parent.as_fd(), name, kind, device, path)?;
    attributes.apply_unopened(parent.as_fd(), name, kind, path)
}

/// The file that was made under this name, and no other that took its place.
fn find_again(
    parent: &OwnedFd,
    name: &OsStr,
    made: Identity,
    path: &Path,
) -> Result<OwnedFd, Fault> {
    let wrong = |error| failed("find again", path, error);
    let held = hold(parent.as_fd(), name).map_err(wrong)?;
    match identity(&fstat(&held).map_err(wrong)?) == made {
        true => Ok(held),
        false => Err(wrong(Errno::BUSY)),
    }
}

fn unmade(path: &Path, error: Errno) -> Fault {
    match error {
        Errno::EXIST => Fault::new(
            FaultKind::Invalid,
            format!("the archive has {} twice", path.display()),
        ),
        error => failed("make", path, error),
    }
}

/// How many names a path has, at most.
fn depth(bytes: &[u8]) -> usize {
    bytes
        .split(|byte| *byte == b'/')
        .filter(|part| !part.is_empty())
        .count()
}

/// The path of a member: relative, plain, `.` components dropped; empty for the top.
fn member_path(bytes: &[u8]) -> Result<PathBuf, Fault> {
    let shown = || String::from_utf8_lossy(bytes);
    if bytes.starts_with(b"/") || bytes.contains(&0) {
        return Err(Fault::new(
            FaultKind::Denied,
            format!(
                "the archive holds {:?}, which is absolute or not a path",
                shown()
            ),
        ));
    }
    let mut path = PathBuf::new();
    for part in bytes.split(|byte| *byte == b'/') {
        match part {
            b"" | b"." => {}
            b".." => {
                return Err(Fault::new(
                    FaultKind::Denied,
                    format!(
                        "the archive holds {:?}, which leads out through ..",
                        shown()
                    ),
                ));
            }
            part => path.push(OsStr::from_bytes(part)),
        }
    }
    Ok(path)
}

fn write_sparse<R: Read>(
    reader: &mut TarReader<R>,
    file: &Counted<'_, File>,
    size: u64,
) -> io::Result<()> {
    let Counted { file, bounds } = file;
    file.set_len(size)?;
    let mut buffer = vec![0; BUFFER];
    reader.each_extent(size, |reader, extent| {
        let mut at = extent.start;
        while at < extent.end {
            let length = usize::try_from(extent.end - at)
                .unwrap_or(BUFFER)
                .min(BUFFER);
            reader.read_exact(&mut buffer[..length])?;
            bounds.write(length as u64).map_err(io::Error::other)?;
            file.write_all_at(&buffer[..length], at)?;
            at += length as u64;
        }
        Ok(())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn member_paths_are_plain_or_refused() {
        assert_eq!(member_path(b"./a//b/"), Ok(PathBuf::from("a/b")));
        assert_eq!(member_path(b"./"), Ok(PathBuf::new()));
        for path in [&b"/a"[..], b"..", b"a/../b", b"a/..", b"a\0b"] {
            assert_eq!(
                member_path(path).expect_err("refused").kind,
                FaultKind::Denied
            );
        }
    }
}
