//! What this machine mounted and attached, and what undoes it.
//!
//! kubelet gives `unmount`, `unmountdevice` and `detach` no options, and after its own restart none to
//! anybody. So intent is written down before anything happens outside this process, and stays until it is
//! undone. One file for each volume, replaced whole; an index from paths to volumes beside it, written
//! before and removed after, so that it may point to nothing but never lacks a volume.

mod error;
mod file_name;
mod mount_use;
mod recent_detaches;
mod record;
mod record_file;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::sys::{self, FileCache};
use crate::volume::VolumeKey;

use record_file::{parse_record, read_record};

pub(crate) use error::JournalError;
pub(crate) use file_name::{content_stem, file_stem};
pub(crate) use mount_use::Use;
pub(crate) use recent_detaches::DetachedVolumes;
pub(crate) use record::{Attachment, Lifetime, MountRecord, Progress, Role, VolumeRecord};

/// The journal of one driver.
#[derive(Debug)]
pub(crate) struct Journal {
    directory: PathBuf,
    /// By the volumes' keys.
    records: FileCache<Arc<VolumeRecord>>,
}

impl Journal {
    pub(crate) fn new(directory: PathBuf) -> Self {
        Self {
            directory,
            records: FileCache::default(),
        }
    }

    /// The volume's record, if it has one.
    pub(crate) fn load(&self, key: &VolumeKey) -> Result<Option<VolumeRecord>, JournalError> {
        let record = self.load_shared(key)?;
        Ok(record.map(Arc::unwrap_or_clone))
    }

    /// The same for whoever only looks at it.
    pub(crate) fn load_shared(
        &self,
        key: &VolumeKey,
    ) -> Result<Option<Arc<VolumeRecord>>, JournalError> {
        let name = key.0.as_bytes();
        let record = |bytes| parse_record(bytes).map(Arc::new);
        let record = self.records.read(name, || self.record_file(key), record);
        record.map_err(|reason| reason.of(self.record_file(key)))
    }

    /// Every volume's record. One that cannot be read is an error: it could be the one that is looked for.
    pub(crate) fn records(&self) -> Result<Vec<VolumeRecord>, JournalError> {
        let unreadable = |source| JournalError::Unreadable {
            file: self.directory.clone(),
            source,
        };
        let entries = match std::fs::read_dir(&self.directory) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(source) => return Err(unreadable(source)),
        };
        let mut records = Vec::new();
        for entry in entries {
            let file = entry.map_err(unreadable)?.path();
            // Others come and go meanwhile, and a writer that was killed leaves what it had begun.
            if file
                .extension()
                .is_some_and(|extension| extension == "json")
            {
                records.extend(read_record(file)?);
            }
        }
        Ok(records)
    }

    /// Replaces the volume's record, or removes it where nothing is left to undo.
    pub(crate) fn save(&self, record: &VolumeRecord) -> Result<(), JournalError> {
        let file = self.record_file(&record.key());
        if record.is_empty() {
            return self.remove(&file);
        }
        sys::remove_leftovers(&self.unfinished(), &file);
        let text =
            serde_json::to_vec_pretty(record).map_err(|error| self.unwritable(error.into()))?;
        // What is there already costs no write, and on a full disk could not be had.
        if std::fs::read(&file).is_ok_and(|present| present == text) {
            return Ok(());
        }
        self.write(&file, &text)
    }

    /// Which volume was mounted at that path.
    pub(crate) fn volume_at(&self, path: &Path) -> Option<VolumeKey> {
        let key = std::fs::read_to_string(self.index_file(path));
        key.ok().map(VolumeKey)
    }

    /// Notes which volume a path belongs to.
    pub(crate) fn index(&self, path: &Path, key: &VolumeKey) -> Result<(), JournalError> {
        // A volume that is keyed by its path is found without an index.
        if path.as_os_str() == key.0.as_str() || self.volume_at(path).as_ref() == Some(key) {
            return Ok(());
        }
        self.write(&self.index_file(path), key.0.as_bytes())
    }

    pub(crate) fn unindex(&self, path: &Path) -> Result<(), JournalError> {
        self.remove(&self.index_file(path))
    }

    /// With what killed writers left of it: when it is gone nobody else comes by.
    fn remove(&self, file: &Path) -> Result<(), JournalError> {
        sys::remove_durably_by_way_of(&self.unfinished(), file)
            .map_err(|source| self.unwritable(source))
    }

    /// With the directories, where it is the first.
    fn write(&self, file: &Path, content: &[u8]) -> Result<(), JournalError> {
        let unfinished = self.unfinished();
        let attempt = || sys::write_durably_by_way_of(&unfinished, file, content);
        let written = match attempt() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let directory = file.parent().unwrap_or(&self.directory);
                sys::create_root_only_directory(&unfinished)
                    .and_then(|()| sys::create_root_only_directory(directory))
                    .and_then(|()| attempt())
            }
            written => written,
        };
        written.map_err(|source| self.unwritable(source))
    }

    fn unwritable(&self, source: io::Error) -> JournalError {
        JournalError::Unwritable {
            directory: self.directory.clone(),
            source,
        }
    }

    /// Where files are written. A directory of its own, because it is listed in each call, and the journal's has a
    /// file for each volume.
    fn unfinished(&self) -> PathBuf {
        self.directory.join("unfinished")
    }

    /// There for as long as the journal has the volume.
    pub(crate) fn record_file(&self, key: &VolumeKey) -> PathBuf {
        self.directory
            .join(format!("{}.json", file_stem(key.0.as_bytes())))
    }

    fn index_file(&self, path: &Path) -> PathBuf {
        self.directory
            .join("paths")
            .join(file_stem(path.as_os_str().as_encoded_bytes()))
    }
}

#[cfg(test)]
mod tests {
    use crate::volume::{Access, AccessType, Parameters, VolumeId};

    use super::*;

    /// The directory goes with the first value.
    fn journal() -> (tempfile::TempDir, Journal) {
        let directory = tempfile::tempdir().expect("a directory");
        let journal = Journal::new(directory.path().to_owned());
        (directory, journal)
    }

    fn mount(access: Access, progress: Progress) -> MountRecord {
        MountRecord {
            path: "/t".into(),
            role: Role::Target,
            use_as: Use::of(access, &AccessType::Block),
            component: "c".into(),
            progress,
            shown_as: String::new(),
            disk: None,
            takes_writes: None,
        }
    }

    fn record() -> VolumeRecord {
        let context = Parameters::new(vec![("server".into(), "filer".into())]);
        let mut record = VolumeRecord::new(&VolumeKey("k".into()), &VolumeId("v".into()), &context);
        record.set_mount(mount(Access::ReadOnly, Progress::Intended));
        record
    }

    #[test]
    fn what_was_saved_is_loaded_and_an_empty_record_leaves_nothing() {
        let (_directory, journal) = journal();
        let mut record = record();
        journal.save(&record).expect("writable");
        assert_eq!(
            journal.load(&record.key()).expect("readable"),
            Some(record.clone())
        );
        record.forget(Path::new("/t"));
        journal.save(&record).expect("writable");
        assert_eq!(journal.load(&record.key()).expect("readable"), None);
        let entries = std::fs::read_dir(&journal.directory).expect("there");
        let files = entries.flatten().filter(|entry| entry.path().is_file());
        assert_eq!(files.count(), 0);
    }

    #[test]
    fn what_a_killed_writer_left_goes_when_the_volume_is_written_or_forgotten() {
        let (_directory, journal) = journal();
        let mut record = record();
        journal.save(&record).expect("writable");
        let stem = file_stem(b"k");
        let left = journal.unfinished().join(format!(".{stem}.json.99.tmp"));
        for change in [
            mount(Access::ReadWrite, Progress::Done),
            mount(Access::ReadOnly, Progress::Done),
        ] {
            std::fs::write(&left, "{").expect("writable");
            record.set_mount(change);
            journal.save(&record).expect("writable");
            assert!(!left.exists(), "it stayed");
        }
        std::fs::write(&left, "{").expect("writable");
        record.forget(Path::new("/t"));
        journal.save(&record).expect("writable");
        assert!(!left.exists(), "it stayed");
    }

    #[test]
    fn a_path_leads_back_to_its_volume() {
        let (_directory, journal) = journal();
        let key = VolumeKey("k".into());
        assert_eq!(journal.volume_at(Path::new("/t")), None);
        journal.index(Path::new("/t"), &key).expect("writable");
        assert_eq!(journal.volume_at(Path::new("/t")), Some(key));
        journal.unindex(Path::new("/t")).expect("writable");
        assert_eq!(journal.volume_at(Path::new("/t")), None);
    }

    #[test]
    fn a_damaged_record_is_an_error_that_names_the_file() {
        let (_directory, journal) = journal();
        journal.save(&record()).expect("writable");
        let file = journal.record_file(&VolumeKey("k".into()));
        std::fs::write(&file, "{").expect("writable");
        let error = journal
            .load(&VolumeKey("k".into()))
            .expect_err("damaged")
            .to_string();
        assert!(error.contains(&file.display().to_string()), "{error}");
    }

    #[test]
    fn a_record_of_a_later_host_is_told_from_a_damaged_one_whatever_it_looks_like() {
        let (_directory, journal) = journal();
        journal.save(&record()).expect("writable");
        let file = journal.record_file(&VolumeKey("k".into()));
        let ours = std::fs::read_to_string(&file).expect("there");
        let alike = ours.replacen("\"format\": 1", "\"format\": 2", 1);
        for (text, is_later) in [
            (alike.as_str(), true),
            (r#"{"format": 2}"#, true),
            (r#"{"format": 1}"#, false),
            (r#"{"format": 0}"#, false),
            (r#"{"format": "2"}"#, false),
        ] {
            std::fs::write(&file, text).expect("writable");
            let error = journal.load(&VolumeKey("k".into())).expect_err(text);
            let told = matches!(error, JournalError::Later { found: 2, .. });
            assert_eq!(told, is_later, "{text}: {error}");
        }
    }

    #[test]
    fn all_records_are_found_and_a_damaged_one_is_not_passed_over() {
        let (_directory, journal) = journal();
        assert_eq!(journal.records().expect("nothing yet"), []);
        journal.save(&record()).expect("writable");
        journal
            .index(Path::new("/t"), &VolumeKey("k".into()))
            .expect("writable");
        assert_eq!(journal.records().expect("readable"), [record()]);
        std::fs::write(journal.record_file(&VolumeKey("other".into())), "{").expect("writable");
        assert!(journal.records().is_err());
    }

    #[test]
    fn noting_a_path_twice_keeps_the_later_word() {
        let mut record = record();
        record.set_mount(mount(Access::ReadWrite, Progress::Done));
        assert_eq!(record.mounts, [mount(Access::ReadWrite, Progress::Done)]);
    }
}
