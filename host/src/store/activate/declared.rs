//! What the driver's file says of versions that serve already: one that it rejects makes way, the one that it names comes.

use super::Activation;
use crate::store::by_name::{ByNameError, activate_by_name, reject_by_file};
use crate::store::version_record::VersionRecord;

impl Activation<'_> {
    /// Where the version that is named lies on this node, it serves; where the one that serves is rejected, the one before
    /// does.
    ///
    /// # Errors
    /// [`ByNameError`]; what serves goes on then.
    pub fn obey_driver_file(self) -> Result<(), ByNameError> {
        let rules = &self.driver.versions;
        if rules.active.is_none() && rules.rejected.is_empty() {
            return Ok(());
        }
        let Some(record) = VersionRecord::read(self.paths, &self.driver.name)? else {
            return Ok(());
        };
        let Some(active) = record.active else {
            return Ok(());
        };
        match &rules.active {
            Some(declared) if *declared != active.sha256 => {
                let is_here = crate::store::retained(self.paths, declared).exists();
                if is_here {
                    activate_by_name(self.paths, self.driver, declared)?;
                }
            }
            _ if rules.rejected.contains(&active.sha256) => {
                reject_by_file(self.paths, self.driver)?;
            }
            _ => {}
        }
        Ok(())
    }
}
