//! What is mounted, by the number of the mount: statmount(2).
//!
//! Since Linux 6.8, with the source since 6.14. It costs two microseconds where the table of six thousand mounts
//! costs eight milliseconds, and says the same. Neither nix nor rustix knows it yet.

use std::collections::BTreeMap;
use std::ffi::c_long;
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use nix::errno::Errno;
use nix::libc;

use super::answer::{self, FLAGS, STRUCT_SIZE, WHOLE};
use super::entry::{MountEntry, ToldBy};
use super::statx::{self, Point, Root};
use crate::sys::file_identity::FileIdentity;

/// The same on every architecture that Rust builds for.
const SYS_STATMOUNT: c_long = 457;

/// Where root and source are as long as they usually are.
const USUAL_ROOM: usize = STRUCT_SIZE + 512;

/// Root and source can be as long as a path, each.
const ROOM: usize = STRUCT_SIZE + 3 * libc::PATH_MAX as usize;

/// `MNT_ID_REQ_SIZE_VER0`
const QUESTION_SIZE: u32 = 24;

/// More mounts than a node has of volumes that are asked about again and again.
const MAX_KNOWN: usize = 512;

/// Filesystems that give a directory another time of change when it is renamed or removed.
const KEEP_TIMES: [&str; 7] = ["btrfs", "devtmpfs", "ext2", "ext3", "ext4", "tmpfs", "xfs"];

/// What was told, by the number of the mount, which is not given out again: what a mount is of never changes, nor which
/// directory is mounted. What that directory is called may, and then it has changed itself.
static KNOWN: Mutex<BTreeMap<u64, Known>> = Mutex::new(BTreeMap::new());

struct Known {
    root: FileIdentity,
    entry: Arc<MountEntry>,
}

/// How much of what is told has to be of this moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum News {
    /// All of it.
    All,
    /// All but names of directories above the one that is mounted.
    Writability,
    /// As before, and not whether it can be written to.
    Name,
}

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
    news: News,
    in_table: impl FnOnce(&Path) -> io::Result<Option<Arc<MountEntry>>>,
) -> io::Result<Option<Arc<MountEntry>>> {
    let point = statx::at(path);
    let told = match point {
        Point::Plain => return Ok(None),
        Point::Root(root) => root.and_then(|root| known(root, news).or_else(|| of(root))),
        Point::Untold => return in_table(path),
    };
    match told {
        Some(entry) => Ok(Some(entry)),
        None => Ok(in_table(path)?.map(|entry| {
            Arc::new(MountEntry {
                told_by: ToldBy::FilesystemAndTable,
                ..Arc::unwrap_or_clone(entry)
            })
        })),
    }
}

/// What was told of a mount, where that is news enough.
fn known(root: Root, news: News) -> Option<Arc<MountEntry>> {
    if news == News::All {
        return None;
    }
    let entry = {
        let all = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
        let known = all.get(&root.mount)?;
        (known.root == root.identity).then(|| Arc::clone(&known.entry))?
    };
    let is_current = news == News::Name || is_read_only(root.mount) == Some(entry.read_only);
    is_current.then_some(entry)
}

/// None where the kernel says too little, as older ones do, or is told not to let us ask; or where it was unmounted
/// meanwhile, which may have brought another to light.
fn of(root: Root) -> Option<Arc<MountEntry>> {
    let mut answer = [0; USUAL_ROOM];
    let entry = match ask(root.mount, WHOLE, &mut answer) {
        Ok(()) => answer::entry(&answer)?,
        Err(Errno::EOVERFLOW) => {
            let mut answer = vec![0; ROOM];
            ask(root.mount, WHOLE, &mut answer).ok()?;
            answer::entry(&answer)?
        }
        Err(_) => return None,
    };
    let entry = Arc::new(entry);
    if root.identity.is_settled() && KEEP_TIMES.contains(&entry.fs_type.as_str()) {
        keep(root, &entry);
    }
    Some(entry)
}

fn keep(root: Root, entry: &Arc<MountEntry>) {
    let mut all = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    if all.len() >= MAX_KNOWN {
        all.clear();
    }
    let known = Known {
        root: root.identity,
        entry: Arc::clone(entry),
    };
    all.insert(root.mount, known);
}

fn is_read_only(mount: u64) -> Option<bool> {
    let mut answer = [0; STRUCT_SIZE];
    ask(mount, FLAGS, &mut answer).ok()?;
    answer::is_read_only(&answer)
}

#[expect(
    unsafe_code,
    reason = "a system call that no crate wraps; the kernel writes into a buffer of ours"
)]
fn ask(mount: u64, wanted: u64, answer: &mut [u8]) -> Result<(), Errno> {
    let question = Question {
        size: QUESTION_SIZE,
        spare: 0,
        mount,
        wanted,
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
