//! Which versions of components made what is still mounted or attached on this node.

use std::collections::BTreeSet;
use std::fs;
use std::io;

use crate::config::Paths;
use crate::error::DriverError;
use crate::journal::Journal;
use crate::volume::DriverName;

/// Digests of the versions that a journal entry of any driver names, also of one that is no longer configured: its
/// volumes are still there.
///
/// # Errors
/// Where one journal entry cannot be read, because it could name any version.
pub fn versions_in_use(paths: &Paths) -> Result<BTreeSet<String>, DriverError> {
    let unreadable = |source: io::Error| {
        let journal = paths.journal();
        DriverError::unavailable(format!("cannot list the journals in {}", journal.display()))
            .caused_by(source)
    };
    let drivers = match fs::read_dir(paths.journal()) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(BTreeSet::new()),
        drivers => drivers.map_err(unreadable)?,
    };
    let mut versions = BTreeSet::new();
    for driver in drivers {
        let driver = driver.map_err(unreadable)?;
        if driver.file_type().map_err(unreadable)?.is_dir() {
            versions.extend(versions_in(&Journal::new(driver.path()))?);
        }
    }
    Ok(versions)
}

/// The same of one driver.
///
/// # Errors
/// As for [`versions_in_use`].
pub fn versions_in_use_by(
    paths: &Paths,
    driver: &DriverName,
) -> Result<BTreeSet<String>, DriverError> {
    let journal = Journal::new(paths.journal().join(&driver.0));
    versions_in(&journal)
}

fn versions_in(journal: &Journal) -> Result<BTreeSet<String>, DriverError> {
    let mut versions = BTreeSet::new();
    for record in journal.records()? {
        versions.extend(record.attachments.into_iter().map(|made| made.component));
        versions.extend(record.mounts.into_iter().map(|made| made.component));
    }
    Ok(versions)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::{Attachment, Lifetime, MountRecord, Progress, Role, Use, VolumeRecord};
    use crate::volume::{Access, AccessType, Parameters, VolumeId, VolumeKey};

    fn save(paths: &Paths, driver: &str, mounted_by: &str, attached_by: &str) {
        let context = Parameters::default();
        let key = VolumeKey("k".to_owned());
        let mut record = VolumeRecord::new(&key, &VolumeId("v".to_owned()), &context);
        record.set_mount(MountRecord {
            path: "/t".into(),
            role: Role::Target,
            use_as: Use::of(Access::ReadOnly, &AccessType::Block),
            component: mounted_by.to_owned(),
            progress: Progress::Intended,
            shown_as: String::new(),
            disk: None,
            takes_writes: None,
        });
        record.set_attachment(Attachment {
            node: "n".to_owned(),
            publish_context: Vec::new(),
            component: attached_by.to_owned(),
            progress: Progress::Done,
            use_as: None,
            lifetime: Lifetime::UntilDetached,
        });
        let journal = Journal::new(paths.journal().join(driver));
        journal.save(&record).expect("writable");
    }

    #[test]
    fn versions_of_mounts_and_attachments_of_all_journals_are_found() {
        let root = tempfile::tempdir().expect("a directory");
        let paths = Paths::beneath(root.path());
        assert_eq!(versions_in_use(&paths).expect("none"), BTreeSet::new());
        save(&paths, "nfs", "a", "b");
        save(&paths, "one-that-is-gone", "a", "c");
        let found = versions_in_use(&paths).expect("readable");
        assert_eq!(found, ["a", "b", "c"].map(str::to_owned).into());
        let of_one = versions_in_use_by(&paths, &DriverName("nfs".to_owned()));
        let of_one = of_one.expect("readable");
        assert_eq!(of_one, ["a", "b"].map(str::to_owned).into());
    }

    #[test]
    fn an_entry_that_cannot_be_read_is_an_error_that_names_it() {
        let root = tempfile::tempdir().expect("a directory");
        let paths = Paths::beneath(root.path());
        save(&paths, "nfs", "a", "b");
        let damaged = paths.journal().join("nfs/damaged.json");
        fs::write(&damaged, "{").expect("writable");
        let error = versions_in_use(&paths).expect_err("damaged").chain();
        assert!(error.contains(&damaged.display().to_string()), "{error}");
    }
}
