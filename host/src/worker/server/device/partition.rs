//! Partitions of a disk, as the kernel has them.

use std::fs;
use std::path::{Path, PathBuf};

use super::block::{Block, SYSFS_SECTOR, device_name, device_number};
use super::tools::{PARTX, SFDISK};
use crate::worker::{Fault, FaultKind};

/// Tools align partitions to MiB, and GPT keeps a copy of itself at the end: less than this is no growth.
const LEAST_GROWTH: u64 = 2 << 20;

/// One of them.
#[derive(Debug)]
pub(super) struct Partition {
    /// Its directory in sysfs.
    sysfs: PathBuf,
    /// Counted from one.
    index: u32,
}

/// All of a disk.
pub(super) fn of(disk: &Block) -> Result<Vec<Partition>, Fault> {
    let sysfs = disk.sysfs();
    let entries = fs::read_dir(&sysfs).map_err(|error| unread(&sysfs, &error))?;
    let partitions = entries
        .flatten()
        .filter_map(|entry| Partition::at(entry.path()));
    Ok(partitions.collect())
}

impl Partition {
    /// None where that directory is something else.
    pub(super) fn at(sysfs: PathBuf) -> Option<Self> {
        let index = number_in(&sysfs, "partition").ok()?;
        Some(Self {
            index: u32::try_from(index).ok()?,
            sysfs,
        })
    }

    pub(super) fn open(&self) -> Result<Block, Fault> {
        let number = device_number(&self.sysfs).map_err(|error| unread(&self.sysfs, &error))?;
        let name =
            device_name(&self.sysfs).ok_or_else(|| unread(&self.sysfs, &"it has no name"))?;
        Block::open_node(&name, number)
    }

    /// Lets it reach to the end of its disk, also while it is mounted.
    pub(super) fn fill(&self, disk: &Block) -> Result<(), Fault> {
        if self.room(disk)? < LEAST_GROWTH {
            return Ok(());
        }
        let node = disk.node()?;
        let (node, index) = (node.to_string_lossy(), self.index.to_string());
        // The table is in use as long as the partition is mounted, so it cannot be read anew as a whole.
        let outcome = SFDISK.run_with_input(
            &[
                "--quiet",
                "--no-reread",
                "--no-tell-kernel",
                "-N",
                &index,
                &node,
            ],
            ", +\n",
        )?;
        if !outcome.is_success() {
            return Err(self.not_grown(&outcome.said()));
        }
        let outcome = PARTX.run(&["--update", "--nr", &index, &node])?;
        if !outcome.is_success() {
            return Err(self.not_grown(&outcome.said()));
        }
        if self.room(disk)? >= LEAST_GROWTH {
            return Err(self.not_grown(&"the kernel kept its old size"));
        }
        Ok(())
    }

    /// Bytes behind it.
    fn room(&self, disk: &Block) -> Result<u64, Fault> {
        let sectors =
            |name| number_in(&self.sysfs, name).map_err(|reason| unread(&self.sysfs, &reason));
        let end = sectors("start")?.saturating_add(sectors("size")?);
        Ok(disk
            .size()?
            .saturating_sub(end.saturating_mul(SYSFS_SECTOR)))
    }

    fn not_grown(&self, reason: &dyn std::fmt::Display) -> Fault {
        Fault::new(
            FaultKind::Precondition,
            format!(
                "cannot grow partition {} at {}: {reason}; grow it by hand",
                self.index,
                self.sysfs.display()
            ),
        )
    }
}

fn number_in(sysfs: &Path, name: &str) -> Result<u64, String> {
    let text = fs::read_to_string(sysfs.join(name)).map_err(|error| error.to_string())?;
    text.trim()
        .parse()
        .map_err(|error| format!("{name} is {text:?}: {error}"))
}

fn unread(sysfs: &Path, reason: &dyn std::fmt::Display) -> Fault {
    Fault::new(
        FaultKind::Unreachable,
        format!(
            "cannot read {}: {reason}; the device may be gone",
            sysfs.display()
        ),
    )
}
