//! Which versions stay on the node: those that may serve, may be gone back to, or made what is still in use.
//!
//! Others put versions here meanwhile, in processes of their own. A version is written before anything names it, so what
//! was written lately stays whatever names it; and which version serves changes under the locks that are held here.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::components::{is_digest, locate};
use super::version_progress::VersionProgress;
use super::version_record::{RecordError, VersionRecord};
use crate::config::Paths;
use crate::sys::{Lock, if_there};
use crate::volume::DriverName;

/// Between a version's first file and the record that names it, it is compiled and tried, for minutes where the node is
/// slow.
const SETTLED: Duration = Duration::from_secs(600);

/// Files by the version that they are of.
type Files = BTreeMap<String, Vec<PathBuf>>;

/// Removes the components, and what was compiled of them by whatever host, that nothing needs: neither `keep`, which are
/// the versions that journals name, nor a driver's record, nor what is on its way, nor a component's name in the store.
/// Returns their digests.
///
/// # Errors
/// Where it cannot be told what is needed: then nothing is removed. Where a file cannot be removed.
pub fn remove_unused(paths: &Paths, keep: &BTreeSet<String>) -> io::Result<Vec<String>> {
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
        if !needed.contains(&sha256) && are_settled(&files)? {
            remove(&files)?;
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

/// A rejected version is needed only while it is one to go back to, where somebody asks for it by name.
fn decided(paths: &Paths, driver: &DriverName) -> Result<Vec<String>, RecordError> {
    let Some(record) = VersionRecord::read(paths, driver)? else {
        return Ok(Vec::new());
    };
    let served = record.active.into_iter().chain(record.previous);
    let served = served.map(|version| version.sha256);
    let held = record.held.into_iter().map(|version| version.sha256);
    Ok(served.chain(held).collect())
}

/// What components' names in the store stand for: links, and plain files that somebody dropped there.
fn installed(paths: &Paths) -> io::Result<Vec<String>> {
    let names = names(&paths.components())?;
    let components = names.iter().filter_map(|name| name.strip_suffix(".wasm"));
    let located = components.map(|name| locate(paths, name).map(|file| file.sha256));
    located.collect::<Result<_, _>>().map_err(io::Error::other)
}

/// All of each version's, its code before its component: what is left of an interrupted removal is found again.
fn files(paths: &Paths) -> io::Result<Files> {
    let mut files = Files::new();
    for directory in [paths.compiled(), paths.components().join("sha256")] {
        for name in names(&directory)? {
            if let Some(sha256) = version_of(&name) {
                let known = files.entry(sha256.to_owned()).or_default();
                known.push(directory.join(&name));
            }
        }
    }
    Ok(files)
}

/// `DIGEST.wasm`, `DIGEST-FINGERPRINT.cwasm`, `DIGEST-FINGERPRINT.json`, and what killed writers left of them.
fn version_of(file: &str) -> Option<&str> {
    let name = file.strip_prefix('.').unwrap_or(file);
    let (sha256, rest) = name.split_at_checked(64)?;
    (is_digest(sha256) && rest.starts_with(['.', '-'])).then_some(sha256)
}

fn are_settled(files: &[PathBuf]) -> io::Result<bool> {
    for file in files {
        let Some(metadata) = if_there(fs::metadata(file))? else {
            continue;
        };
        // Written in the future, as a clock that was set back has it: it may be this minute's.
        let age = metadata.modified()?.elapsed();
        if age.is_ok_and(|age| age >= SETTLED) {
            continue;
        }
        return Ok(false);
    }
    Ok(true)
}

fn remove(files: &[PathBuf]) -> io::Result<()> {
    for file in files {
        if_there(fs::remove_file(file))?;
    }
    Ok(())
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
    use std::fs::File;
    use std::os::unix::fs::symlink;
    use std::time::SystemTime;

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
            let of = |name: &str| root.path().join(name);
            let paths = Paths {
                config: of("config"),
                state: of("state"),
                run: of("run"),
                log: of("log"),
            };
            fs::create_dir_all(paths.components().join("sha256")).expect("made");
            fs::create_dir_all(paths.compiled()).expect("made");
            let store = Self { _root: root, paths };
            for sha256 in ('0'..='7').map(digest) {
                for file in store.files_of(&sha256) {
                    write_long_ago(&file);
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

    fn write_long_ago(file: &Path) {
        fs::write(file, "x").expect("writable");
        let then = SystemTime::now() - SETTLED * 2;
        let file = File::options().write(true).open(file).expect("there");
        file.set_modified(then).expect("ours");
    }

    fn version(sha256: char) -> ActiveVersion {
        ActiveVersion {
            component: "nfs".to_owned(),
            sha256: digest(sha256),
            version: GuestText::name("1"),
            since: 1,
            source: String::new(),
            driver_file: String::new(),
            content: Content::default(),
            verified_by: None,
        }
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
            refused: Vec::new(),
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
    fn what_was_written_lately_stays_though_nothing_names_it_yet() {
        let store = Store::new();
        let [component, _, manifest, _] = store.files_of(&digest('0'));
        fs::write(component, "x").expect("writable");
        let file = File::options().write(true).open(manifest).expect("there");
        let later = SystemTime::now() + SETTLED * 2;
        file.set_modified(later).expect("ours");
        let [_, _, another, _] = store.files_of(&digest('1'));
        fs::write(another, "x").expect("writable");
        let removed = store.remove_unused(&[]).expect("told");
        assert_eq!(removed, ('2'..='7').map(digest).collect::<Vec<_>>());
    }

    #[test]
    fn the_code_of_a_plain_file_in_the_store_stays() {
        let store = Store::new();
        fs::write(store.paths.components().join("nfs.wasm"), "plain").expect("writable");
        let [_, code, ..] = store.files_of(&sha256_hex(b"plain"));
        write_long_ago(&code);
        store.remove_unused(&[]).expect("told");
        assert!(code.exists());
    }

    #[test]
    fn what_killed_writers_left_goes() {
        let store = Store::new();
        let name = format!(".{}.wasm.0123.tmp", digest('8'));
        let left = store.paths.components().join("sha256").join(name);
        write_long_ago(&left);
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
        let of = |name: &str| root.path().join(name);
        let paths = Paths {
            config: of("config"),
            state: of("state"),
            run: of("run"),
            log: of("log"),
        };
        let removed = super::remove_unused(&paths, &BTreeSet::new()).expect("told");
        assert_eq!(removed, [""; 0]);
    }
}
