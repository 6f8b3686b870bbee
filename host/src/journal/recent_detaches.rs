//! Volumes that were detached lately, after the journal has let them go.
//!
//! Whoever lost the answer to `detach` repeats it with the volume's name and the node's, and with nothing
//! else; a backend that has other names for its volumes cannot tell then which one is meant. One file for
//! each volume, as many as fit a bound, the oldest go first. Only answers hang on them: what is mounted or
//! attached is in the journal alone.

use std::fmt;
use std::fs::{self, DirEntry};
use std::io;
use std::path::{Path, PathBuf};

use super::error::JournalError;
use super::file_name::{content_stem, file_stem};
use super::record::VolumeRecord;
use super::record_file::read_record;
use crate::sys;
use crate::volume::VolumeKey;

/// kubelet and the controller repeat for minutes. This is more than they detach in hours, and costs a few
/// MiB at most.
const MAX_VOLUMES: usize = 1024;

/// The notes of one driver.
#[derive(Debug)]
pub(crate) struct DetachedVolumes {
    directory: PathBuf,
}

/// A note's file name, by which it is found.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Name {
    /// A digest of the volume's key.
    key: String,
    /// A digest of what tells the volume from others, whatever name it goes by: its parameters, or its id
    /// where it has none.
    content: String,
}

impl DetachedVolumes {
    pub(crate) fn new(directory: PathBuf) -> Self {
        Self { directory }
    }

    /// What the journal knew of the volume before it was detached.
    pub(crate) fn find(&self, key: &VolumeKey) -> Option<VolumeRecord> {
        let wanted = file_stem(key.0.as_bytes());
        let names = self.names().ok()?;
        let name = names.iter().find(|name| name.key == wanted)?;
        // A note that cannot be read is as good as none: then the backend has to do with the name.
        let record = read_record(self.file(name)).ok()??;
        Some(record).filter(|record| record.key() == *key)
    }

    /// Remembers a record, durably, before the journal forgets it.
    pub(crate) fn note(&self, record: &VolumeRecord) -> Result<(), JournalError> {
        let mut attached = record.clone();
        attached.mounts.clear();
        let name = Name::of(record);
        self.changed(|| {
            self.remove(|known| known.key == name.key && *known != name)?;
            let file = self.file(&name);
            sys::remove_leftovers(&self.directory, &file);
            write(&file, &serde_json::to_vec_pretty(&attached)?)?;
            self.prune(MAX_VOLUMES)
        })
    }

    /// The volume is attached again, maybe under another name: a repeat that is still under way would take
    /// it off.
    pub(crate) fn forget(&self, record: &VolumeRecord) -> Result<(), JournalError> {
        let name = Name::of(record);
        self.changed(|| self.remove(|known| known.key == name.key || known.content == name.content))
    }

    /// The volume is deleted: nobody asks for it any more.
    pub(crate) fn forget_deleted(&self, key: &VolumeKey) -> Result<(), JournalError> {
        let key = file_stem(key.0.as_bytes());
        self.changed(|| self.remove(|known| known.key == key))
    }

    fn changed(&self, change: impl FnOnce() -> io::Result<()>) -> Result<(), JournalError> {
        change().map_err(|source| JournalError::Unwritable {
            directory: self.directory.clone(),
            source,
        })
    }

    fn remove(&self, is_meant: impl Fn(&Name) -> bool) -> io::Result<()> {
        let names = self.names()?;
        let mut meant = names.iter().filter(|name| is_meant(name));
        meant.try_for_each(|name| sys::remove_durably(&self.file(name)))
    }

    /// Others note and forget meanwhile; what is gone is not missed.
    fn prune(&self, most: usize) -> io::Result<()> {
        let names = self.names()?;
        let superfluous = names.len().saturating_sub(most);
        if superfluous == 0 {
            return Ok(());
        }
        let mut by_age: Vec<_> = names
            .iter()
            .map(|name| self.file(name))
            .filter_map(|file| Some((fs::metadata(&file).ok()?.modified().ok()?, file)))
            .collect();
        by_age.sort();
        let mut oldest = by_age.iter().take(superfluous);
        oldest.try_for_each(|(_, file)| sys::remove_durably(file))
    }

    fn names(&self) -> io::Result<Vec<Name>> {
        let entries = match fs::read_dir(&self.directory) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(error),
        };
        let name = |entry: io::Result<DirEntry>| entry.map(|entry| Name::parse(&entry.path()));
        entries
            .filter_map(|entry| name(entry).transpose())
            .collect()
    }

    fn file(&self, name: &Name) -> PathBuf {
        self.directory.join(name.to_string())
    }
}

/// With the directory, where it is the first.
fn write(file: &Path, content: &[u8]) -> io::Result<()> {
    let directory = file.parent().unwrap_or(Path::new("/"));
    sys::create_root_only_directory(directory)?;
    sys::write_durably(file, content)
}

impl Name {
    fn of(record: &VolumeRecord) -> Self {
        let context = record.context();
        Self {
            key: file_stem(record.key().0.as_bytes()),
            content: match context.pairs().is_empty() {
                true => file_stem(record.id().0.as_bytes()),
                false => content_stem(&context),
            },
        }
    }

    /// A writer that was killed may have left a file with another name.
    fn parse(file: &Path) -> Option<Self> {
        let stem = file.file_name()?.to_str()?.strip_suffix(".json")?;
        let (key, content) = stem.split_once('-')?;
        Some(Self {
            key: key.to_owned(),
            content: content.to_owned(),
        })
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}.json", self.key, self.content)
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use super::*;
    use crate::journal::{Attachment, Lifetime, Progress};
    use crate::volume::{Parameters, VolumeId};

    /// The directory goes with the first value.
    fn notes() -> (tempfile::TempDir, DetachedVolumes) {
        let directory = tempfile::tempdir().expect("a directory");
        let notes = DetachedVolumes::new(directory.path().join("detached"));
        (directory, notes)
    }

    /// As kubelet names volumes: the id says nothing that the key does not.
    fn record(name: &str, disk: &str) -> VolumeRecord {
        let pairs = match disk {
            "" => Vec::new(),
            disk => vec![("volumeId".to_owned(), disk.to_owned())],
        };
        let (key, id) = (VolumeKey(name.into()), VolumeId(name.into()));
        let mut record = VolumeRecord::new(&key, &id, &Parameters::new(pairs));
        record.set_attachment(Attachment {
            node: "n".into(),
            publish_context: Vec::new(),
            component: "c".into(),
            progress: Progress::Done,
            use_as: None,
            lifetime: Lifetime::UntilDetached,
        });
        record
    }

    fn find(notes: &DetachedVolumes, name: &str) -> Option<VolumeRecord> {
        notes.find(&VolumeKey(name.into()))
    }

    #[test]
    fn what_was_noted_is_found_by_its_name_until_it_is_attached_again() {
        let (_directory, notes) = notes();
        let detached = record("pv", "d-1");
        notes.forget(&detached).expect("nothing to do");
        assert_eq!(find(&notes, "pv"), None);
        notes.note(&detached).expect("writable");
        assert_eq!(find(&notes, "pv"), Some(detached.clone()));
        assert_eq!(find(&notes, "other"), None);
        notes.forget(&detached).expect("writable");
        assert_eq!(find(&notes, "pv"), None);
    }

    #[test]
    fn of_a_volume_that_is_deleted_nothing_is_remembered() {
        let (_directory, notes) = notes();
        for name in ["pv", "other"] {
            notes.note(&record(name, name)).expect("writable");
        }
        let deleted = VolumeKey("pv".into());
        notes.forget_deleted(&deleted).expect("writable");
        assert_eq!(find(&notes, "pv"), None);
        assert!(find(&notes, "other").is_some());
    }

    #[test]
    fn a_volume_of_the_same_name_takes_the_place_of_the_one_before() {
        let (_directory, notes) = notes();
        for disk in ["d-1", "d-2"] {
            notes.note(&record("pv", disk)).expect("writable");
        }
        assert_eq!(find(&notes, "pv"), Some(record("pv", "d-2")));
        assert_eq!(notes.names().expect("readable").len(), 1);
    }

    #[test]
    fn attaching_under_another_name_forgets_that_volume_and_no_other() {
        let (_directory, notes) = notes();
        let all = [record("a", "d-1"), record("b", "d-2"), record("c", "")];
        for detached in &all {
            notes.note(detached).expect("writable");
        }
        notes.forget(&record("again", "d-1")).expect("writable");
        notes.forget(&record("d", "")).expect("writable");
        assert_eq!(find(&notes, "a"), None);
        assert_eq!(find(&notes, "b").as_ref(), all.get(1));
        assert_eq!(find(&notes, "c").as_ref(), all.get(2));
    }

    #[test]
    fn the_oldest_go_first() {
        let (_directory, notes) = notes();
        for (seconds, name) in [(30, "youngest"), (10, "oldest"), (20, "middle")] {
            let detached = record(name, name);
            notes.note(&detached).expect("writable");
            fs::File::options()
                .write(true)
                .open(notes.file(&Name::of(&detached)))
                .and_then(|file| file.set_modified(UNIX_EPOCH + Duration::from_secs(seconds)))
                .expect("ours");
        }
        notes.prune(3).expect("writable");
        assert_eq!(notes.names().expect("readable").len(), 3);
        notes.prune(2).expect("writable");
        assert_eq!(find(&notes, "oldest"), None);
        assert!(find(&notes, "middle").is_some());
        assert!(find(&notes, "youngest").is_some());
    }

    #[test]
    fn a_note_that_cannot_be_read_is_as_good_as_none_and_replaced_by_the_next() {
        let (_directory, notes) = notes();
        let detached = record("pv", "d-1");
        notes.note(&detached).expect("writable");
        fs::write(notes.file(&Name::of(&detached)), "{").expect("writable");
        assert_eq!(find(&notes, "pv"), None);
        notes.note(&detached).expect("writable");
        assert_eq!(find(&notes, "pv"), Some(detached));
    }
}
