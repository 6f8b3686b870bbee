//! All disks that were made since the emulator started, for tests that ask whether one was made twice.
//!
//! A moment is the cloud's own count of what was made and deleted.

use serde::Serialize;

use crate::cloud::disk::Disk;
use crate::words::DiskId;

/// Disks that are there, and those that were.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct History(Vec<Life>);

/// One disk's.
#[derive(Clone, Debug, Serialize)]
struct Life {
    id: DiskId,
    name: String,
    made: u64,
    deleted: Option<u64>,
}

impl History {
    pub(crate) fn made(&mut self, disk: &Disk) {
        self.0.push(Life {
            id: disk.id.clone(),
            name: disk.name.clone(),
            made: disk.sequence,
            deleted: None,
        });
    }

    pub(crate) fn deleted(&mut self, id: &DiskId, moment: u64) {
        for life in self.0.iter_mut().filter(|life| life.id == *id) {
            life.deleted = Some(moment);
        }
    }
}
