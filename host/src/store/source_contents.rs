//! What lies in the sources of components at one moment, and what is wrong with it.
//!
//! Digests and sizes alone: a source can hold more than fits into memory. Whoever wants a candidate's bytes reads them
//! once more from the directory that is still held open, and gets those that were found or an error.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::decompress::Compression;
use crate::digest::sha256_hex;
use crate::sys::OpenDirectory;

/// One source, read.
#[derive(Debug)]
pub struct SourceContents {
    /// The directory, as the operator names it.
    pub source: PathBuf,
    /// In the order of their names; no name twice.
    pub candidates: Vec<Candidate>,
    /// What does not count, and why.
    pub problems: Vec<SourceProblem>,
}

/// A component that a source offers. Nothing of it was unpacked or verified.
#[derive(Debug, Clone)]
pub struct Candidate {
    /// The component's name, by which drivers' files find it.
    pub name: String,
    /// The directory, as the operator names it.
    pub source: PathBuf,
    /// The component's file.
    pub file: SourceFile,
    /// How that is compressed.
    pub compression: Compression,
    /// `NAME.wasm.sig`, where there is one.
    pub signature: Option<SourceFile>,
    pub(super) directory: Arc<OpenDirectory>,
}

/// A file in a source, as it lies there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceFile {
    /// Where operators find it.
    pub path: PathBuf,
    /// Its length in bytes.
    pub size: u64,
    /// SHA-256 of its bytes, hex; of a compressed file these are the compressed ones.
    pub sha256: String,
}

/// Something in a source that does not count.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceProblem {
    /// The component that it would be, where that is known.
    pub component: Option<String>,
    /// A sentence that names the files and what to do.
    pub reason: String,
}

/// Why a candidate's bytes are not to be had.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// It was exchanged or removed after it was found; whoever looks anew finds what is there now.
    #[error("{} is no longer what was found there; the source has to be read anew", file.display())]
    Changed {
        /// Where it lay.
        file: PathBuf,
    },
    /// It cannot be read.
    #[error("cannot read {}", file.display())]
    Unreadable {
        /// Where it lies.
        file: PathBuf,
        /// As the system says it.
        source: io::Error,
    },
}

/// What all sources offer together.
#[derive(Debug, Default)]
pub struct Offer {
    /// By the component's name.
    pub candidates: BTreeMap<String, Candidate>,
    /// What does not count, and why.
    pub problems: Vec<SourceProblem>,
}

impl Candidate {
    /// The bytes of its file, as they were found.
    ///
    /// # Errors
    /// [`SourceError`].
    pub fn read(&self) -> Result<Vec<u8>, SourceError> {
        self.file.read(&self.directory)
    }

    /// The bytes of its signature, as they were found; none where there is no such file.
    ///
    /// # Errors
    /// [`SourceError`].
    pub fn read_signature(&self) -> Result<Option<Vec<u8>>, SourceError> {
        let read = |file: &SourceFile| file.read(&self.directory);
        self.signature.as_ref().map(read).transpose()
    }

    /// Whether the other one is the same, byte for byte, with the same signature.
    pub fn is_same_content(&self, other: &Self) -> bool {
        let content = |of: &Self| {
            let signature = of.signature.as_ref().map(|file| file.sha256.clone());
            (of.compression, of.file.sha256.clone(), signature)
        };
        content(self) == content(other)
    }
}

impl SourceFile {
    fn read(&self, directory: &OpenDirectory) -> Result<Vec<u8>, SourceError> {
        let changed = || SourceError::Changed {
            file: self.path.clone(),
        };
        let mut bytes = Vec::new();
        let read = directory
            .open_file(self.path.file_name().unwrap_or(OsStr::new(".")))
            .and_then(|file| file.take(self.size + 1).read_to_end(&mut bytes));
        match read {
            // Of what kubelet replaced nothing but the descriptor of its directory is left.
            Err(error) if error.kind() == io::ErrorKind::NotFound => Err(changed()),
            Err(source) => Err(SourceError::Unreadable {
                file: self.path.clone(),
                source,
            }),
            Ok(_) if sha256_hex(&bytes) != self.sha256 => Err(changed()),
            Ok(_) => Ok(bytes),
        }
    }
}

impl SourceProblem {
    pub(super) fn of(component: Option<&str>, reason: String) -> Self {
        Self {
            component: component.map(str::to_owned),
            reason,
        }
    }

    pub(super) fn both_mean(component: &str, one: &Path, other: &Path) -> Self {
        let (one, other) = (one.display(), other.display());
        Self::of(
            Some(component),
            format!(
                "{one} and {other} are both component {component:?}, and neither counts until one of them is removed"
            ),
        )
    }
}

/// All sources together. What two of them offer under one name counts in neither: nobody could tell which one is meant,
/// and the order of two mounts must not decide it.
pub fn join(sources: Vec<SourceContents>) -> Offer {
    let mut offer = Offer::default();
    let mut first_seen: BTreeMap<String, PathBuf> = BTreeMap::new();
    for contents in sources {
        let mentioned = mentioned(&contents);
        for candidate in contents.candidates {
            if !first_seen.contains_key(&candidate.name) {
                offer.candidates.insert(candidate.name.clone(), candidate);
            }
        }
        offer.problems.extend(contents.problems);
        for (name, path) in mentioned {
            if let Some(first) = first_seen.get(&name) {
                offer.candidates.remove(&name);
                let problem = SourceProblem::both_mean(&name, first, &path);
                offer.problems.push(problem);
            } else {
                first_seen.insert(name, path);
            }
        }
    }
    offer
}

/// Each name in a source once, also of what does not count there.
fn mentioned(contents: &SourceContents) -> BTreeMap<String, PathBuf> {
    let candidates = contents
        .candidates
        .iter()
        .map(|candidate| (candidate.name.clone(), candidate.file.path.clone()));
    let problems = contents.problems.iter().filter_map(|problem| {
        let name = problem.component.clone()?;
        let path = contents.source.join(format!("{name}.wasm"));
        Some((name, path))
    });
    problems.chain(candidates).collect()
}
