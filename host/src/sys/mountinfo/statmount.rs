//! What is mounted, by the number of the mount: statmount(2).
//!
//! Since Linux 6.8, with the source since 6.14. It costs two microseconds where the table of six thousand mounts
//! costs eight milliseconds, and says the same. Neither nix nor rustix knows it yet.

use std::ffi::c_long;
use std::io;
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::libc;

use super::entry::{MountEntry, ToldBy};
use super::statx::{self, Point};

/// The same on every architecture that Rust builds for.
const SYS_STATMOUNT: c_long = 457;

// What is asked for, and which of it was answered.
const SB_BASIC: u64 = 0x1;
const MNT_BASIC: u64 = 0x2;
const MNT_ROOT: u64 = 0x8;
const FS_TYPE: u64 = 0x20;
const FS_SUBTYPE: u64 = 0x100;
const SB_SOURCE: u64 = 0x200;

/// Without these an entry is not whole.
const NEEDED: u64 = SB_BASIC | MNT_BASIC | MNT_ROOT | FS_TYPE | SB_SOURCE;

const SB_RDONLY: u32 = 1;
const MOUNT_ATTR_RDONLY: u64 = 1;

/// Where things lie in the answer, `struct statmount`; texts come after it, each by its offset from there.
mod at {
    pub(super) const MASK: usize = 8;
    pub(super) const SB_DEV_MAJOR: usize = 16;
    pub(super) const SB_DEV_MINOR: usize = 20;
    pub(super) const SB_FLAGS: usize = 32;
    pub(super) const FS_TYPE: usize = 36;
    pub(super) const MNT_ATTR: usize = 64;
    pub(super) const MNT_ROOT: usize = 104;
    pub(super) const FS_SUBTYPE: usize = 120;
    pub(super) const SB_SOURCE: usize = 124;
    pub(super) const TEXTS: usize = 512;
}

/// Where root and source are as long as they usually are.
const USUAL_ROOM: usize = at::TEXTS + 512;

/// Root and source can be as long as a path, each.
const ROOM: usize = at::TEXTS + 3 * libc::PATH_MAX as usize;

/// `MNT_ID_REQ_SIZE_VER0`
const QUESTION_SIZE: u32 = 24;

/// `struct mnt_id_req`, as it was first.
#[repr(C)]
struct Question {
    size: u32,
    spare: u32,
    mount: u64,
    wanted: u64,
}

/// What the kernel says of the one path; where it does not, what the table says.
pub(super) fn mounted_at(
    path: &Path,
    in_table: impl FnOnce(&Path) -> io::Result<Option<MountEntry>>,
) -> io::Result<Option<MountEntry>> {
    let point = statx::at(path);
    let told = match point {
        Point::Plain => return Ok(None),
        Point::Root(mount) => mount.and_then(of),
        Point::Untold => return in_table(path),
    };
    match told {
        Some(entry) => Ok(Some(entry)),
        None => Ok(in_table(path)?.map(|entry| MountEntry {
            told_by: ToldBy::FilesystemAndTable,
            ..entry
        })),
    }
}

/// `mount` is a number that is not given out again. None where the kernel says too little, as older ones do, or is
/// told not to let us ask; or where it was unmounted meanwhile, which may have brought another to light.
fn of(mount: u64) -> Option<MountEntry> {
    let mut answer = [0; USUAL_ROOM];
    match ask(mount, &mut answer) {
        Ok(()) => entry(&answer),
        Err(Errno::EOVERFLOW) => {
            let mut answer = vec![0; ROOM];
            ask(mount, &mut answer).ok()?;
            entry(&answer)
        }
        Err(_) => None,
    }
}

#[expect(
    unsafe_code,
    reason = "a system call that no crate wraps; the kernel writes into a buffer of ours"
)]
fn ask(mount: u64, answer: &mut [u8]) -> Result<(), Errno> {
    let question = Question {
        size: QUESTION_SIZE,
        spare: 0,
        mount,
        wanted: NEEDED | FS_SUBTYPE,
    };
    // SAFETY: the kernel reads one `Question`, whose size stands in it, and writes at most `answer.len()` bytes
    // to `answer`; both outlive the call, and any bytes are a valid answer.
    let done = unsafe {
        libc::syscall(
            SYS_STATMOUNT,
            &raw const question,
            answer.as_mut_ptr(),
            answer.len(),
            0,
        )
    };
    Errno::result(done).map(drop)
}

/// None where something is missing.
fn entry(answer: &[u8]) -> Option<MountEntry> {
    let mask = long(answer, at::MASK)?;
    if mask & NEEDED != NEEDED {
        return None;
    }
    let mut fs_type = text(answer, at::FS_TYPE)?;
    if mask & FS_SUBTYPE != 0 {
        fs_type = format!("{fs_type}.{}", text(answer, at::FS_SUBTYPE)?);
    }
    let major = number(answer, at::SB_DEV_MAJOR)?;
    let minor = number(answer, at::SB_DEV_MINOR)?;
    Some(MountEntry {
        fs_type,
        source: text(answer, at::SB_SOURCE)?,
        root: PathBuf::from(text(answer, at::MNT_ROOT)?),
        device: format!("{major}:{minor}"),
        read_only: number(answer, at::SB_FLAGS)? & SB_RDONLY != 0
            || long(answer, at::MNT_ATTR)? & MOUNT_ATTR_RDONLY != 0,
        told_by: ToldBy::Mount,
    })
}

fn number(answer: &[u8], at: usize) -> Option<u32> {
    answer
        .get(at..)?
        .first_chunk()
        .copied()
        .map(u32::from_ne_bytes)
}

fn long(answer: &[u8], at: usize) -> Option<u64> {
    answer
        .get(at..)?
        .first_chunk()
        .copied()
        .map(u64::from_ne_bytes)
}

/// The text whose offset lies there.
fn text(answer: &[u8], offset_at: usize) -> Option<String> {
    let begins = at::TEXTS + usize::try_from(number(answer, offset_at)?).ok()?;
    let rest = answer.get(begins..)?;
    let end = rest.iter().position(|byte| *byte == 0)?;
    Some(String::from_utf8_lossy(&rest[..end]).into_owned())
}
