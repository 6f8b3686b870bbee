//! Having a filesystem on a disk: checked if it is there, made if the disk is blank, and nothing else.

use std::path::Path;

use nix::errno::Errno;

use super::content::{self, Content, Held};
use super::filesystem_request::{FilesystemRequest, left_alone};
use super::find::Disk;
use super::superblock::Family;
use super::tools::{E2FSCK, Outcome};
use super::{format, format_intent};
use crate::volume::Access;
use crate::worker::{Fault, FaultKind, Reply};

/// e2fsck(8): errors corrected; and: corrected, and a restart is advised, which concerns a root filesystem.
const E2FSCK_CORRECTED: [i32; 3] = [1, 2, 3];

/// Makes it so. Whatever else the disk holds is left alone.
pub(super) fn ensure(
    disk: &Disk,
    request: &FilesystemRequest<'_>,
    notes: &Path,
) -> Result<Reply, Fault> {
    let found = content::of(disk)?;
    match &found {
        Content::Filesystem(held) if held.superblock.fs_type.mounted_as(request.keep).is_some() => {
            format_intent::remove(notes, disk)?;
            check(disk, held, request.access)?;
        }
        Content::Filesystem(_) | Content::Other(_) => {
            return Err(left_alone(disk, request, &found));
        }
        Content::Blank | Content::Unfinished(_) | Content::Unknown
            if request.access == Access::ReadOnly =>
        {
            return Err(read_only(disk, request, &found));
        }
        Content::Blank => format::make(disk, request, notes)?,
        Content::Unfinished(_) | Content::Unknown => format::resume(disk, request, notes, &found)?,
    }
    Ok(Reply::Done)
}

fn read_only(disk: &Disk, request: &FilesystemRequest<'_>, found: &Content) -> Fault {
    Fault::new(
        FaultKind::Precondition,
        format!(
            "{} holds {}, not {}, and the volume is asked for read-only; use it read-write once",
            disk.in_words(),
            found.in_words(),
            request.fs_type.name()
        ),
    )
}

/// xfs replays its log when it is mounted, and has nothing else to be checked then (fsck.xfs(8)).
fn check(disk: &Disk, held: &Held, access: Access) -> Result<(), Fault> {
    let ext = held.superblock.fs_type.family() == Family::Ext;
    if access == Access::ReadOnly || !ext || is_in_use(disk, held)? {
        return Ok(());
    }
    let path = held.block(disk).path_for_others();
    let outcome = E2FSCK.run(&["-p", &path.to_string_lossy()])?;
    judge(disk, &outcome)
}

/// A filesystem that is mounted already is in the kernel's care. On block devices O_EXCL tells, also about
/// mounts in namespaces we cannot see.
fn is_in_use(disk: &Disk, held: &Held) -> Result<bool, Fault> {
    match held.block(disk).reopen_exclusively() {
        Ok(_) => Ok(false),
        Err(Errno::EBUSY) => Ok(true),
        Err(errno) => Err(Fault::new(
            FaultKind::Unreachable,
            format!(
                "cannot open {} for checking: {}",
                disk.in_words(),
                errno.desc()
            ),
        )),
    }
}

fn judge(disk: &Disk, outcome: &Outcome) -> Result<(), Fault> {
    match outcome.code() {
        Some(0) => Ok(()),
        Some(code) if E2FSCK_CORRECTED.contains(&code) => Ok(()),
        _ => Err(Fault::new(
            FaultKind::Precondition,
            format!(
                "the filesystem of {} has errors that e2fsck does not repair by itself; run e2fsck on it by hand: {}",
                disk.in_words(),
                outcome.said()
            ),
        )),
    }
}
