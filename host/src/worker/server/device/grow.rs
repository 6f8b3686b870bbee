//! Letting a filesystem fill its device.
//!
//! While it is mounted, if possible: xfs grows in no other way, and ext wants a full check before it grows
//! unmounted (resize2fs(8)). Where it is not mounted yet, it is for a moment, in this worker's own namespace;
//! where that is not allowed to grow ext, the full check is paid for.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use nix::mount::{MntFlags, umount2};

use super::block::{Block, device_name, device_number};
use super::content;
use super::find::Disk;
use super::mount::{XFS_TWINS, mount_block};
use super::partition::Partition;
use super::superblock::{Family, FsType, Superblock};
use super::tools::{E2FSCK, Outcome, Program, RESIZE2FS, XFS_GROWFS};
use crate::sys::{MountEntry, mount_at, sysfs};
use crate::worker::mount_flags::NOTHING_RUNS;
use crate::worker::server::target::own_mount_namespace;
use crate::worker::{DeviceReply, Fault, FaultKind, Reply};

/// Any directory will do in a namespace of our own; the programs need none of what this one holds. But they need
/// one: both look for it in the table of mounts.
const SCRATCH: &str = "/sys";

/// Before it is mounted where it belongs. Called in a worker that nobody asks for mounts of the node.
pub(super) fn unmounted(disk: &Disk) -> Result<Reply, Fault> {
    let held = content::filesystem(disk)?;
    if let Some(partition) = held.partition() {
        partition.fill(&disk.block)?;
    }
    let block = held.block(disk);
    if fills(&held.superblock, block.size()?) {
        return Ok(Reply::Done);
    }
    let node = block.node()?;
    let fs_type = held.superblock.fs_type;
    let scratch = Scratch::mount(block, fs_type)?;
    let grown = grow(fs_type, &node, &scratch.mount_point);
    drop(scratch);
    match grown {
        // O_EXCL tells whether it is mounted anywhere else, also in namespaces we cannot see.
        Err(_) if fs_type.family() == Family::Ext && block.reopen_exclusively().is_ok() => {
            grow_unmounted_ext(block)?;
        }
        grown => grown?,
    }
    Ok(Reply::Done)
}

/// Needs no capability, but time: resize2fs insists on a full check right before.
fn grow_unmounted_ext(block: &Block) -> Result<(), Fault> {
    let path = block.path_for_others();
    let path = path.to_string_lossy();
    let refused = |program: &Program, outcome: &Outcome| {
        let message = format!(
            "{} failed before the filesystem could grow: {}; run it by hand",
            program.name,
            outcome.said()
        );
        Fault::new(FaultKind::Precondition, message)
    };
    let checked = E2FSCK.run(&["-f", "-p", &path])?;
    if !matches!(checked.code(), Some(0..=3)) {
        return Err(refused(&E2FSCK, &checked));
    }
    let grown = RESIZE2FS.run(&[&path])?;
    if grown.is_success() {
        Ok(())
    } else {
        Err(refused(&RESIZE2FS, &grown))
    }
}

fn fills(superblock: &Superblock, size: u64) -> bool {
    size.saturating_sub(superblock.bytes()) < superblock.block_bytes
}

/// Where it is mounted, or bound as a raw device, which has nothing to grow but itself. A device that is too small
/// yet is left alone: its backend has not grown it, or the node has not heard of it.
pub(super) fn mounted(mount_point: &Path, at_least: Option<u64>) -> Result<Reply, Fault> {
    let entry = entry_at(mount_point)?;
    if let Ok(raw) = Block::open(mount_point) {
        return raw.size().map(size);
    }
    let device = MountedDevice::of(&entry, mount_point)?;
    let bytes = device.disk.size()?;
    if at_least.is_some_and(|expected| bytes < expected) {
        return Ok(size(bytes));
    }
    if let Some(partition) = &device.partition {
        partition.fill(&device.disk)?;
    }
    let fs_type = FsType::from_name(&entry.fs_type)?;
    grow(fs_type, &device.node, mount_point)?;
    Ok(size(bytes))
}

fn entry_at(mount_point: &Path) -> Result<Arc<MountEntry>, Fault> {
    let failed = |kind, reason: &dyn std::fmt::Display| {
        let path = mount_point.display();
        Fault::new(kind, format!("cannot grow what is at {path}: {reason}"))
    };
    mount_at(mount_point)
        .map_err(|error| failed(FaultKind::Other, &error))?
        .ok_or_else(|| failed(FaultKind::NotFound, &"nothing is mounted there"))
}

pub(super) fn size(bytes: u64) -> Reply {
    Reply::Device(DeviceReply::Size(bytes))
}

/// The disk beneath a mount.
struct MountedDevice {
    disk: Block,
    partition: Option<Partition>,
    /// Of the disk or the partition, as the mount table has it.
    node: PathBuf,
}

impl MountedDevice {
    fn of(entry: &MountEntry, mount_point: &Path) -> Result<Self, Fault> {
        let Ok(sysfs) = sysfs(&entry.device).canonicalize() else {
            return Err(Fault::new(
                FaultKind::Unsupported,
                format!(
                    "cannot grow the {} filesystem at {}: it is not on a block device of this node",
                    entry.fs_type,
                    mount_point.display()
                ),
            ));
        };
        let partition = Partition::at(sysfs.clone());
        // A partition's directory lies in its disk's.
        let disk = match (&partition, sysfs.parent()) {
            (Some(_), Some(parent)) => open(parent)?,
            _ => open(&sysfs)?,
        };
        let node = match &partition {
            Some(partition) => partition.open()?.node()?,
            None => disk.node()?,
        };
        Ok(Self {
            disk,
            partition,
            node,
        })
    }
}

fn open(sysfs: &Path) -> Result<Block, Fault> {
    let gone = || {
        Fault::new(
            FaultKind::Unreachable,
            format!("cannot read {}; the device may be gone", sysfs.display()),
        )
    };
    let number = device_number(sysfs).map_err(|_| gone())?;
    Block::open_node(&device_name(sysfs).ok_or_else(gone)?, number)
}

/// Both succeed where there is nothing to do.
fn grow(fs_type: FsType, node: &Path, mount_point: &Path) -> Result<(), Fault> {
    let (program, on) = match fs_type.family() {
        Family::Ext => (RESIZE2FS, node),
        Family::Xfs => (XFS_GROWFS, mount_point),
    };
    let outcome = program.run(&[&on.to_string_lossy()])?;
    if outcome.is_success() {
        return Ok(());
    }
    // EXT4_IOC_RESIZE_FS checks for it, and containers often lack it.
    let hint = match fs_type.family() {
        Family::Ext => "; a mounted ext filesystem grows only by CAP_SYS_RESOURCE",
        Family::Xfs => "",
    };
    Err(Fault::new(
        FaultKind::Precondition,
        format!(
            "{} could not grow the filesystem on {}: {}{hint}",
            program.name,
            node.display(),
            outcome.said()
        ),
    ))
}

/// Mounted for a moment.
struct Scratch {
    mount_point: PathBuf,
}

impl Scratch {
    fn mount(block: &Block, fs_type: FsType) -> Result<Self, Fault> {
        // Nothing on it is used, and a copy of a mounted xfs has the same UUID. ext4's driver has ext2 and ext3
        // too, and grows them; kernels seldom have another for them.
        let (fs_type, data) = match fs_type.family() {
            Family::Ext => (FsType::Ext4, ""),
            Family::Xfs => (FsType::Xfs, XFS_TWINS),
        };
        let mount_point = PathBuf::from(SCRATCH);
        own_mount_namespace()?;
        mount_block(block, fs_type, &mount_point, NOTHING_RUNS, data)?;
        Ok(Self { mount_point })
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // At the latest it goes with this worker's namespace.
        let _ = umount2(&self.mount_point, MntFlags::UMOUNT_NOFOLLOW);
    }
}
