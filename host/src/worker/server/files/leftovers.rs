//! What killed workers left: names of unfinished work that nobody holds any more.
//!
//! They go with the next job in their directory, with the removal of what they were to become, or with that directory, and
//! count for nothing where a guest asks whether a directory is empty:
//! it cannot see them. On a server that other nodes work on, too, only such names are touched as this call is about.

use std::ffi::{OsStr, OsString};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use rustix::fs::{
    AtFlags, Dir, FileType, FlockOperation, FsWord, Mode, flock, fstat, fstatfs, openat, renameat,
    statat,
};
use rustix::io::Errno;

use super::live_source::READ_FILE;
use super::openat2::open_child;
use super::partial_name::{aside_name, begun_at, is_partial, partial_name};
use super::resolved_path::{ResolvedPath, failed};
use super::tree::{identity, remove_within};
use crate::worker::server::work_limits::Bounds;
use crate::worker::{Fault, FaultKind};

/// A small file is written within a call, and no call is so long.
const SMALL_FILE_AGE: Duration = Duration::from_secs(600);

/// For what is removed by the way. What does not get done then is begun, and goes on with the next work.
const SWEEPING: Duration = Duration::from_secs(2);

/// How long a name may be held by one who only takes it away, and how often we look whether it still is.
const LOOKED_AT: Duration = Duration::from_millis(100);
const PAUSE: Duration = Duration::from_millis(1);

/// Names that are removed at a time: whoever shares a server can make millions of them.
const MAX_LISTED: usize = 1024;

/// Filesystems that one node uses at a time, by their numbers in statfs(2): btrfs, ext, overlay, tmpfs, xfs.
const OF_ONE_NODE: [FsWord; 5] = [0x9123_683e, 0xef53, 0x794c_7630, 0x0102_1994, 0x5846_5342];

/// What a name of unfinished work stood for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Found {
    /// Nothing, by now.
    Gone,
    /// Something that is being made, or taken away by another.
    Held,
}

/// Removes what a killed job left under that name, and what a killed remover left of it.
pub(super) fn remove_unless_held(parent: BorrowedFd<'_>, name: &OsStr) -> Result<Found, Fault> {
    let until = Instant::now() + LOOKED_AT;
    loop {
        let found = remove_unless_held_within(&Bounds::of_a_call(), parent, name)?;
        if found == Found::Gone || Instant::now() >= until {
            return Ok(found);
        }
        thread::sleep(PAUSE);
    }
}

/// The same, as far as it is allowed. Whoever else is about to remove it counts as one who makes it.
pub(super) fn remove_unless_held_within(
    bounds: &Bounds,
    parent: BorrowedFd<'_>,
    name: &OsStr,
) -> Result<Found, Fault> {
    let wrong = |error| failed("look at", name, error);
    remove_set_aside(bounds, parent, name)?;
    let there = match statat(parent, name, AtFlags::SYMLINK_NOFOLLOW) {
        Err(Errno::NOENT) => return Ok(Found::Gone),
        stat => stat.map_err(wrong)?,
    };
    let held = match FileType::from_raw_mode(there.st_mode) {
        FileType::Directory | FileType::RegularFile => {
            match hold_for_removal(parent, name).map_err(wrong)? {
                Some(held) => Some(held),
                None => return Ok(Found::Held),
            }
        }
        FileType::Symlink
        | FileType::Fifo
        | FileType::Socket
        | FileType::CharacterDevice
        | FileType::BlockDevice
        | FileType::Unknown => None,
    };
    set_aside(parent, name)?;
    drop(held);
    remove_set_aside(bounds, parent, name).map(|()| Found::Gone)
}

/// Holds what has that name, for as long as it takes to lose it; none if somebody else does. Without the second look two
/// removers that opened the same could take the name one after the other, and the second one from what was made anew.
fn hold_for_removal(parent: BorrowedFd<'_>, name: &OsStr) -> rustix::io::Result<Option<OwnedFd>> {
    let open = match openat(parent, name, READ_FILE, Mode::empty()) {
        Err(Errno::NOENT) => return Ok(None),
        open => open?,
    };
    let locked = match flock(&open, FlockOperation::NonBlockingLockExclusive) {
        // NFS wants a descriptor that writes for it, which directories have none of.
        Err(Errno::BADF) => flock(&open, FlockOperation::NonBlockingLockShared),
        locked => locked,
    };
    if locked == Err(Errno::WOULDBLOCK) {
        return Ok(None);
    }
    let ours = identity(&fstat(&open)?);
    let there = statat(parent, name, AtFlags::SYMLINK_NOFOLLOW);
    let is_there = there.is_ok_and(|there| identity(&there) == ours);
    Ok(is_there.then_some(open))
}

/// Removes unfinished work that may be somebody's after all, on another node: at first it loses its name, so that whoever
/// builds it misses the whole of it, and never publishes what is left.
pub(super) fn take_away(
    bounds: &Bounds,
    parent: BorrowedFd<'_>,
    name: &OsStr,
) -> Result<(), Fault> {
    remove_set_aside(bounds, parent, name)?;
    set_aside(parent, name)?;
    remove_set_aside(bounds, parent, name)
}

fn set_aside(parent: BorrowedFd<'_>, name: &OsStr) -> Result<(), Fault> {
    // One that was set aside is its own other name, and gone by now.
    match renameat(parent, name, parent, aside_name(name)) {
        Ok(()) | Err(Errno::NOENT) => Ok(()),
        Err(error) => Err(failed("set aside", name, error)),
    }
}

/// Removes what lost that name, now or before.
fn remove_set_aside(bounds: &Bounds, parent: BorrowedFd<'_>, name: &OsStr) -> Result<(), Fault> {
    remove_within(bounds, parent, &aside_name(name), Path::new(name))
}

/// Removes what killed workers left in a directory, as far as that can be told and for a moment. Best effort: nobody
/// asked for it.
pub(super) fn sweep(directory: BorrowedFd<'_>) {
    if !is_of_one_node(directory) {
        return;
    }
    let Ok(Listed { unfinished, .. }) = list(directory) else {
        return;
    };
    let bounds = Bounds::for_a_while(SWEEPING);
    for name in unfinished.iter().filter(|name| is_old(name)) {
        let _ = remove_unless_held_within(&bounds, directory, name);
    }
}

/// Removes what a killed job left of what is no more, or never was, at a place.
///
/// # Errors
/// [`FaultKind::Busy`] where it is being made.
pub(super) fn remove_beside(target: &ResolvedPath) -> Result<(), Fault> {
    match remove_unless_held(target.parent.as_fd(), &partial_name(&target.name))? {
        Found::Gone => Ok(()),
        Found::Held => {
            let message = format!(
                "a job that makes {:?} is still running; repeat the call when it has ended",
                target.path
            );
            Err(Fault::new(FaultKind::Busy, message))
        }
    }
}

/// Empties a directory that holds unfinished work alone; whether it is empty now.
///
/// # Errors
/// [`FaultKind::Busy`] where something is being made in it.
pub(super) fn empty_of_unfinished(target: &ResolvedPath) -> Result<bool, Fault> {
    let wrong = |error| failed("look into", &target.path, error);
    let directory = open_child(target.parent.as_fd(), &target.name).map_err(wrong)?;
    loop {
        let listed = list(directory.as_fd()).map_err(wrong)?;
        if listed.other {
            return Ok(false);
        }
        remove_all(target, directory.as_fd(), &listed.unfinished)?;
        if listed.unfinished.len() < MAX_LISTED {
            return Ok(true);
        }
    }
}

fn remove_all(
    target: &ResolvedPath,
    directory: BorrowedFd<'_>,
    unfinished: &[OsString],
) -> Result<(), Fault> {
    for name in unfinished {
        if remove_unless_held(directory, name)? == Found::Held {
            let message = format!(
                "cannot remove directory {:?}: a job in it is still running; repeat the call when it has ended",
                target.path
            );
            return Err(Fault::new(FaultKind::Busy, message));
        }
    }
    Ok(())
}

struct Listed {
    /// The first [`MAX_LISTED`].
    unfinished: Vec<OsString>,
    /// Whether anything else is there.
    other: bool,
}

fn list(directory: BorrowedFd<'_>) -> rustix::io::Result<Listed> {
    let mut listed = Listed {
        unfinished: Vec::new(),
        other: false,
    };
    for entry in Dir::read_from(directory)? {
        let entry = entry?;
        match entry.file_name().to_bytes() {
            b"." | b".." => {}
            name if is_partial(name) => {
                if listed.unfinished.len() == MAX_LISTED {
                    continue;
                }
                listed.unfinished.push(OsStr::from_bytes(name).to_owned());
            }
            _ => listed.other = true,
        }
    }
    Ok(listed)
}

/// A small file is not held while it is written.
fn is_old(name: &OsStr) -> bool {
    begun_at(name.as_bytes()).is_none_or(|begun| {
        SystemTime::now()
            .duration_since(begun)
            .is_ok_and(|age| age > SMALL_FILE_AGE)
    })
}

fn is_of_one_node(directory: BorrowedFd<'_>) -> bool {
    fstatfs(directory).is_ok_and(|found| OF_ONE_NODE.contains(&found.f_type))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn scratch() -> (tempfile::TempDir, std::fs::File) {
        let scratch = tempfile::tempdir().expect("a directory");
        let open = fs::File::open(scratch.path()).expect("open");
        (scratch, open)
    }

    #[test]
    fn what_nobody_holds_is_swept_and_what_somebody_holds_is_not() {
        let (scratch, directory) = scratch();
        let at = |name: &str| scratch.path().join(name);
        fs::create_dir_all(at(".tree.drivebay-partial/sub")).expect("made");
        fs::create_dir(at(".running.drivebay-partial")).expect("made");
        fs::write(at(".archive.drivebay-partial"), "half").expect("written");
        fs::write(at(".1-17.drivebay-partial"), "old").expect("written");
        fs::write(at("file"), "whole").expect("written");
        let now = SystemTime::UNIX_EPOCH.elapsed().expect("later").as_nanos();
        let young = format!(".1-{now}.drivebay-partial");
        fs::write(at(&young), "young").expect("written");
        let running = fs::File::open(at(".running.drivebay-partial")).expect("open");
        flock(&running, FlockOperation::NonBlockingLockExclusive).expect("free");

        sweep(directory.as_fd());
        let mut left: Vec<_> = fs::read_dir(scratch.path())
            .expect("read")
            .map(|entry| entry.expect("entry").file_name())
            .collect();
        left.sort();
        assert_eq!(left, [&young, ".running.drivebay-partial", "file"]);
    }

    #[test]
    fn more_than_are_removed_at_a_time_keep_no_directory() {
        let (scratch, parent) = scratch();
        let directory = scratch.path().join("directory");
        fs::create_dir(&directory).expect("made");
        for number in 0..=MAX_LISTED {
            let name = format!(".{number}.drivebay-partial");
            fs::write(directory.join(name), "half").expect("written");
        }
        let target = ResolvedPath {
            parent: parent.into(),
            name: "directory".into(),
            path: "directory".into(),
        };
        assert_eq!(empty_of_unfinished(&target), Ok(true));
        assert_eq!(fs::read_dir(&directory).expect("read").count(), 0);
    }
}
