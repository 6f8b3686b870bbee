//! Packing a tree into one tar file.
//!
//! POSIX pax format (IEEE Std 1003.1, pax, "pax Interchange Format") with GNU's sparse files 1.0 and
//! star's attributes, so that GNU tar and bsdtar read it too. Sockets have no place in such a file and are
//! left out, as tar does.
//!
//! An archive that holds what a guest may not give is noted: only what was made here is believed when it is unpacked.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, BufRead, BufReader, BufWriter, Read, Write};
use std::ops::Range;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::FileExt;
use std::path::Path;

use cap_std::fs::Dir;
use flate2::write::GzEncoder;
use rustix::fs::{FileType, RawMode, Stat, fstat, major, minor, readlinkat};
use rustix::io::Errno;
use tar::{Builder, EntryType, Header};

use super::bounded_writer::Counted;
use super::own_archives::Records;
use super::sha256_stream::Sha256Stream;
use super::{BLOCK, BUFFER, MAX_EXTENTS, XATTR_PREFIX};
use crate::worker::server::files::atomic_create::Build;
use crate::worker::server::files::attributes::{
    Attributes, SET_ID, Timestamp, Xattr, is_capability, is_content, opens_nothing, read_xattrs,
};
use crate::worker::server::files::extents::extents;
use crate::worker::server::files::live_source::{open_file, open_source, still_there, within};
use crate::worker::server::files::resolved_path::{ResolvedPath, failed};
use crate::worker::server::files::tree::{
    Site, VANISHED, Visitor, identity, tells_of_nothing, walk,
};
use crate::worker::server::work_limits::Bounds;
use crate::worker::{Compression, Fault, FaultKind, Reply};

/// Bytes that a header has for a path; a longer one becomes a pax record.
const NAME_MAX: usize = 100;

/// Packs a directory. `to` appears whole or not at all.
pub(in crate::worker::server) fn archive_tree(
    dir: &Dir,
    source: &str,
    to: &str,
    compression: Compression,
    records: &Records,
    bounds: &Bounds,
) -> Result<Reply, Fault> {
    let from = ResolvedPath::of(dir, source)?;
    let target = ResolvedPath::of(dir, to)?;
    let root = open_source(&from)?;
    let stat = fstat(&root).map_err(|error| failed("archive", source, error))?;
    let build = Build::begin(&target)?;
    let file = build.make_file()?;
    let wrong = |error: io::Error| failed("archive", source, error);
    let own = fstat(&file).map_err(|error| wrong(error.into()))?;
    let out = Counted {
        file: file.try_clone().map_err(wrong)?,
        bounds,
    };
    let packed = pack(
        root.into(),
        &own,
        Sha256Stream::new(out),
        compression,
        bounds,
    );
    let packed = packed.map_err(|fault| within("archive", &from, fault))?;
    still_there(&from, &stat)?;
    file.sync_all().map_err(wrong)?;
    let built = fstat(&file).map_err(|error| wrong(error.into()))?;
    // Before anybody can find it, so that a kill loses nothing but the archive.
    if packed.withheld > 0 {
        records.note(&packed.out.digest())?;
    }
    build.finish(&built)?;
    Ok(Reply::Size(
        u64::try_from(built.st_size).unwrap_or_default(),
    ))
}

/// What was written.
struct Packed<W> {
    out: W,
    /// Entries with something that they get back only if the archive is known.
    withheld: u64,
}

fn pack<W: Write>(
    root: File,
    own: &Stat,
    out: W,
    compression: Compression,
    bounds: &Bounds,
) -> Result<Packed<W>, Fault> {
    let wrong = |error: io::Error| failed("write the archive of", "", error);
    let out = BufWriter::with_capacity(BUFFER, out);
    let (out, withheld) = match compression {
        Compression::None => pack_into(out, root, own, bounds)?,
        // The fastest level: the next ones take three times as long for a tenth less.
        Compression::Gzip => {
            let out = GzEncoder::new(out, flate2::Compression::fast());
            let (out, withheld) = pack_into(out, root, own, bounds)?;
            (out.finish().map_err(wrong)?, withheld)
        }
    };
    let out = out
        .into_inner()
        .map_err(|error| wrong(error.into_error()))?;
    Ok(Packed { out, withheld })
}

fn pack_into<W: Write>(out: W, root: File, own: &Stat, bounds: &Bounds) -> Result<(W, u64), Fault> {
    let wrong = |error: io::Error| failed("write the archive of", "", error);
    let stat = fstat(&root).map_err(|error| wrong(error.into()))?;
    let mut packer = Packer::new(out, own, bounds);
    packer.add_directory(Path::new("."), root.as_fd(), &stat)?;
    walk(root.into(), Path::new("."), &mut packer)?;
    let out = packer.out.into_inner().map_err(wrong)?;
    Ok((out, packer.withheld))
}

struct Packer<'a, W: Write> {
    out: Builder<W>,
    /// The archive itself, which must not be packed.
    own: (u64, u64),
    /// Files with several names, by the first one packed.
    linked: HashMap<(u64, u64), Vec<u8>>,
    /// Entries with something that they get back only if the archive is known.
    withheld: u64,
    bounds: &'a Bounds,
}

/// What a member is, besides its attributes.
struct Member<'a> {
    kind: EntryType,
    path: &'a [u8],
    link: &'a [u8],
    /// Bytes of data in the archive.
    size: u64,
    xattrs: &'a [Xattr],
    /// Of a sparse file: its real size.
    real_size: Option<u64>,
    /// Of a device node: its number.
    device: u64,
}

impl<'a> Member<'a> {
    fn new(kind: EntryType, path: &'a Path) -> Self {
        Self {
            kind,
            path: path.as_os_str().as_bytes(),
            link: &[],
            size: 0,
            xattrs: &[],
            real_size: None,
            device: 0,
        }
    }
}

impl<'a, W: Write> Packer<'a, W> {
    fn new(out: W, own: &Stat, bounds: &'a Bounds) -> Self {
        Self {
            out: Builder::new(out),
            own: identity(own),
            linked: HashMap::new(),
            withheld: 0,
            bounds,
        }
    }

    fn add(&mut self, member: &Member<'_>, stat: &Stat, data: impl Read) -> Result<(), Fault> {
        let attributes = Attributes::from(stat);
        let records = records(member, &attributes);
        let records = records
            .iter()
            .map(|(key, value)| (key.as_str(), value.as_slice()));
        let header = header(member, &attributes);
        self.out
            .append_pax_extensions(records)
            .and_then(|()| self.out.append(&header, data))
            .map_err(|error| {
                failed(
                    "archive",
                    Path::new(std::ffi::OsStr::from_bytes(member.path)),
                    error,
                )
            })
    }

    fn add_directory(
        &mut self,
        path: &Path,
        here: BorrowedFd<'_>,
        stat: &Stat,
    ) -> Result<(), Fault> {
        let xattrs = kept_xattrs(here, path)?;
        let member = Member {
            xattrs: &xattrs,
            ..Member::new(EntryType::Directory, path)
        };
        self.add(&member, stat, io::empty())
    }

    fn add_file(&mut self, site: &Site<'_>, found: &Stat) -> Result<(), Fault> {
        let Some(packed) = (match PackedFile::open(site, found) {
            // A member that was begun cannot be taken back: until here nothing was written.
            Err(fault) if tells_of_nothing(&fault) && site.is_gone() => None,
            packed => packed?,
        }) else {
            return Ok(());
        };
        self.refuse_own(&packed.stat)?;
        let member = Member {
            size: packed.size,
            xattrs: &packed.xattrs,
            real_size: packed.real_size,
            ..Member::new(EntryType::Regular, site.path)
        };
        let data = packed.map.as_slice().chain(packed.content);
        self.add(&member, &packed.stat, data)?;
        if let Some(watched) = packed.watched {
            watched.check(site.path)?;
            self.withheld += 1;
        }
        // Only what is in the archive can have a second name there.
        if packed.stat.st_nlink > 1 {
            let path = site.path.as_os_str().as_bytes().to_vec();
            self.bounds.keep(path.len())?;
            self.linked.insert(identity(&packed.stat), path);
        }
        Ok(())
    }

    fn add_device(&mut self, kind: EntryType, site: &Site<'_>, stat: &Stat) -> Result<(), Fault> {
        if !opens_nothing(FileType::from_raw_mode(stat.st_mode), stat.st_rdev) {
            self.withheld += 1;
        }
        let member = Member {
            device: stat.st_rdev,
            ..Member::new(kind, site.path)
        };
        self.add(&member, stat, io::empty())
    }

    fn refuse_own(&self, stat: &Stat) -> Result<(), Fault> {
        match identity(stat) == self.own {
            true => Err(Fault::new(
                FaultKind::Invalid,
                "the archive would lie beneath its source",
            )),
            false => Ok(()),
        }
    }

    fn add_symlink(&mut self, site: &Site<'_>, stat: &Stat) -> Result<(), Fault> {
        let target = match readlinkat(site.parent, site.name, Vec::new()) {
            Err(error) if VANISHED.contains(&error) => return Ok(()),
            target => target.map_err(|error| failed("read symlink", site.path, error))?,
        };
        let member = Member {
            link: target.as_bytes(),
            ..Member::new(EntryType::Symlink, site.path)
        };
        self.add(&member, stat, io::empty())
    }
}

/// A regular file, about to be packed.
struct PackedFile {
    stat: Stat,
    xattrs: Vec<Xattr>,
    map: Vec<u8>,
    content: BufReader<ExtentReader>,
    /// Bytes of map and data.
    size: u64,
    /// Of a sparse file: its real size.
    real_size: Option<u64>,
    /// Where it has something that it gets back only if the archive is known.
    watched: Option<Watched>,
}

/// A file that has set-user-ID, set-group-ID or capabilities, from before it is read. The kernel takes them away when
/// others write to it: had that happened meanwhile, the archive would hold their bytes beneath what was given to others.
struct Watched {
    file: File,
    set_id: RawMode,
    capabilities: Vec<Xattr>,
}

impl Watched {
    fn of(file: &File, stat: &Stat, xattrs: &[Xattr]) -> io::Result<Option<Self>> {
        let set_id = stat.st_mode & SET_ID;
        let capabilities = capabilities(xattrs);
        if set_id == 0 && capabilities.is_empty() {
            return Ok(None);
        }
        Ok(Some(Self {
            file: file.try_clone()?,
            set_id,
            capabilities,
        }))
    }

    fn check(&self, path: &Path) -> Result<(), Fault> {
        let stat = fstat(&self.file).map_err(|error| failed("look at", path, error))?;
        let xattrs = read_xattrs(self.file.as_fd(), path)?;
        match stat.st_mode & SET_ID == self.set_id && capabilities(&xattrs) == self.capabilities {
            true => Ok(()),
            false => Err(Fault::new(
                FaultKind::Busy,
                format!("{} was written to while it was read", path.display()),
            )),
        }
    }
}

fn capabilities(xattrs: &[Xattr]) -> Vec<Xattr> {
    let found = xattrs.iter().filter(|(name, _)| is_capability(name));
    found.cloned().collect()
}

impl PackedFile {
    /// `None` if it has vanished.
    fn open(site: &Site<'_>, found: &Stat) -> Result<Option<Self>, Fault> {
        let Some((file, stat)) = open_file(site, found)? else {
            return Ok(None);
        };
        let wrong = |error| failed("read", site.path, error);
        let size = u64::try_from(stat.st_size).unwrap_or_default();
        // The map has one more, which says where the file ends.
        let extents = extents(&file, size, MAX_EXTENTS - 1).map_err(wrong)?;
        let xattrs = kept_xattrs(file.as_fd(), site.path)?;
        let watched = Watched::of(&file, &stat, &xattrs).map_err(wrong)?;
        let data: u64 = extents.iter().map(|extent| extent.end - extent.start).sum();
        let map = match data == size {
            true => Vec::new(),
            false => sparse_map(&extents, size),
        };
        let reader = ExtentReader {
            file,
            extents: extents.into(),
        };
        let mut content = BufReader::with_capacity(BUFFER, reader);
        // Most files are no larger, and those can no longer vanish in the midst.
        content.fill_buf().map_err(wrong)?;
        Ok(Some(Self {
            stat,
            xattrs,
            size: data + map.len() as u64,
            map,
            content,
            real_size: (data != size).then_some(size),
            watched,
        }))
    }
}

impl<W: Write> Visitor for Packer<'_, W> {
    const PASSED_OVER: &'static [Errno] = VANISHED;

    fn bounds(&self) -> &Bounds {
        self.bounds
    }

    fn enter(&mut self, site: &Site<'_>, here: BorrowedFd<'_>, stat: &Stat) -> Result<(), Fault> {
        self.add_directory(site.path, here, stat)
    }

    fn leave(&mut self, _: &Site<'_>, _: Option<BorrowedFd<'_>>, _: &Stat) -> Result<(), Fault> {
        Ok(())
    }

    fn entry(&mut self, site: &Site<'_>, stat: &Stat) -> Result<(), Fault> {
        self.refuse_own(stat)?;
        let kind = FileType::from_raw_mode(stat.st_mode);
        if stat.st_nlink > 1
            && kind.is_file()
            && let Some(first) = self.linked.get(&identity(stat)).cloned()
        {
            let member = Member {
                link: &first,
                ..Member::new(EntryType::Link, site.path)
            };
            return self.add(&member, stat, io::empty());
        }
        match kind {
            FileType::RegularFile => self.add_file(site, stat),
            FileType::Symlink => self.add_symlink(site, stat),
            FileType::Fifo => self.add(&Member::new(EntryType::Fifo, site.path), stat, io::empty()),
            FileType::CharacterDevice => self.add_device(EntryType::Char, site, stat),
            FileType::BlockDevice => self.add_device(EntryType::Block, site, stat),
            FileType::Socket => Ok(()),
            FileType::Directory | FileType::Unknown => {
                let message = format!("{} is of no known kind", site.path.display());
                Err(Fault::new(FaultKind::Unsupported, message))
            }
        }
    }
}

fn kept_xattrs(file: BorrowedFd<'_>, path: &Path) -> Result<Vec<Xattr>, Fault> {
    Ok(read_xattrs(file, path)?
        .into_iter()
        .filter(|(name, _)| is_content(name))
        .collect())
}

fn header(member: &Member<'_>, attributes: &Attributes) -> Header {
    let mut header = Header::new_ustar();
    header.set_entry_type(member.kind);
    header.set_mode(attributes.mode);
    header.set_uid(attributes.uid.into());
    header.set_gid(attributes.gid.into());
    header.set_mtime(u64::try_from(attributes.modified.0).unwrap_or_default());
    header.set_size(member.size);
    if let Some(ustar) = header.as_ustar_mut() {
        ustar.set_device_major(major(member.device));
        ustar.set_device_minor(minor(member.device));
    }
    let old = header.as_old_mut();
    let name = &member.path[..member.path.len().min(NAME_MAX)];
    old.name[..name.len()].copy_from_slice(name);
    let link = &member.link[..member.link.len().min(NAME_MAX)];
    old.linkname[..link.len()].copy_from_slice(link);
    header.set_cksum();
    header
}

/// What a header has no room for.
fn records(member: &Member<'_>, attributes: &Attributes) -> Vec<(String, Vec<u8>)> {
    let mut records = vec![
        (
            "mtime".to_owned(),
            decimal(attributes.modified).into_bytes(),
        ),
        (
            "atime".to_owned(),
            decimal(attributes.accessed).into_bytes(),
        ),
    ];
    let mut add = |key: &str, value: &[u8]| records.push((key.to_owned(), value.to_vec()));
    if member.path.len() > NAME_MAX {
        add("path", member.path);
    }
    if member.link.len() > NAME_MAX {
        add("linkpath", member.link);
    }
    if let Some(real_size) = member.real_size {
        add("GNU.sparse.major", b"1");
        add("GNU.sparse.minor", b"0");
        add("GNU.sparse.name", member.path);
        add("GNU.sparse.realsize", real_size.to_string().as_bytes());
    }
    for (name, value) in member.xattrs {
        add(&format!("{XATTR_PREFIX}{}", name.to_string_lossy()), value);
    }
    records
}

/// pax writes times as decimal fractions of any sign; the kernel's nanoseconds always count upwards.
pub(super) fn decimal((seconds, nanoseconds): Timestamp) -> String {
    let total = i128::from(seconds) * 1_000_000_000 + i128::from(nanoseconds);
    let sign = if total < 0 { "-" } else { "" };
    let total = total.unsigned_abs();
    format!(
        "{sign}{}.{:09}",
        total / 1_000_000_000,
        total % 1_000_000_000
    )
}

/// How many extents, then offset and length of each, padded to a block. The last one says where the file
/// ends.
fn sparse_map(extents: &[Range<u64>], size: u64) -> Vec<u8> {
    let mut text = format!("{}\n", extents.len() + 1);
    for extent in extents {
        text.push_str(&format!(
            "{}\n{}\n",
            extent.start,
            extent.end - extent.start
        ));
    }
    text.push_str(&format!("{size}\n0\n"));
    let mut map = text.into_bytes();
    map.resize(map.len().next_multiple_of(BLOCK), 0);
    map
}

/// The data of a file, end to end. One that shrinks meanwhile goes on with zeros: its size is written
/// already.
struct ExtentReader {
    file: File,
    extents: std::collections::VecDeque<Range<u64>>,
}

impl Read for ExtentReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self
            .extents
            .front()
            .is_some_and(|extent| extent.start >= extent.end)
        {
            self.extents.pop_front();
        }
        let Some(extent) = self.extents.front_mut() else {
            return Ok(0);
        };
        let length = usize::try_from(extent.end - extent.start)
            .unwrap_or(BUFFER)
            .min(buffer.len());
        let count = match self.file.read_at(&mut buffer[..length], extent.start)? {
            0 => {
                buffer[..length].fill(0);
                length
            }
            count => count,
        };
        extent.start += count as u64;
        Ok(count)
    }
}

#[cfg(test)]
mod tests;
