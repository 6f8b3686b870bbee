//! How far the versions that are offered to a driver have come: what is being looked at, and what was refused.
//!
//! Kept in the run directory, apart from what was decided: a full or read-only state directory must not keep an operator
//! from learning why nothing changes. Nothing of it has to survive a reboot; then what is offered is looked at anew.

use std::fs;
use std::io;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::version_record::Content;
use crate::config::Paths;
use crate::error::GuestText;
use crate::sys;
use crate::volume::DriverName;

/// How many refusals are remembered; the oldest goes.
const REFUSED: usize = 8;

/// Of one driver. One process writes it: the one that watches, or the command that activates.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct VersionProgress {
    /// What is on its way.
    #[serde(default)]
    pub pending: Option<PendingVersion>,
    /// What did not become a version, the latest first.
    #[serde(default)]
    pub refused: Vec<RefusedVersion>,
    /// What the sources offer.
    #[serde(default)]
    pub offered: Option<Content>,
}

/// A version that is being looked at, or whose time has not come.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct PendingVersion {
    /// Of the component, once it is known.
    pub sha256: Option<String>,
    /// What is being done.
    pub step: Step,
    /// Since when, in seconds since 1970.
    pub since: u64,
    /// The file that it comes from.
    pub source: String,
    /// What was offered.
    pub content: Content,
    /// It serves no sooner than then, in seconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_before: Option<u64>,
}

/// What is done with a version before it serves, in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Step {
    /// Its file is read, no further than a component may be long.
    Read,
    /// It is decompressed, no further than that.
    Decompress,
    /// Its digest or its signature is compared with what the driver's file requires.
    Verify,
    /// Its types are compared with the contract, its imports with the driver's grants.
    Check,
    /// It becomes native code.
    Compile,
    /// It says who it is, and its read-only functions run once.
    SelfTest,
    /// It waits for its moment of `activate-within`.
    Wait,
    /// The record is replaced: from then on it serves.
    Switch,
}

impl Step {
    /// As `drivebay status` and the log spell it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Decompress => "decompress",
            Self::Verify => "verify",
            Self::Check => "check",
            Self::Compile => "compile",
            Self::SelfTest => "self-test",
            Self::Wait => "wait",
            Self::Switch => "switch",
        }
    }
}

/// Something that came from a source and did not become a version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct RefusedVersion {
    /// Of the component, where it got so far.
    pub sha256: Option<String>,
    /// At what it failed.
    pub step: Step,
    /// Why, and what helps.
    pub reason: GuestText,
    /// Since when, in seconds since 1970.
    pub since: u64,
    /// The file that it came from.
    pub source: String,
    /// What was refused; none where it is the sources or the driver's file that cannot be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content: Option<Content>,
    /// How often it was tried.
    #[serde(default)]
    pub tries: u32,
    /// It is tried again then, in seconds since 1970; never where there is no time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub again_at: Option<u64>,
    /// What it is about.
    #[serde(default)]
    pub of: Subject,
}

/// What was refused.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Subject {
    /// What a source offers.
    #[default]
    Offer,
    /// The sources themselves, where nothing in them counts.
    Sources,
    /// The driver's file, with the version that serves.
    DriverFile,
    /// `versions` of the driver's file.
    Rules,
}

impl VersionProgress {
    /// The driver's file in the run directory.
    pub fn file(paths: &Paths, driver: &DriverName) -> PathBuf {
        paths.progress().join(format!("{driver}.json"))
    }

    /// As it was written last; nothing where it was not, or by another version of the host.
    pub fn read(paths: &Paths, driver: &DriverName) -> Self {
        let bytes = fs::read(Self::file(paths, driver));
        let read = bytes.map(|bytes| serde_json::from_slice(&bytes));
        read.ok().and_then(Result::ok).unwrap_or_default()
    }

    /// Replaces it whole.
    ///
    /// # Errors
    /// The file system's.
    pub fn write(&self, paths: &Paths, driver: &DriverName) -> io::Result<()> {
        let file = Self::file(paths, driver);
        sys::create_root_only_directory(&paths.progress())?;
        sys::remove_leftovers(&paths.progress(), &file);
        sys::write_durably(&file, &serde_json::to_vec_pretty(self)?)
    }

    /// Notes what did not become a version, instead of what was noted of the same before.
    pub fn refuse(&mut self, refused: RefusedVersion) {
        if refused.of == Subject::Offer {
            self.pending = None;
        }
        self.refused.retain(|known| known.of != refused.of);
        self.refused.insert(0, refused);
        self.refused.truncate(REFUSED);
    }

    /// Whether that content was refused for good.
    pub fn has_refused(&self, content: &Content) -> bool {
        let mut refused = self.refused.iter();
        refused.any(|it| it.content.as_ref() == Some(content) && it.again_at.is_none())
    }

    /// What was wrong with that content the last time.
    #[cfg(feature = "compiler")]
    pub(super) fn refusal_of(&self, of: Subject, content: &Content) -> Option<&RefusedVersion> {
        let mut refused = self.refused.iter();
        refused.find(|it| it.of == of && it.content.as_ref() == Some(content))
    }

    /// Until that content is tried again. A clock that was set back makes nobody wait for longer than was meant.
    #[cfg(feature = "compiler")]
    pub(super) fn seconds_to_wait(&self, of: Subject, content: &Content) -> Option<u64> {
        let refused = self.refusal_of(of, content)?;
        let now = sys::now_seconds();
        let left = refused
            .again_at?
            .checked_sub(now)
            .filter(|left| *left > 0)?;
        (refused.since <= now).then_some(left)
    }
}
