//! Formatting, and the proof that comes before it.
//!
//! Order is everything. The disk is opened exclusively; identity, size and blankness are read through that
//! descriptor; the intent is made durable; mkfs opens the disk exclusively for itself, through a descriptor
//! of ours that stays open; what it made is read back; the intent is forgotten. mkfs is never told to force
//! anything.

use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

use nix::errno::Errno;

use super::block::Block;
use super::content::{self, Content};
use super::filesystem_request::{FilesystemRequest, left_alone};
use super::find::Disk;
use super::format_intent::{self, FormatIntent};
use super::identity::Identity;
use super::partition;
use super::superblock::{Family, FsType};
use super::tools::{MKFS_EXT2, MKFS_EXT3, MKFS_EXT4, MKFS_XFS, Program};
use crate::worker::{Fault, FaultKind};

/// A blank disk gets its filesystem.
pub(super) fn make(
    disk: &Disk,
    request: &FilesystemRequest<'_>,
    notes: &Path,
) -> Result<(), Fault> {
    let exclusive = take(disk)?;
    let found = content::whole(&exclusive)?;
    if !matches!(found, Content::Blank) {
        return Err(left_alone(disk, request, &found));
    }
    FormatIntent::of(disk, request.fs_type)?.write(notes, disk)?;
    // mkfs wants to be alone with the disk, too. `disk` keeps it open.
    drop(exclusive);
    run(disk, request)?;
    format_intent::remove(notes, disk)
}

/// A disk that was blank, as a note says, and on which mkfs was killed, is given to mkfs again. What lies on
/// it must be what mkfs leaves: nothing that anybody recognises, or its own unfinished superblock.
pub(super) fn resume(
    disk: &Disk,
    request: &FilesystemRequest<'_>,
    notes: &Path,
    found: &Content,
) -> Result<(), Fault> {
    if !FormatIntent::of(disk, request.fs_type)?.stands(notes, disk) {
        return Err(left_alone(disk, request, found));
    }
    let exclusive = take(disk)?;
    let found = content::whole(&exclusive)?;
    match &found {
        Content::Blank | Content::Unknown => {}
        Content::Unfinished(fs_type) if *fs_type == request.fs_type => {
            erase_start(disk, &exclusive)?
        }
        Content::Unfinished(_) | Content::Filesystem(_) | Content::Other(_) => {
            return Err(left_alone(disk, request, &found));
        }
    }
    drop(exclusive);
    run(disk, request)?;
    format_intent::remove(notes, disk)
}

/// The disk for ourselves alone, and still the same.
fn take(disk: &Disk) -> Result<Block, Fault> {
    let exclusive = disk.block.reopen_exclusively().map_err(|errno| {
        let reason = if errno == Errno::EBUSY {
            "somebody uses it"
        } else {
            errno.desc()
        };
        Fault::new(
            FaultKind::Precondition,
            format!("cannot format {}: {reason}", disk.in_words()),
        )
    })?;
    let identity = Identity::read(&exclusive.sysfs());
    let same = exclusive.number() == disk.block.number()
        && identity.as_ref() == Some(&disk.identity)
        && exclusive.size()? == disk.size;
    if same && partition::of(&exclusive)?.is_empty() {
        return Ok(exclusive);
    }
    Err(Fault::new(
        FaultKind::Precondition,
        format!(
            "cannot format {}: it changed while it was looked at",
            disk.in_words()
        ),
    ))
}

/// mkfs.xfs refuses a disk with a superblock, even with its own unfinished one.
fn erase_start(disk: &Disk, exclusive: &Block) -> Result<(), Fault> {
    let erased = exclusive
        .file()
        .write_all_at(&[0; 4096], 0)
        .and_then(|()| exclusive.file().sync_all());
    erased.map_err(|error: io::Error| {
        Fault::new(
            FaultKind::Unreachable,
            format!("cannot write to {}: {error}", disk.in_words()),
        )
    })
}

fn run(disk: &Disk, request: &FilesystemRequest<'_>) -> Result<(), Fault> {
    let path = disk.block.path_for_others();
    let path = path.to_string_lossy();
    let options = request.options.iter().map(String::as_str);
    let arguments: Vec<&str> = defaults(request.fs_type)
        .iter()
        .copied()
        .chain(options)
        .chain([&*path])
        .collect();
    let program = program(request.fs_type);
    let outcome = program.run(&arguments)?;
    if !outcome.is_success() {
        return Err(Fault::new(
            FaultKind::Other,
            format!(
                "{} failed on {}: {}",
                program.name,
                disk.in_words(),
                outcome.said()
            ),
        ));
    }
    verify(disk, request)
}

/// What mkfs says is one thing; what the disk gives back is another.
fn verify(disk: &Disk, request: &FilesystemRequest<'_>) -> Result<(), Fault> {
    let found = content::whole(&disk.block)?;
    if matches!(&found, Content::Filesystem(held) if held.superblock.fs_type == request.fs_type) {
        return Ok(());
    }
    Err(Fault::new(
        FaultKind::Other,
        format!(
            "{} was made {}, and reads as {}; check the format options and the disk",
            disk.in_words(),
            request.fs_type.name(),
            found.in_words()
        ),
    ))
}

fn program(fs_type: FsType) -> Program {
    match fs_type {
        FsType::Ext2 => MKFS_EXT2,
        FsType::Ext3 => MKFS_EXT3,
        FsType::Ext4 => MKFS_EXT4,
        FsType::Xfs => MKFS_XFS,
    }
}

/// Without blocks reserved for root, as kubelet makes ext: nobody logs in on a volume. Without discarding
/// first: the disk is blank, and discarding a large one takes minutes. The guest's options come after.
fn defaults(fs_type: FsType) -> &'static [&'static str] {
    match fs_type.family() {
        Family::Ext => &["-q", "-m", "0", "-E", "nodiscard"],
        Family::Xfs => &["-q", "-K"],
    }
}
