//! `volume_stats`: how full a mounted volume is.

use std::path::Path;
use std::time::Instant;

use super::session::Session;
use crate::error::DriverError;
use crate::volume::VolumeKey;
use crate::worker::Measured;
use crate::worker::client::measure_at_once;

impl Session {
    /// What the volume that is mounted at that path holds. Waits for no other operation, and for a dead
    /// server no longer than the caller's deadline.
    ///
    /// # Errors
    /// `not-found` where the path does not hold that volume; `unavailable` where its server does not answer.
    pub fn volume_stats(&self, key: &VolumeKey, at: &Path) -> Result<Measured, DriverError> {
        tracing::Span::current().record("volume.id", key.0.as_str());
        let mounted = self.mounted_at(key, at)?;
        let deadline = self.deadline(Instant::now());
        Ok(self
            .shared
            .measuring
            .measure(&mounted.path, &mounted.entry, deadline)?)
    }

    /// The same where nobody has to be waited for: none where a server or a guest would be asked.
    pub fn volume_stats_at_once(
        &self,
        key: &VolumeKey,
        at: &Path,
    ) -> Result<Option<Measured>, DriverError> {
        let Some(mounted) = self.known_at(key, at)? else {
            return Ok(None);
        };
        let measured = measure_at_once(&mounted.path, &mounted.entry);
        Ok(measured.transpose()?)
    }
}
