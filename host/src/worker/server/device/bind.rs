//! The raw device at a target.
//!
//! The whole disk, whatever is on it. Read-only is what the mount says, and the kernel does not hold anyone
//! to it for device nodes; BLKROSET would, for everybody on this node.

use std::path::Path;

use nix::fcntl::{OFlag, open};
use nix::sys::stat::Mode;

use super::block::block_number;
use super::find::Disk;
use super::mount::{occupied, standing};
use crate::volume::Access;
use crate::worker::errno::fault;
use crate::worker::server::target::{bind_device, open_device_target};
use crate::worker::{Fault, FaultKind, Reply};

/// Binds its node; already so is success.
pub(super) fn bind(disk: &Disk, target: &Path, access: Access) -> Result<Reply, Fault> {
    if let Some(entry) = standing(target)? {
        let there = block_number(&open_device_target(target)?);
        let same =
            there == Ok(disk.block.number()) && entry.read_only == (access == Access::ReadOnly);
        return match same {
            true => Ok(Reply::Done),
            false => Err(occupied(&entry, target)),
        };
    }
    let node = disk.block.node()?;
    let flags = OFlag::O_PATH | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
    let opened = open(&node, flags, Mode::empty()).map_err(|errno| fault("open", &node, errno))?;
    if block_number(&opened) != Ok(disk.block.number()) {
        return Err(Fault::new(
            FaultKind::Unreachable,
            format!(
                "{} is not {}; the host has to see the node's own /dev",
                node.display(),
                disk.in_words()
            ),
        ));
    }
    bind_device(&opened, target, access)
}
