//! Mounting the filesystem of a disk.

use std::path::Path;

use nix::mount::{MntFlags, MsFlags, mount as mount_call, umount2};
use nix::sys::stat::fstat;

use super::super::mount::{fault, open_target, proc_path};
use super::block::Block;
use super::content;
use super::find::Disk;
use super::superblock::FsType;
use super::{Fault, FaultKind, MountAccess, Reply};
use crate::sys::{MountEntry, mount_at};

/// Options that mount(2) takes as flags. Everything else goes to the filesystem as text.
const FLAGS: [(&str, MsFlags); 11] = [
    ("ro", MsFlags::MS_RDONLY),
    ("nosuid", MsFlags::MS_NOSUID),
    ("nodev", MsFlags::MS_NODEV),
    ("noexec", MsFlags::MS_NOEXEC),
    ("sync", MsFlags::MS_SYNCHRONOUS),
    ("dirsync", MsFlags::MS_DIRSYNC),
    ("noatime", MsFlags::MS_NOATIME),
    ("nodiratime", MsFlags::MS_NODIRATIME),
    ("relatime", MsFlags::MS_RELATIME),
    ("strictatime", MsFlags::MS_STRICTATIME),
    ("lazytime", MsFlags::MS_LAZYTIME),
];

/// What mount(8) keeps to itself, or what is so anyway.
const MEANT_FOR_OTHERS: [&str; 9] = [
    "defaults", "_netdev", "nofail", "auto", "noauto", "suid", "dev", "exec", "async",
];

/// As mount(2) wants them.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Options {
    flags: MsFlags,
    data: String,
    access: MountAccess,
}

impl Options {
    pub(super) fn new(options: &[(String, Option<String>)], access: MountAccess) -> Self {
        let mut flags = match access {
            MountAccess::ReadOnly => MsFlags::MS_RDONLY,
            MountAccess::ReadWrite => MsFlags::empty(),
        };
        let mut data = Vec::new();
        for (name, value) in options {
            let flag = FLAGS.iter().find(|(flag, _)| flag == name);
            match (flag, value) {
                (Some((_, flag)), None) => flags |= *flag,
                (None, None) if MEANT_FOR_OTHERS.contains(&name.as_str()) => {}
                (_, None) => data.push(name.clone()),
                (_, Some(value)) => data.push(format!("{name}={value}")),
            }
        }
        Self {
            flags,
            data: data.join(","),
            access,
        }
    }
}

/// Mounts it on the target; already so is success.
pub(super) fn mount(
    disk: &Disk,
    target: &Path,
    options: &Options,
    granted: &[String],
) -> Result<Reply, Fault> {
    let held = content::filesystem(disk)?;
    let fs_type = held.superblock.fs_type;
    if !granted.iter().any(|name| name == fs_type.name()) {
        return Err(Fault::new(
            FaultKind::Denied,
            format!(
                "{} holds {:?}, which is not granted (grants.block-devices.filesystems = {granted:?})",
                disk.in_words(),
                fs_type.name()
            ),
        ));
    }
    let block = held.block(disk);
    if let Some(entry) = standing(target)? {
        return already(&entry, block, options.access, target);
    }
    mount_block(block, fs_type, target, options.flags, &options.data)?;
    Ok(Reply::Done)
}

/// What is mounted there already.
pub(super) fn standing(target: &Path) -> Result<Option<MountEntry>, Fault> {
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
    access: MountAccess,
    target: &Path,
) -> Result<Reply, Fault> {
    let same = entry.device == block.number_text() && entry.root == Path::new("/");
    if same && entry.read_only == (access == MountAccess::ReadOnly) {
        Ok(Reply::Done)
    } else {
        Err(occupied(entry, target))
    }
}

/// Something else is there.
pub(super) fn occupied(entry: &MountEntry, target: &Path) -> Fault {
    let mode = if entry.read_only {
        "read-only"
    } else {
        "read-write"
    };
    Fault::new(
        FaultKind::Exists,
        format!(
            "{} already holds a {mode} {} mount of {}; unmount it first",
            target.display(),
            entry.fs_type,
            entry.source
        ),
    )
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

    fn option(name: &str, value: Option<&str>) -> (String, Option<String>) {
        (name.to_owned(), value.map(str::to_owned))
    }

    #[test]
    fn flags_are_told_from_what_the_filesystem_reads() {
        let options = [
            option("noatime", None),
            option("nouuid", None),
            option("logbsize", Some("256k")),
            option("_netdev", None),
            option("sync", Some("x")),
        ];
        let options = Options::new(&options, MountAccess::ReadOnly);
        assert_eq!(options.flags, MsFlags::MS_RDONLY | MsFlags::MS_NOATIME);
        assert_eq!(options.data, "nouuid,logbsize=256k,sync=x");
    }

    #[test]
    fn without_options_nothing_is_asked_of_the_kernel() {
        let options = Options::new(&[], MountAccess::ReadWrite);
        assert_eq!(
            (options.flags, options.data.as_str()),
            (MsFlags::empty(), "")
        );
    }
}
