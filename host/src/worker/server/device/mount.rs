//! Mounting the filesystem of a disk.

use std::path::Path;
use std::sync::Arc;

use nix::mount::{MntFlags, MsFlags, mount as mount_call, umount2};
use nix::sys::stat::fstat;

use super::block::Block;
use super::content;
use super::find::Disk;
use super::superblock::{Family, FsType};
use crate::sys::{MountEntry, device_beneath, mount_at, sysfs};
use crate::volume::Access;
use crate::worker::errno::fault;
use crate::worker::server::selinux;
use crate::worker::server::target::{open_target, proc_path};
use crate::worker::{Fault, FaultKind, MountOptions, Reply, mount_flags};

/// A disk made from a snapshot has the same UUID as its origin, and xfs mounts a UUID once unless told so.
pub(super) const XFS_TWINS: &str = "nouuid";

/// Mounts it on the target; already so is success.
pub(super) fn mount(
    disk: &Disk,
    target: &Path,
    options: &MountOptions,
    granted: &[String],
) -> Result<Reply, Fault> {
    let held = content::filesystem(disk)?;
    let fs_type = held.superblock.fs_type;
    let Some(fs_type) = fs_type.mounted_as(granted) else {
        return Err(Fault::new(
            FaultKind::Denied,
            format!(
                "{} holds {:?}, which is not granted (grants.block-devices.filesystems = {granted:?})",
                disk.in_words(),
                fs_type.name()
            ),
        ));
    };
    let block = held.block(disk);
    if let Some(entry) = standing(target)? {
        return already(&entry, block, options.access(), target);
    }
    let data = text(fs_type, options);
    mount_block(block, fs_type, target, options.flags(), &data).map_err(|refused| {
        match selinux::advice(options, refused.kind) {
            Some(advice) => Fault::new(refused.kind, format!("{}; {advice}", refused.message)),
            None => refused,
        }
    })?;
    Ok(Reply::Done)
}

/// What the filesystem reads.
fn text(fs_type: FsType, options: &MountOptions) -> String {
    let mut words: Vec<String> = options.own().iter().map(mount_flags::text).collect();
    if fs_type.family() == Family::Xfs && !words.iter().any(|word| word == XFS_TWINS) {
        words.push(XFS_TWINS.to_owned());
    }
    words.join(",")
}

/// What is mounted there already.
pub(super) fn standing(target: &Path) -> Result<Option<Arc<MountEntry>>, Fault> {
    mount_at(target).map_err(|error| {
        Fault::new(
            FaultKind::Other,
            format!("cannot tell what is at {}: {error}", target.display()),
        )
    })
}

fn already(
    entry: &MountEntry,
    block: &Block,
    access: Access,
    target: &Path,
) -> Result<Reply, Fault> {
    let same = entry.device == block.number_text() && entry.root == Path::new("/");
    if same && entry.read_only == (access == Access::ReadOnly) {
        Ok(Reply::Done)
    } else {
        Err(occupied(entry, target))
    }
}

/// Whether the disk, or its only partition, is what is mounted or bound at the target. Nothing on it is read: what is
/// mounted is in the kernel's care.
pub(super) fn compare(disk: &Disk, target: &Path, access: Access) -> Result<Reply, Fault> {
    let Some(entry) = standing(target)? else {
        let message = format!("nothing is mounted at {}", target.display());
        return Err(Fault::new(FaultKind::NotFound, message));
    };
    let whole = |number: String| number == disk.block.number_text();
    let there = device_beneath(target, &entry);
    let is_same = there.is_some_and(|number| whole(disk_of(&number).unwrap_or(number)));
    let is_all = !entry.is_on_device() || entry.root == Path::new("/");
    match is_same && is_all && entry.read_only == (access == Access::ReadOnly) {
        true => Ok(Reply::Done),
        false => Err(occupied(&entry, target)),
    }
}

/// The disk of a partition, by their numbers.
fn disk_of(partition: &str) -> Option<String> {
    let sysfs = sysfs(partition);
    let is_partition = sysfs.join("partition").exists();
    let disk = is_partition.then(|| std::fs::read_to_string(sysfs.join("../dev")));
    Some(disk?.ok()?.trim().to_owned())
}

/// Something else is there.
pub(super) fn occupied(entry: &MountEntry, target: &Path) -> Fault {
    Fault::new(FaultKind::Exists, entry.in_the_way_at(target.display()))
}

/// By the node's name, because resize2fs and people look for that in the table of mounts. What was mounted
/// is compared with what is open here afterwards.
pub(super) fn mount_block(
    block: &Block,
    fs_type: FsType,
    target: &Path,
    flags: MsFlags,
    data: &str,
) -> Result<(), Fault> {
    let node = block.node()?;
    let onto = open_target(target)?;
    mount_call(
        Some(&node),
        &proc_path(&onto),
        Some(fs_type.name()),
        flags,
        Some(data),
    )
    .map_err(|errno| {
        let refused = fault("mount on", target, errno);
        let message = format!(
            "{} ({} from {}, options {data:?}); the kernel's log says more",
            refused.message,
            fs_type.name(),
            node.display()
        );
        Fault::new(refused.kind, message)
    })?;
    verify(block, target)
}

fn verify(block: &Block, target: &Path) -> Result<(), Fault> {
    let mounted = open_target(target)
        .and_then(|opened| fstat(&opened).map_err(|errno| fault("look at", target, errno)));
    match mounted {
        Ok(stat) if stat.st_dev == block.number() => return Ok(()),
        Ok(_) | Err(_) => {}
    }
    // The node led to another disk: whatever that is, nobody asked for it.
    let _ = umount2(target, MntFlags::UMOUNT_NOFOLLOW);
    Err(Fault::new(
        FaultKind::Unreachable,
        format!(
            "what was mounted on {} is not device {}; it was unmounted again",
            target.display(),
            block.number_text()
        ),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(fs_type: FsType, options: &[(&str, Option<&str>)]) -> String {
        let options = options.iter().copied();
        text(fs_type, &MountOptions::read(Access::ReadWrite, options))
    }

    #[test]
    fn only_the_filesystems_own_words_are_its_to_read() {
        let options = [
            ("noatime", None),
            ("commit", Some("30")),
            ("atime", None),
            ("discard", None),
        ];
        assert_eq!(texts(FsType::Ext4, &options), "commit=30,discard");
        assert_eq!(texts(FsType::Ext4, &[]), "");
    }

    #[test]
    fn xfs_is_mounted_whatever_its_uuid() {
        assert_eq!(texts(FsType::Xfs, &[]), "nouuid");
        assert_eq!(texts(FsType::Xfs, &[("nouuid", None)]), "nouuid");
    }
}
