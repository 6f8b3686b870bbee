//! `volume_stats`: how full a mounted volume is.

use std::path::{Path, PathBuf};
use std::time::Instant;

use super::Driver;
use super::place::known;
use super::publish::staged_device;
use crate::error::DriverError;
use crate::sys::{Measured, measure_at_once};
use crate::volume::VolumeKey;

/// Where a volume is, and by which of the kernel's filesystems.
pub(super) struct Mounted {
    path: PathBuf,
    fs_type: String,
}

impl Driver {
    /// What the volume that is mounted at that path holds. Waits for no other operation, and for a dead
    /// server no longer than the caller's patience.
    ///
    /// # Errors
    /// `not-found` where the path does not hold that volume; `unavailable` where its server does not answer.
    pub fn volume_stats(&self, key: &VolumeKey, at: &Path) -> Result<Measured, DriverError> {
        tracing::Span::current().record("volume.id", key.0.as_str());
        let mounted = self.mounted_at(key, at)?;
        let deadline = self.deadline(Instant::now());
        Ok(self
            .measuring
            .measure(&mounted.path, &mounted.fs_type, deadline)?)
    }

    /// The same where nobody has to be waited for: none where a server would be asked.
    ///
    /// # Errors
    /// As for [`Self::volume_stats`].
    pub fn volume_stats_at_once(
        &self,
        key: &VolumeKey,
        at: &Path,
    ) -> Result<Option<Measured>, DriverError> {
        let mounted = self.mounted_at(key, at)?;
        let measured = measure_at_once(&mounted.path, &mounted.fs_type);
        Ok(measured.transpose()?)
    }

    /// What is mounted of the volume, given the path that a caller was told: a staged device lies in the
    /// staging directory.
    ///
    /// # Errors
    /// `not-found` where that path does not hold the volume.
    pub(super) fn mounted_at(&self, key: &VolumeKey, at: &Path) -> Result<Mounted, DriverError> {
        for path in [at.to_owned(), staged_device(at)] {
            if self.journal.volume_at(&path).as_ref() != Some(key) {
                continue;
            }
            if let Some(entry) = known(&path)? {
                let fs_type = entry.fs_type;
                return Ok(Mounted { path, fs_type });
            }
        }
        Err(DriverError::not_found(format!(
            "volume {:?} is not mounted at {}",
            key.0,
            at.display()
        )))
    }
}
