//! Which versions stay on the node: those that may serve, may be gone back to, or made what is still in use.
//!
//! Others put versions here meanwhile, in processes of their own. A version is written before anything names it, so
//! nothing is removed while somebody is at it; and which version serves changes under the locks that are held here.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::components::{ComponentError, is_digest, is_read_only, locate};
use super::store_lock::alone;
use super::version_progress::VersionProgress;
use super::version_record::{RecordError, RejectedBy, VersionRecord};
use crate::config::Paths;
use crate::sys::{Lock, if_there};
use crate::volume::DriverName;

/// Files by the version that they are of.
type Files = BTreeMap<String, Vec<PathBuf>>;

/// Removes the components, and what was compiled of them by whatever host, that nothing needs: neither `keep`, which are
/// the versions that journals name, nor a driver's record, nor what is on its way, nor a component's name in the store.
/// Returns their digests.
///
/// # Errors
/// Where it cannot be told what is needed: then nothing is removed. Where a file cannot be removed.
pub fn remove_unused(paths: &Paths, keep: &BTreeSet<String>) -> io::Result<Vec<String>> {
    let Some(_alone) = alone(paths).map_err(io::Error::other)? else {
        return Ok(Vec::new());
    };
    let drivers = drivers(paths)?;
    let _locks = lock(paths, &drivers).map_err(io::Error::other)?;
    let mut needed = keep.clone();
    for driver in &drivers {
        needed.extend(decided(paths, driver).map_err(io::Error::other)?);
        let pending = VersionProgress::read(paths, driver).pending;
        needed.extend(pending.and_then(|pending| pending.sha256));
    }
    needed.extend(installed(paths)?);
    let mut removed = Vec::new();
    for (sha256, files) in files(paths)? {
        if !needed.contains(&sha256) && remove(&files)? == Removal::Done {
            removed.push(sha256);
        }
    }
    Ok(removed)
}

/// Those about whose versions anything is written, in the order in which everybody locks more than one.
fn drivers(paths: &Paths) -> io::Result<BTreeSet<DriverName>> {
    let mut drivers = BTreeSet::new();
    for directory in [paths.versions(), paths.progress()] {
        for file in names(&directory)? {
            // What a killed writer left begins with a dot.
            let name = file
                .strip_suffix(".json")
                .filter(|name| !name.starts_with('.'));
            drivers.extend(name.map(|name| DriverName(name.to_owned())));
        }
    }
    Ok(drivers)
}

fn lock(paths: &Paths, drivers: &BTreeSet<DriverName>) -> Result<Vec<Lock>, RecordError> {
    drivers
        .iter()
        .map(|driver| VersionRecord::lock(paths, driver))
        .collect()
}

/// A version that was taken out of service can be activated by name for as long as it is remembered, which is until its
/// source shows another one. One that the driver's file rejects cannot.
fn decided(paths: &Paths, driver: &DriverName) -> Result<Vec<String>, RecordError> {
    let Some(record) = VersionRecord::read(paths, driver)? else {
        return Ok(Vec::new());
    };
    let served = record.active.into_iter().chain(record.previous);
    let served = served.map(|version| version.sha256);
    let held = record.held.into_iter().map(|version| version.sha256);
    let rejected = record.rejected.into_iter();
    let taken_back = rejected
        .filter(|version| version.by != RejectedBy::DriverFile)
        .map(|version| version.sha256);
    Ok(served.chain(held).chain(taken_back).collect())
}

/// What components' names in the store stand for: links, and plain files that somebody dropped there.
fn installed(paths: &Paths) -> io::Result<Vec<String>> {
    let names = names(&paths.components())?;
    let components = names.iter().filter_map(|name| name.strip_suffix(".wasm"));
    // A link that leads nowhere stands for nothing.
    let located = components.filter_map(|name| match locate(paths, name) {
        Err(ComponentError::Missing { .. }) => None,
        file => Some(file.map(|file| file.sha256)),
    });
    located.collect::<Result<_, _>>().map_err(io::Error::other)
}

/// All of each version's: code, component, and the counts of its calls, by which one that was called lately stays. What is
/// left of an interrupted removal is found again.
fn files(paths: &Paths) -> io::Result<Files> {
    let mut files = Files::new();
    let mut directories = vec![paths.compiled()];
    directories.extend(paths.retained());
    let counted = names(&paths.calls())?;
    directories.extend(counted.iter().map(|driver| paths.calls().join(driver)));
    for directory in directories {
        for name in names(&directory)? {
            if let Some(sha256) = version_of(&name) {
                let known = files.entry(sha256.to_owned()).or_default();
                known.push(directory.join(&name));
            }
        }
    }
    Ok(files)
}

/// `DIGEST`, `DIGEST.wasm`, `DIGEST-FINGERPRINT.cwasm`, `DIGEST-FINGERPRINT.json`, and what killed writers left of them.
fn version_of(file: &str) -> Option<&str> {
    let name = file.strip_prefix('.').unwrap_or(file);
    let (sha256, rest) = name.split_at_checked(64)?;
    let is_ours = rest.is_empty() || rest.starts_with(['.', '-']);
    (is_digest(sha256) && is_ours).then_some(sha256)
}

/// Whether anything went.
#[derive(Debug, PartialEq, Eq)]
enum Removal {
    Done,
    NothingToDo,
}

/// What an image or another mount brought, read-only, stays.
fn remove(files: &[PathBuf]) -> io::Result<Removal> {
    let mut removal = Removal::NothingToDo;
    for file in files {
        match fs::remove_file(file) {
            Err(error) if is_read_only(&error) => {}
            removed => {
                if if_there(removed)?.is_some() {
                    removal = Removal::Done;
                }
            }
        }
    }
    Ok(removal)
}

/// None where there is no such directory. Names that are no text are nobody's of ours.
fn names(directory: &Path) -> io::Result<Vec<String>> {
    let Some(entries) = if_there(fs::read_dir(directory))? else {
        return Ok(Vec::new());
    };
    let mut names = Vec::new();
    for entry in entries {
        names.extend(entry?.file_name().into_string());
    }
    Ok(names)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::super::components::retained;
    use super::super::version_progress::{PendingVersion, Step};
    use super::super::version_record::{ActiveVersion, Content, HeldVersion};
    use super::*;
    use crate::digest::sha256_hex;
    use crate::error::GuestText;

    struct Store {
        _root: tempfile::TempDir,
        paths: Paths,
    }

    fn digest(of: char) -> String {
        of.to_string().repeat(64)
    }

    fn driver() -> DriverName {
        DriverName("nfs".to_owned())
    }

    impl Store {
        /// With old versions `0` to `7`, compiled by two hosts.
        fn new() -> Self {
            let root = tempfile::tempdir().expect("a directory");
            let paths = Paths::beneath(root.path());
            fs::create_dir_all(paths.components().join("sha256")).expect("made");
            fs::create_dir_all(paths.compiled()).expect("made");
            let store = Self { _root: root, paths };
            for sha256 in ('0'..='7').map(digest) {
                for file in store.files_of(&sha256) {
                    write(&file);
                }
            }
            store
        }

        fn files_of(&self, sha256: &str) -> [PathBuf; 4] {
            let compiled = |name: &str| self.paths.compiled().join(format!("{sha256}-{name}"));
            [
                retained(&self.paths, sha256),
                compiled("one.cwasm"),
                compiled("one.json"),
                compiled("another.json"),
            ]
        }

        fn remove_unused(&self, keep: &[char]) -> io::Result<Vec<String>> {
            super::remove_unused(&self.paths, &keep.iter().copied().map(digest).collect())
        }

        fn change(&self, change: impl FnOnce(&mut VersionRecord)) {
            VersionRecord::change(&self.paths, &driver(), change).expect("written");
        }
    }

    fn write(file: &Path) {
        fs::write(file, "x").expect("writable");
    }

    fn version(sha256: char) -> ActiveVersion {
        ActiveVersion::example(&digest(sha256))
    }

    #[test]
    fn what_anything_names_stays_and_the_rest_goes_with_its_code() {
        let store = Store::new();
        store.change(|record| {
            record.activate(version('0'));
            record.activate(version('1'));
            record.held.push(HeldVersion {
                sha256: digest('2'),
                version: GuestText::name("1"),
                since: 1,
                source: String::new(),
                reason: GuestText::default(),
                content: Content::default(),
                verified_by: None,
            });
        });
        let progress = VersionProgress {
            pending: Some(PendingVersion {
                sha256: Some(digest('3')),
                step: Step::Wait,
                since: 1,
                source: String::new(),
                content: Content::default(),
                not_before: None,
            }),
            ..VersionProgress::default()
        };
        let another = DriverName("another".to_owned());
        progress.write(&store.paths, &another).expect("writable");
        let link = store.paths.components().join("nfs.wasm");
        symlink(format!("sha256/{}.wasm", digest('4')), link).expect("made");

        let removed = store.remove_unused(&['5']).expect("told");
        assert_eq!(removed, [digest('6'), digest('7')]);
        for (sha256, stays) in ('0'..='7').map(|it| (digest(it), it < '6')) {
            for file in store.files_of(&sha256) {
                assert_eq!(file.exists(), stays, "{}", file.display());
            }
        }
    }

    #[test]
    fn what_was_rolled_back_stays_until_its_source_shows_another_one() {
        let store = Store::new();
        store.change(|record| {
            record.activate(version('0'));
            record.activate(version('1'));
            let back = record.roll_back(None, RejectedBy::Calls, "it breaks down".to_owned());
            back.expect("0 served before");
        });
        let removed = store.remove_unused(&[]).expect("told");
        assert!(!removed.contains(&digest('1')) && removed.contains(&digest('2')));
        store.change(|record| record.rejected.clear());
        assert!(
            store
                .remove_unused(&[])
                .expect("told")
                .contains(&digest('1'))
        );
    }

    #[test]
    fn a_name_that_leads_nowhere_keeps_nothing_and_hinders_nobody() {
        let store = Store::new();
        let link = store.paths.components().join("nfs.wasm");
        symlink("sha256/nowhere.wasm", link).expect("made");
        assert!(!store.remove_unused(&[]).expect("told").is_empty());
    }

    #[test]
    fn while_somebody_puts_something_there_nothing_goes() {
        let store = Store::new();
        let storing = crate::store::hold_store(&store.paths).expect("free");
        assert_eq!(
            store.remove_unused(&[]).expect("told"),
            Vec::<String>::new()
        );
        drop(storing);
        assert!(!store.remove_unused(&[]).expect("told").is_empty());
    }

    #[test]
    fn the_code_of_a_plain_file_in_the_store_stays() {
        let store = Store::new();
        fs::write(store.paths.components().join("nfs.wasm"), "plain").expect("writable");
        let [_, code, ..] = store.files_of(&sha256_hex(b"plain"));
        write(&code);
        store.remove_unused(&[]).expect("told");
        assert!(code.exists());
    }

    #[test]
    fn what_killed_writers_left_goes() {
        let store = Store::new();
        let name = format!(".{}.wasm.0123.tmp", digest('8'));
        let left = store.paths.components().join("sha256").join(name);
        write(&left);
        assert!(
            store
                .remove_unused(&[])
                .expect("told")
                .contains(&digest('8'))
        );
        assert!(!left.exists());
    }

    #[test]
    fn where_a_record_cannot_be_read_nothing_goes() {
        for record in ["{", r#"{"format":99}"#] {
            let store = Store::new();
            store.change(|record| record.activate(version('0')));
            let file = VersionRecord::file(&store.paths, &driver());
            fs::write(file, record).expect("writable");
            store.remove_unused(&[]).expect_err("it says nothing");
            assert!(
                store
                    .files_of(&digest('7'))
                    .iter()
                    .all(|file| file.exists())
            );
        }
    }

    #[test]
    fn an_empty_node_has_nothing_to_remove() {
        let root = tempfile::tempdir().expect("a directory");
        let paths = Paths::beneath(root.path());
        let removed = super::remove_unused(&paths, &BTreeSet::new()).expect("told");
        assert_eq!(removed, [""; 0]);
    }
}
