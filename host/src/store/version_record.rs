//! What this node decided about the versions of one driver's component: one file, replaced whole.
//!
//! Its rename is the switch: every process of the node reads which version serves from here, once a call, and sees
//! the old one or the new one. Data and questions to it, and how it is read and written.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::call_counts;
use crate::config::{DriverConfig, Paths};
use crate::digest::sha256_hex;
use crate::error::GuestText;
use crate::sys::{self, Lock, LockError, if_there};
use crate::volume::DriverName;

/// The form of the file; a later one is not read, and not written over.
const FORMAT: u32 = 1;

/// Others hold the lock for as long as it takes to replace a file.
const LOCK_WAIT: Duration = Duration::from_secs(10);

/// How many versions before the active one are remembered, and kept to go back to.
const PREVIOUS: usize = 3;

/// Everything about the versions of one driver.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct VersionRecord {
    format: u32,
    /// Which serves; none before the first activation.
    pub active: Option<ActiveVersion>,
    /// Which served before, the latest first.
    #[serde(default)]
    pub previous: Vec<ActiveVersion>,
    /// Which wait for the operator.
    #[serde(default)]
    pub held: Vec<HeldVersion>,
    /// Which served, and may not again by themselves.
    #[serde(default)]
    pub rejected: Vec<RejectedVersion>,
}

/// A version that serves or served.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct ActiveVersion {
    /// Its name: with another one in the driver's file it is another component's version.
    pub component: String,
    /// SHA-256 of the component, hex.
    pub sha256: String,
    /// Its own word for itself.
    pub version: GuestText,
    /// Since when, in seconds since 1970.
    pub since: u64,
    /// The file that it came from, or the command.
    pub source: String,
    /// The driver's file with which it was checked: both switch together.
    pub driver_file: String,
    /// What was offered when it was activated: the same once more is nothing new.
    pub content: Content,
    /// SHA-256 of the public key whose signature it has, if one was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verified_by: Option<String>,
}

/// A sound version that would take something away.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct HeldVersion {
    /// SHA-256 of the component, hex.
    pub sha256: String,
    /// Its own word for itself.
    pub version: GuestText,
    /// Since when, in seconds since 1970.
    pub since: u64,
    /// The file that it came from.
    pub source: String,
    /// What it takes away.
    pub reason: GuestText,
    /// What was offered.
    pub content: Content,
    /// SHA-256 of the public key whose signature it has, if one was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verified_by: Option<String>,
}

/// A version that is not activated by itself any more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct RejectedVersion {
    /// SHA-256 of the component, hex.
    pub sha256: String,
    /// Its own word for itself.
    pub version: GuestText,
    /// Since when, in seconds since 1970.
    pub since: u64,
    /// The file that it had come from.
    pub source: String,
    /// Why.
    pub reason: String,
    /// Who decided.
    pub by: RejectedBy,
    /// What was offered: while the source offers it, it stays rejected.
    pub content: Content,
    /// SHA-256 of the public key whose signature it has, if one was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verified_by: Option<String>,
}

/// What a driver is offered. The same once more is nothing new.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Content {
    /// Of the component's file as it lies in its source, compressed or not, and of its signature's, if it has one.
    pub offered: String,
    /// SHA-256 of the driver's file, and of the public keys that it names.
    pub driver_file: String,
}

/// Who rejected a version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RejectedBy {
    /// `drivebay rollback`.
    Operator,
    /// Its calls broke down in its first minutes.
    Calls,
    /// `versions.rejected` of the driver's file.
    DriverFile,
}

/// Why the record cannot be had or kept.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// It cannot be read.
    #[error("cannot read {}", file.display())]
    Unreadable {
        /// The record's file.
        file: PathBuf,
        /// As the system says it.
        source: io::Error,
    },
    /// It is not as we left it.
    #[error("{} is corrupt ({reason}); remove it, and the component in the store serves again", file.display())]
    Corrupt {
        /// The record's file.
        file: PathBuf,
        /// From the parser.
        reason: String,
    },
    /// A later host wrote it.
    #[error("{} was written by a later version of Drivebay (its format is {format}, this host knows {FORMAT}); install that version again, or remove the file to begin anew", file.display())]
    Later {
        /// The record's file.
        file: PathBuf,
        /// The number in it.
        format: u32,
    },
    /// It cannot be written.
    #[error("cannot write {}; check space and permissions of the state directory", file.display())]
    Unwritable {
        /// The record's file.
        file: PathBuf,
        /// As the system says it.
        source: io::Error,
    },
    /// Somebody else is changing it.
    #[error("cannot change which version of driver {driver} serves")]
    Locked {
        /// Whose versions.
        driver: DriverName,
        /// As the lock says it.
        source: LockError,
    },
}

/// Reading comes first: what is not a number is not a record.
#[derive(Deserialize)]
struct Format {
    format: u32,
}

impl Default for VersionRecord {
    fn default() -> Self {
        Self {
            format: FORMAT,
            active: None,
            previous: Vec::new(),
            held: Vec::new(),
            rejected: Vec::new(),
        }
    }
}

impl Content {
    /// Of a component's file and its signature's, by their digests, with a driver's file.
    pub fn of(file_sha256: &str, signature_sha256: Option<&str>, driver: &DriverConfig) -> Self {
        Self {
            offered: Self::offered(file_sha256, signature_sha256),
            driver_file: Self::driver_file(driver),
        }
    }

    /// The source's part of it.
    pub fn offered(file_sha256: &str, signature_sha256: Option<&str>) -> String {
        let signature = signature_sha256.unwrap_or_default();
        sha256_hex(format!("{file_sha256} {signature}"))
    }

    /// The driver's part of it.
    pub fn driver_file(driver: &DriverConfig) -> String {
        let files = &driver.require.public_keys;
        let keys = files.iter().flat_map(|file| &file.fingerprints);
        let keys: Vec<&str> = keys.map(String::as_str).collect();
        sha256_hex(format!("{} {}", keys.join(" "), driver.text))
    }
}

impl VersionRecord {
    /// The driver's file in the state directory.
    pub fn file(paths: &Paths, driver: &DriverName) -> PathBuf {
        paths.versions().join(format!("{driver}.json"))
    }

    /// What was decided by now, if anything was.
    ///
    /// # Errors
    /// [`RecordError`], and nothing is believed then.
    pub fn read(paths: &Paths, driver: &DriverName) -> Result<Option<Self>, RecordError> {
        let file = Self::file(paths, driver);
        let unreadable = |source| RecordError::Unreadable {
            file: file.clone(),
            source,
        };
        let bytes = if_there(fs::read(&file)).map_err(unreadable)?;
        bytes.map(|bytes| Self::parse(&file, &bytes)).transpose()
    }

    pub(super) fn parse(file: &Path, bytes: &[u8]) -> Result<Self, RecordError> {
        let corrupt = |error: serde_json::Error| RecordError::Corrupt {
            file: file.to_owned(),
            reason: error.to_string(),
        };
        let Format { format } = serde_json::from_slice(bytes).map_err(corrupt)?;
        if format > FORMAT {
            let file = file.to_owned();
            return Err(RecordError::Later { file, format });
        }
        serde_json::from_slice(bytes).map_err(corrupt)
    }

    /// Changes the record under its lock, and replaces it where it is another one afterwards.
    ///
    /// # Errors
    /// [`RecordError`]; the file is then as it was.
    pub fn change<T>(
        paths: &Paths,
        driver: &DriverName,
        change: impl FnOnce(&mut Self) -> T,
    ) -> Result<T, RecordError> {
        let _lock = Self::lock(paths, driver)?;
        let before = Self::read(paths, driver)?;
        let mut record = before.clone().unwrap_or_default();
        let answer = change(&mut record);
        if before.as_ref() != Some(&record) {
            let serving = before.and_then(|before| before.active);
            record.begin_calls_anew(serving.as_ref(), paths, driver);
            record.write(paths, driver)?;
        }
        Ok(answer)
    }

    /// A version is judged by its calls since it began to serve, not by those of an earlier time, nor by what it undid for
    /// volumes of its own while another one served.
    fn begin_calls_anew(&self, before: Option<&ActiveVersion>, paths: &Paths, driver: &DriverName) {
        let beginning = |version: &ActiveVersion| (version.since, version.sha256.clone());
        let Some(now) = &self.active else { return };
        if before.map(beginning) != Some(beginning(now))
            && let Err(error) = call_counts::begin_anew(paths, driver, &now.sha256)
        {
            tracing::warn!(driver.name = driver.0, %error, "calls of an earlier time are counted for the version that serves now");
        }
    }

    /// While it is held, the record stays as it is.
    pub(super) fn lock(paths: &Paths, driver: &DriverName) -> Result<Lock, RecordError> {
        let lock = paths.locks().join(format!("versions-{driver}.lock"));
        Lock::acquire(&lock, Instant::now() + LOCK_WAIT).map_err(|source| RecordError::Locked {
            driver: driver.clone(),
            source,
        })
    }

    fn write(&self, paths: &Paths, driver: &DriverName) -> Result<(), RecordError> {
        let file = Self::file(paths, driver);
        let written = (|| {
            sys::create_root_only_directory(&paths.versions())?;
            sys::remove_leftovers(&paths.versions(), &file);
            sys::write_durably(&file, &serde_json::to_vec_pretty(self)?)
        })();
        written.map_err(|source| RecordError::Unwritable { file, source })
    }

    /// Makes a version the one that serves. What served until now is the latest of the previous ones; one that is
    /// activated is neither held nor rejected any more.
    pub fn activate(&mut self, version: ActiveVersion) {
        self.held.retain(|held| held.sha256 != version.sha256);
        self.rejected
            .retain(|rejected| rejected.sha256 != version.sha256);
        let Some(before) = self.active.replace(version) else {
            return;
        };
        let now = self.active.as_ref().map(|version| version.sha256.clone());
        self.previous
            .retain(|known| known.sha256 != before.sha256 && Some(&known.sha256) != now.as_ref());
        // The same component with another driver's file is no version to go back to.
        if now.as_ref() != Some(&before.sha256) {
            self.previous.insert(0, before);
        }
        self.previous.truncate(PREVIOUS);
    }

    /// Whether that version was taken out of service, and may not come back by itself.
    pub fn has_taken_back(&self, sha256: &str) -> bool {
        let mut rejected = self.rejected.iter();
        rejected.any(|it| it.sha256 == sha256 && it.by != RejectedBy::DriverFile)
    }

    /// Whether it was decided about that content already, one way or the other.
    pub fn has_decided(&self, content: &Content) -> bool {
        let is_rejected = |it: &RejectedVersion| match it.by {
            RejectedBy::Operator | RejectedBy::Calls => it.content.offered == content.offered,
            RejectedBy::DriverFile => it.content == *content,
        };
        self.active.iter().any(|it| it.content == *content)
            || self.held.iter().any(|it| it.content == *content)
            || self.rejected.iter().any(is_rejected)
    }

    /// The version among those that serve, served or are held.
    pub fn version_of(&self, sha256: &str) -> Option<&GuestText> {
        let served = self.active.iter().chain(&self.previous);
        let held = self.held.iter().map(|held| (&held.sha256, &held.version));
        let mut all = served
            .map(|version| (&version.sha256, &version.version))
            .chain(held);
        all.find_map(|(known, version)| (known == sha256).then_some(version))
    }
}

#[cfg(test)]
impl ActiveVersion {
    /// The first version of component `nfs`, with that digest; tests say what else matters to them.
    pub(super) fn example(sha256: &str) -> Self {
        Self {
            component: "nfs".to_owned(),
            sha256: sha256.to_owned(),
            version: GuestText::name("1"),
            since: 1,
            source: "a file".to_owned(),
            driver_file: String::new(),
            content: Content::default(),
            verified_by: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_served_before_is_remembered_once_and_the_latest_first() {
        let mut record = VersionRecord::default();
        for sha256 in ["a", "b", "a", "c"] {
            record.activate(ActiveVersion::example(sha256));
        }
        let previous: Vec<&str> = record
            .previous
            .iter()
            .map(|it| it.sha256.as_str())
            .collect();
        assert_eq!(previous, ["a", "b"]);
    }

    #[test]
    fn another_drivers_file_alone_leaves_the_version_to_go_back_to() {
        let mut record = VersionRecord::default();
        record.activate(ActiveVersion::example("a"));
        record.activate(ActiveVersion::example("b"));
        record.activate(ActiveVersion {
            driver_file: "changed".to_owned(),
            ..ActiveVersion::example("b")
        });
        assert_eq!(record.previous.len(), 1);
        assert_eq!(record.previous[0].sha256, "a");
    }

    #[test]
    fn a_record_comes_back_as_it_was_written_and_a_later_one_is_left_alone() {
        let root = tempfile::tempdir().expect("a directory");
        let (paths, driver) = (Paths::beneath(root.path()), DriverName("nfs".to_owned()));
        assert_eq!(VersionRecord::read(&paths, &driver).expect("none"), None);
        VersionRecord::change(&paths, &driver, |record| {
            record.activate(ActiveVersion::example("a"))
        })
        .expect("written");
        let read = VersionRecord::read(&paths, &driver).expect("readable");
        assert_eq!(
            read.and_then(|record| record.active),
            Some(ActiveVersion::example("a"))
        );

        let file = VersionRecord::file(&paths, &driver);
        fs::write(&file, r#"{"format":2,"active":"something else"}"#).expect("writable");
        let error = VersionRecord::change(&paths, &driver, |record| {
            record.activate(ActiveVersion::example("b"))
        });
        assert!(matches!(error, Err(RecordError::Later { format: 2, .. })));
        let kept = fs::read_to_string(&file).expect("there");
        assert!(kept.contains("something else"), "{kept}");
    }
}
