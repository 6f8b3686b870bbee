//! The disk beneath a mount: which one it is, and whether its filesystem still takes writes.
//!
//! A table of mounts goes on showing what was mounted after the disk was pulled out, and after the kernel gave
//! up on its filesystem. What is asked here is answered from the kernel's memory, never by a disk or a server, so
//! that each repeated call can afford it and none can hang.

mod sysfs_cache;

use std::borrow::Cow;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::sys::stat::{major, minor};
use rustix::fs::{StatVfsMountFlags, statvfs};

use super::mountinfo::table::TABLE;
use super::{MountEntry, ToldBy};
use sysfs_cache::FileCache;

/// The number of each disk's appearance, by its `major:minor`.
static APPEARANCES: FileCache = FileCache::none();

/// How many errors each ext filesystem has met, by its disk's `major:minor`.
static ERRORS: FileCache = FileCache::none();

/// Filesystems of one disk each, of which stat(2) and statfs(2) ask nobody.
const ON_DISK: [&str; 4] = ["ext2", "ext3", "ext4", "xfs"];

/// What holds device nodes, and so what the table shows for a raw device.
const OF_NODES: [&str; 2] = ["devtmpfs", "tmpfs"];

/// What became of a filesystem that the kernel no longer writes to, as mountinfo shows it among the filesystem's
/// options: since Linux 6.15 ext4 stays `rw` there, and says no more to statfs(2).
const GIVEN_UP: [&[u8]; 3] = [b"ro", b"emergency_ro", b"shutdown"];

impl MountEntry {
    /// Whether it is a filesystem on a disk of this node.
    pub fn is_on_device(&self) -> bool {
        ON_DISK.contains(&self.fs_type.as_str())
    }
}

/// The disk beneath what is mounted at a path, as it appeared: the same disk that was pulled out and plugged in
/// again is another appearance. None where no disk is beneath, or where it is gone.
///
/// # Errors
/// Where that cannot be told, as when this process has too many files open.
pub fn disk_beneath(path: &Path, entry: &MountEntry) -> io::Result<Option<String>> {
    match device_of(path, entry)? {
        Some(device) => unless_gone(appearance_of(&device)),
        None => Ok(None),
    }
}

/// `major:minor` of the block device that is mounted at a path, or bound there.
pub fn device_beneath(path: &Path, entry: &MountEntry) -> Option<String> {
    let device = device_of(path, entry).ok().flatten();
    device.map(Cow::into_owned)
}

fn device_of<'a>(path: &Path, entry: &'a MountEntry) -> io::Result<Option<Cow<'a, str>>> {
    if entry.is_on_device() {
        return Ok(Some(Cow::Borrowed(&entry.device)));
    }
    if !OF_NODES.contains(&entry.fs_type.as_str()) {
        return Ok(None);
    }
    let node = unless_gone(fs::symlink_metadata(path))?;
    let node = node.filter(|node| node.file_type().is_block_device());
    let number = node.map(|node| node.rdev());
    let device = number.map(|number| format!("{}:{}", major(number), minor(number)));
    Ok(device.map(Cow::Owned))
}

/// What the kernel answers of a disk that went: its names are no more, or lead to nothing.
fn unless_gone<T>(told: io::Result<T>) -> io::Result<Option<T>> {
    match told {
        Ok(told) => Ok(Some(told)),
        Err(error) => match error.raw_os_error().map(Errno::from_raw) {
            Some(Errno::ENOENT | Errno::ENOTDIR | Errno::ENODEV | Errno::ENXIO) => Ok(None),
            _ => Err(error),
        },
    }
}

/// Of the disk with that `major:minor`, from a file that is kept open.
fn appearance_of(device: &str) -> io::Result<String> {
    match APPEARANCES.number(device, || open_appearance(&sysfs(device))) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => appearance(&sysfs(device)),
        number => Ok(format!("disk {}", number?)),
    }
}

/// A number that the kernel gives to each disk that appears, and never twice in one boot. Kernels before
/// 5.15 have none for disks, but their sysfs directories are numbered as they are made.
///
/// # Errors
/// Where there is no such disk.
pub fn appearance(sysfs: &Path) -> io::Result<String> {
    match open_appearance(sysfs) {
        Ok(file) => Ok(format!("disk {}", io::read_to_string(file)?.trim())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            Ok(format!("directory {}", fs::metadata(sysfs)?.ino()))
        }
        Err(error) => Err(error),
    }
}

/// A partition's directory lies in its disk's.
fn open_appearance(sysfs: &Path) -> io::Result<File> {
    match File::open(sysfs.join("diskseq")) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            File::open(sysfs.join("../diskseq"))
        }
        opened => opened,
    }
}

/// Whether what was mounted for writing still takes writes. True of filesystems that are on no disk: they are
/// not asked.
///
/// # Errors
/// Where the filesystem was shut down: xfs then refuses to be looked at.
pub fn takes_writes(path: &Path, entry: &MountEntry) -> io::Result<bool> {
    if !entry.is_on_device() {
        return Ok(true);
    }
    if is_read_only(path, entry)? {
        return Ok(false);
    }
    match has_met_errors(&entry.fs_type, &entry.device) {
        true => is_kept_up(&entry.device),
        false => Ok(true),
    }
}

/// Now. What is not known from being told just now, is asked.
fn is_read_only(path: &Path, entry: &MountEntry) -> io::Result<bool> {
    match entry.told_by {
        ToldBy::Mount => return Ok(entry.read_only),
        ToldBy::FilesystemAndTable => {}
        ToldBy::Table => {
            fs::metadata(path)?;
        }
    }
    Ok(statvfs(path)?.f_flag.contains(StatVfsMountFlags::RDONLY))
}

/// What a filesystem that was shut down answers to everything.
pub fn says_shut_down(error: &io::Error) -> bool {
    matches!(
        error.raw_os_error().map(Errno::from_raw),
        Some(Errno::EIO | Errno::EUCLEAN | Errno::ENODEV | Errno::ENXIO)
    )
}

/// The table is long on a full node, and without an error ext has given nothing up.
fn has_met_errors(fs_type: &str, device: &str) -> bool {
    fs_type != "xfs" && errors_of(device).map_or(true, |count| count != 0)
}

/// How many errors the kernel has noted in a filesystem since it was last mended. None where nobody counts, or where that
/// cannot be told.
pub fn errors_met(entry: &MountEntry) -> Option<u64> {
    let counts = entry.is_on_device() && entry.fs_type != "xfs";
    counts.then(|| errors_of(&entry.device).ok()).flatten()
}

fn errors_of(device: &str) -> io::Result<u64> {
    ERRORS.number(device, || open_errors_count(device))
}

fn open_errors_count(device: &str) -> io::Result<File> {
    let directory = fs::read_link(sysfs(device))?;
    let name = directory.file_name().ok_or(io::ErrorKind::NotFound)?;
    let of_filesystem = Path::new("/sys/fs/ext4").join(name);
    File::open(of_filesystem.join("errors_count"))
}

fn is_kept_up(device: &str) -> io::Result<bool> {
    let table = fs::read(TABLE)?;
    Ok(!table
        .split(|byte| *byte == b'\n')
        .any(|line| gives_up(line, device)))
}

fn gives_up(line: &[u8], device: &str) -> bool {
    let mut fields = line.split(|byte| *byte == b' ');
    if fields.nth(2) != Some(device.as_bytes()) {
        return false;
    }
    let of_filesystem = fields.skip_while(|field| *field != b"-").nth(3);
    of_filesystem.is_some_and(|options| {
        let mut options = options.split(|byte| *byte == b',');
        options.any(|option| GIVEN_UP.contains(&option))
    })
}

/// The directory in sysfs of a block device, by its `major:minor`.
pub fn sysfs(device: &str) -> PathBuf {
    Path::new("/sys/dev/block").join(device)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filesystem_that_the_kernel_gave_up_is_told_from_its_options() {
        let line = |options: &str| {
            format!("42 27 7:0 / /m ro,relatime shared:1 - ext4 /dev/loop0 {options}").into_bytes()
        };
        assert!(!gives_up(&line("rw,errors=remount-ro"), "7:0"));
        assert!(gives_up(&line("rw,errors=remount-ro,emergency_ro"), "7:0"));
        assert!(gives_up(&line("ro"), "7:0"));
        assert!(gives_up(&line("rw,shutdown"), "7:0"));
        assert!(!gives_up(&line("ro"), "7:1"), "another's");
        assert!(!gives_up(b"", "7:0"));
    }

    #[test]
    fn what_is_on_no_disk_has_none_beneath_and_is_not_asked() {
        let entry = MountEntry {
            fs_type: "nfs4".into(),
            source: "filer:/a".into(),
            root: "/".into(),
            device: "0:50".into(),
            read_only: false,
            told_by: ToldBy::Table,
        };
        let nowhere = Path::new("/nonexistent/mount");
        assert_eq!(disk_beneath(nowhere, &entry).expect("not asked"), None);
        assert!(takes_writes(nowhere, &entry).expect("not asked"));
    }

    #[test]
    fn a_disk_that_is_gone_has_not_appeared() {
        appearance(Path::new("/sys/dev/block/4095:4095")).expect_err("no such disk");
    }

    #[test]
    fn a_disk_is_gone_where_the_kernel_says_so_and_not_where_it_cannot_be_asked() {
        let answered = |errno: Errno| unless_gone::<()>(Err(errno.into()));
        for errno in [Errno::ENOENT, Errno::ENODEV, Errno::ENXIO] {
            assert_eq!(answered(errno).expect("told"), None, "{errno}");
        }
        for errno in [Errno::EMFILE, Errno::ENFILE, Errno::ENOMEM] {
            let error = answered(errno).expect_err("not told");
            assert_eq!(error.raw_os_error(), Some(errno as i32), "{errno}");
        }
    }

    #[test]
    fn a_filesystem_that_could_not_be_asked_was_not_shut_down() {
        assert!(says_shut_down(&Errno::EIO.into()));
        for errno in [Errno::EMFILE, Errno::ENFILE, Errno::ENOMEM] {
            assert!(!says_shut_down(&errno.into()), "{errno}");
        }
    }
}
