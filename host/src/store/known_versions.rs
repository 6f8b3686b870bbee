//! Versions that an operator can name: those of the record, one that is on its way, and all that the store keeps.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use super::compiled;
use super::version_progress::VersionProgress;
use super::version_record::{ActiveVersion, Content, VersionRecord};
use crate::config::{DriverConfig, Paths};
use crate::error::GuestText;
use crate::sys::now_seconds;

/// Fewer digits are too easily those of another version as well.
const SHORTEST_BEGINNING: usize = 8;

const DIGITS: usize = 64;

/// Digits that tell versions apart for people.
const SHORT_DIGEST: usize = 12;

/// One that has a name here: its digest.
#[derive(Debug, Clone)]
pub(super) struct KnownVersion {
    /// SHA-256 of the component, hex.
    pub sha256: String,
    /// Why it is known.
    pub known_as: KnownAs,
    /// Its own word for itself; none where it is not compiled here.
    version: Option<GuestText>,
    /// Of which component, where that is known.
    pub(super) component: Option<String>,
    source: String,
    content: Content,
    pub(super) verified_by: Option<String>,
}

/// What a version is to a driver, the most telling first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum KnownAs {
    /// It serves.
    Active,
    /// It waits for the operator.
    Held,
    /// It is not activated by itself.
    Rejected,
    /// It served before.
    Previous,
    /// It is on its way.
    Pending,
    /// It lies in the store, for this driver or for another one.
    Stored,
}

/// Why a digest names no version.
#[derive(Debug, thiserror::Error)]
pub enum DigestError {
    /// It is none.
    #[error(
        "{text:?} is no digest: give its 64 hex digits, or at least the first {SHORTEST_BEGINNING}; `sha256:` may stand before them"
    )]
    NoDigest {
        /// As it was typed.
        text: String,
    },
    /// None has it.
    #[error("no version has a digest that begins with {text}; known are: {known}")]
    Unknown {
        /// Its digits.
        text: String,
        /// Those that could have been named.
        known: KnownList,
    },
    /// Several have it.
    #[error("several versions have a digest that begins with {text}: {known}; give more digits")]
    Ambiguous {
        /// Its digits.
        text: String,
        /// Those that have it, with all digits.
        known: KnownList,
    },
}

/// Versions for people.
#[derive(Debug)]
pub struct KnownList(Vec<String>);

impl fmt::Display for KnownList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.as_slice() {
            [] => f.write_str("none"),
            known => f.write_str(&known.join(", ")),
        }
    }
}

impl KnownVersion {
    /// As a version that serves from now on, with the driver's file as it is now.
    pub(super) fn activated(self, version: GuestText, driver: &DriverConfig) -> ActiveVersion {
        ActiveVersion {
            component: driver.component.clone(),
            sha256: self.sha256,
            version,
            since: now_seconds(),
            source: self.source,
            driver_file: driver.text.clone(),
            content: Content {
                driver_file: Content::driver_file(driver),
                ..self.content
            },
            verified_by: self.verified_by,
        }
    }

    fn described(&self, digits: usize) -> String {
        let digest = self.sha256.get(..digits).unwrap_or(&self.sha256);
        let version = self.version.as_ref();
        let version = version.map_or("version unknown", |version| version.as_str());
        format!("{digest} ({version}, {})", self.known_as.name())
    }
}

impl KnownAs {
    fn name(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Held => "held",
            Self::Rejected => "rejected",
            Self::Previous => "previous",
            Self::Pending => "pending",
            Self::Stored => "in the store",
        }
    }
}

/// Each once.
pub(super) fn known_versions(
    paths: &Paths,
    record: &VersionRecord,
    progress: &VersionProgress,
) -> Vec<KnownVersion> {
    let served = |known_as| {
        move |it: &ActiveVersion| KnownVersion {
            sha256: it.sha256.clone(),
            known_as,
            version: Some(it.version.clone()),
            component: Some(it.component.clone()),
            source: it.source.clone(),
            content: it.content.clone(),
            verified_by: it.verified_by.clone(),
        }
    };
    let mut all: Vec<KnownVersion> = Vec::new();
    all.extend(record.active.iter().map(served(KnownAs::Active)));
    all.extend(record.held.iter().map(|it| KnownVersion {
        sha256: it.sha256.clone(),
        known_as: KnownAs::Held,
        version: Some(it.version.clone()),
        component: None,
        source: it.source.clone(),
        content: it.content.clone(),
        verified_by: it.verified_by.clone(),
    }));
    all.extend(record.rejected.iter().map(|it| KnownVersion {
        sha256: it.sha256.clone(),
        known_as: KnownAs::Rejected,
        version: Some(it.version.clone()),
        component: None,
        source: it.source.clone(),
        content: it.content.clone(),
        verified_by: it.verified_by.clone(),
    }));
    all.extend(record.previous.iter().map(served(KnownAs::Previous)));
    all.extend(pending(paths, progress));
    all.extend(stored(paths));
    let mut seen = Vec::new();
    all.retain(|known| {
        let is_new = !seen.contains(&known.sha256);
        seen.push(known.sha256.clone());
        is_new
    });
    all
}

/// Those with the source that offers them, which has nothing new then.
fn pending(paths: &Paths, progress: &VersionProgress) -> Option<KnownVersion> {
    let pending = progress.pending.as_ref()?;
    let sha256 = pending.sha256.clone()?;
    Some(KnownVersion {
        version: version(paths, &sha256),
        known_as: KnownAs::Pending,
        component: None,
        source: pending.source.clone(),
        content: pending.content.clone(),
        verified_by: None,
        sha256,
    })
}

fn stored(paths: &Paths) -> impl Iterator<Item = KnownVersion> {
    let directories = paths.retained().into_iter().map(fs::read_dir);
    let names = directories.flatten().flatten().filter_map(Result::ok);
    let mut files: Vec<PathBuf> = names.map(|entry| entry.path()).collect();
    files.sort();
    files.into_iter().filter_map(|file| {
        let sha256 = digest_of(&file)?;
        Some(KnownVersion {
            version: version(paths, &sha256),
            known_as: KnownAs::Stored,
            component: None,
            source: file.display().to_string(),
            content: Content::default(),
            verified_by: None,
            sha256,
        })
    })
}

fn digest_of(file: &Path) -> Option<String> {
    let stem = file.file_name()?.to_str()?.strip_suffix(".wasm")?;
    (stem.len() == DIGITS && is_hex(stem)).then(|| stem.to_owned())
}

fn version(paths: &Paths, sha256: &str) -> Option<GuestText> {
    let manifest = compiled::read_manifest(paths, sha256).ok()?;
    Some(manifest.description.version)
}

/// The one version that an operator means.
///
/// # Errors
/// [`DigestError`].
pub(super) fn find(known: &[KnownVersion], text: &str) -> Result<KnownVersion, DigestError> {
    let digits = beginning(text)?;
    let mut found = known.iter().filter(|it| it.sha256.starts_with(&digits));
    match (found.next(), found.next()) {
        (Some(one), None) => Ok(one.clone()),
        (None, _) => Err(DigestError::Unknown {
            known: list(known.iter(), SHORT_DIGEST),
            text: digits,
        }),
        (Some(_), Some(_)) => Err(DigestError::Ambiguous {
            known: list(
                known.iter().filter(|it| it.sha256.starts_with(&digits)),
                DIGITS,
            ),
            text: digits,
        }),
    }
}

fn list<'a>(known: impl Iterator<Item = &'a KnownVersion>, digits: usize) -> KnownList {
    KnownList(known.map(|it| it.described(digits)).collect())
}

fn beginning(text: &str) -> Result<String, DigestError> {
    let digits = text
        .strip_prefix("sha256:")
        .unwrap_or(text)
        .to_ascii_lowercase();
    let has_length = (SHORTEST_BEGINNING..=DIGITS).contains(&digits.len());
    match has_length && is_hex(&digits) {
        true => Ok(digits),
        false => Err(DigestError::NoDigest {
            text: text.to_owned(),
        }),
    }
}

fn is_hex(digits: &str) -> bool {
    digits.bytes().all(|byte| byte.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known(sha256: &str) -> KnownVersion {
        KnownVersion {
            sha256: sha256.to_owned(),
            known_as: KnownAs::Held,
            component: None,
            version: Some(GuestText::name("1.2.3")),
            source: "a file".to_owned(),
            content: Content::default(),
            verified_by: None,
        }
    }

    fn digests() -> [String; 2] {
        [
            format!("01234567{}", "a".repeat(56)),
            format!("01234567{}", "b".repeat(56)),
        ]
    }

    #[test]
    fn a_digest_or_its_beginning_names_the_one_version_that_has_it() {
        let [one, other] = digests();
        let all = [known(&one), known(&other)];
        for text in [one.clone(), format!("sha256:{one}"), "01234567A".to_owned()] {
            assert_eq!(find(&all, &text).expect(&text).sha256, one);
        }
    }

    #[test]
    fn a_digest_that_names_none_or_several_is_refused_with_those_that_are_known() {
        let [one, other] = digests();
        let all = [known(&one), known(&other)];
        let refused = |text: &str| find(&all, text).expect_err(text).to_string();
        for text in ["0123456", "0123456x", "sha256:", &format!("{one}a")] {
            assert!(refused(text).contains("is no digest"), "{text}");
        }
        let unknown = refused("ffffffff");
        assert!(
            unknown.contains("01234567aaaa (1.2.3, held), 01234567bbbb"),
            "{unknown}"
        );
        let ambiguous = refused("01234567");
        assert!(
            ambiguous.contains(&one) && ambiguous.contains(&other),
            "{ambiguous}"
        );
    }
}
