//! The intent to format, kept until it is carried out.
//!
//! A worker can be killed while mkfs runs, and the device is not blank any more then. The note says that it
//! was proven blank before. It never speaks for another disk, nor for the same one after anybody else could
//! have written to it: it holds what the disk is, and the boot and the very appearance of the disk in which
//! it was written. A disk that was detached meanwhile, or a node that was restarted, needs a person.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::find::Disk;
use super::superblock::FsType;
use crate::sys::{appearance, create_root_only_directory, remove_durably, write_durably};
use crate::worker::{Fault, FaultKind};

/// What is about to be made, and where.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct FormatIntent {
    device: String,
    serial: String,
    size_bytes: u64,
    filesystem: String,
    boot: String,
    appearance: String,
}

impl FormatIntent {
    pub(super) fn of(disk: &Disk, fs_type: FsType) -> Result<Self, Fault> {
        let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id");
        let boot = boot.map_err(|error| failed("read the number of this boot", disk, &error))?;
        let appearance = appearance(&disk.block.sysfs());
        Ok(Self {
            device: disk.identity.name.clone(),
            serial: disk.identity.serial.clone(),
            size_bytes: disk.size,
            filesystem: fs_type.name().to_owned(),
            boot: boot.trim().to_owned(),
            appearance: appearance.map_err(|error| failed("read /sys", disk, &error))?,
        })
    }

    /// Durable before it returns.
    pub(super) fn write(&self, notes: &Path, disk: &Disk) -> Result<(), Fault> {
        let written = serde_json::to_vec(self)
            .map_err(io::Error::other)
            .and_then(|text| {
                create_root_only_directory(notes)?;
                write_durably(&file(notes, disk), &text)
            });
        written.map_err(|error| failed("note in the state directory", disk, &error))
    }

    /// Whether exactly this was noted.
    pub(super) fn stands(&self, notes: &Path, disk: &Disk) -> bool {
        // One that cannot be read allows nothing.
        fs::read(file(notes, disk))
            .ok()
            .and_then(|text| serde_json::from_slice::<Self>(&text).ok())
            .is_some_and(|noted| noted == *self)
    }
}

/// What was intended is done, or is nobody's intent any more.
pub(super) fn remove(notes: &Path, disk: &Disk) -> Result<(), Fault> {
    let file = file(notes, disk);
    if !file.exists() {
        return Ok(());
    }
    remove_durably(&file).map_err(|error| failed("clean the state directory", disk, &error))
}

/// A serial holds no slash and is no longer than a file name: that was checked when it was asked for, and the
/// disk reports the very same.
fn file(notes: &Path, disk: &Disk) -> PathBuf {
    notes.join(format!("{}.formatting", disk.identity.serial))
}

fn failed(attempt: &str, disk: &Disk, error: &io::Error) -> Fault {
    Fault::new(
        FaultKind::Other,
        format!(
            "cannot {attempt} before formatting {}: {error}; nothing was written to it",
            disk.in_words()
        ),
    )
}
