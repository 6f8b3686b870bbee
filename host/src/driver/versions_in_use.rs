//! Which versions of a component made what is mounted or attached on this node, and have to undo it one day.

use std::collections::BTreeSet;

use crate::config::Paths;
use crate::error::DriverError;
use crate::journal::Journal;
use crate::volume::DriverName;

/// Of one driver, by digest.
///
/// # Errors
/// A record of the journal cannot be read: it could name one more.
pub fn versions_in_use_by(
    paths: &Paths,
    driver: &DriverName,
) -> Result<BTreeSet<String>, DriverError> {
    let journal = Journal::new(paths.journal().join(&driver.0));
    let records = journal.records()?;
    let mut digests = BTreeSet::new();
    for record in records {
        digests.extend(record.attachments.into_iter().map(|it| it.component));
        digests.extend(record.mounts.into_iter().map(|it| it.component));
    }
    Ok(digests)
}
