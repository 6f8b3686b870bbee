//! The component store: `components/<name>.wasm`, and every version by digest.
//!
//! `<name>.wasm` is a link to `sha256/<digest>.wasm`, so the current version's digest is known without
//! reading it. A plain file dropped there works too, at the price of hashing it. Old versions stay for
//! the volumes they made; where the store is read-only they are kept beside it, in `retained/<digest>.wasm`.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use sha2::{Digest, Sha256};

use crate::config::Paths;
use crate::digest::{hex, sha256_hex};
use crate::sys;

/// A component in the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ComponentFile {
    /// The file in the store.
    pub path: PathBuf,
    /// SHA-256, hex.
    pub sha256: String,
}

/// Python's runtime, the largest known guest, makes components of 18 MiB.
pub const MAX_COMPONENT_BYTES: u64 = 64 << 20;

/// A component's bytes, read once, so that what is stored is what was examined.
#[derive(Debug)]
pub struct ComponentBytes {
    /// Where they were read.
    pub path: PathBuf,
    pub(super) bytes: Vec<u8>,
    pub(super) sha256: String,
}

/// Why a component is not to be had.
#[derive(Debug, thiserror::Error)]
pub enum ComponentError {
    /// The file cannot be read.
    #[error("cannot read {}", path.display())]
    Unreadable {
        /// The component's file.
        path: PathBuf,
        /// As the system says it.
        source: io::Error,
    },
    /// It has more bytes than a component may have.
    #[error("{} has more than {MAX_COMPONENT_BYTES} bytes, and no setting allows a component to have more; leave out of it what it does not need", path.display())]
    TooLarge {
        /// The component's file.
        path: PathBuf,
    },
    /// Nothing of that name.
    #[error("there is no component {name:?} in {}; put one there with `drivebay install`", directory.display())]
    Missing {
        /// The name looked for.
        name: String,
        /// The store.
        directory: PathBuf,
    },
    /// It is there and cannot be read or written.
    #[error("cannot use component {}", path.display())]
    Io {
        /// The component's file.
        path: PathBuf,
        /// As the system says it.
        source: io::Error,
    },
}

impl ComponentBytes {
    /// From a file, which is read no further than a component may be long.
    ///
    /// # Errors
    /// [`ComponentError::Unreadable`], [`ComponentError::TooLarge`].
    pub fn read(path: &Path) -> Result<Self, ComponentError> {
        let unreadable = |source| ComponentError::Unreadable {
            path: path.to_owned(),
            source,
        };
        let mut bytes = Vec::new();
        File::open(path)
            .and_then(|file| file.take(MAX_COMPONENT_BYTES + 1).read_to_end(&mut bytes))
            .map_err(unreadable)?;
        if bytes.len() as u64 > MAX_COMPONENT_BYTES {
            return Err(ComponentError::TooLarge {
                path: path.to_owned(),
            });
        }
        Ok(Self::delivered(path, bytes))
    }

    /// As they came from a source, whose file is named.
    pub(super) fn delivered(path: &Path, bytes: Vec<u8>) -> Self {
        Self {
            path: path.to_owned(),
            sha256: sha256_hex(&bytes),
            bytes,
        }
    }
}

/// The current version of a component.
///
/// # Errors
/// [`ComponentError`].
pub fn locate(paths: &Paths, name: &str) -> Result<ComponentFile, ComponentError> {
    let path = by_name(paths, name);
    if let Some(file) = fs::read_link(&path)
        .ok()
        .and_then(|target| linked(&path, &target))
    {
        return Ok(file);
    }
    match file_sha256_hex(&path) {
        Ok(sha256) => Ok(ComponentFile { sha256, path }),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Err(ComponentError::Missing {
            name: name.to_owned(),
            directory: paths.components(),
        }),
        Err(source) => Err(ComponentError::Io { path, source }),
    }
}

/// Where the current version of a component is found.
pub(super) fn by_name(paths: &Paths, name: &str) -> PathBuf {
    paths.components().join(format!("{name}.wasm"))
}

/// The version at that path, which is a link there. None where its digest is not told by where it leads.
pub(super) fn linked(path: &Path, target: &Path) -> Option<ComponentFile> {
    Some(ComponentFile {
        sha256: digest_in_name(target)?,
        path: path.to_owned(),
    })
}

/// A certain version, kept for a volume it made.
///
/// # Errors
/// [`ComponentError::Missing`] where it was removed.
pub fn locate_digest(paths: &Paths, sha256: &str) -> Result<ComponentFile, ComponentError> {
    let path = retained(paths, sha256);
    if path.exists() {
        return Ok(ComponentFile {
            path,
            sha256: sha256.to_owned(),
        });
    }
    Err(ComponentError::Missing {
        name: sha256.to_owned(),
        directory: paths.components().join("sha256"),
    })
}

/// Where a version is kept by its digest; where it is not, in the store.
pub fn retained(paths: &Paths, sha256: &str) -> PathBuf {
    let [in_store, beside_store] = paths.retained();
    let in_store = kept_in(&in_store, sha256);
    if in_store.exists() {
        return in_store;
    }
    let beside_store = kept_in(&beside_store, sha256);
    match beside_store.exists() {
        true => beside_store,
        false => in_store,
    }
}

fn kept_in(directory: &Path, sha256: &str) -> PathBuf {
    directory.join(format!("{sha256}.wasm"))
}

/// Puts a component into the store under its digest and makes it the current version of that name. Both
/// steps are a rename: readers see the old version or the new one.
///
/// # Errors
/// [`ComponentError::Io`].
pub fn install(
    paths: &Paths,
    name: &str,
    component: &ComponentBytes,
) -> Result<ComponentFile, ComponentError> {
    let sha256 = component.sha256.clone();
    keep(paths, component)?;
    let path = by_name(paths, name);
    sys::remove_leftovers(&paths.components(), &path);
    let target = PathBuf::from(format!("sha256/{sha256}.wasm"));
    match sys::replace_link(&target, &path) {
        Ok(()) => Ok(ComponentFile { path, sha256 }),
        Err(source) => Err(ComponentError::Io { path, source }),
    }
}

/// Puts a component into the store under its digest alone, or beside the store where that is not ours to write.
///
/// # Errors
/// [`ComponentError::Io`].
pub(super) fn keep(paths: &Paths, component: &ComponentBytes) -> Result<(), ComponentError> {
    let [in_store, beside_store] = paths.retained();
    match keep_in(&in_store, component) {
        Err(error) if is_read_only(&error) => keep_in(&beside_store, component)
            .map_err(|source| unkept(&beside_store, component, source)),
        kept => kept.map_err(|source| unkept(&in_store, component, source)),
    }
}

fn unkept(directory: &Path, component: &ComponentBytes, source: io::Error) -> ComponentError {
    ComponentError::Io {
        path: kept_in(directory, &component.sha256),
        source,
    }
}

/// A mount's or an image's, and not what we refuse ourselves.
pub(super) fn is_read_only(error: &io::Error) -> bool {
    let is_so = matches!(
        error.kind(),
        io::ErrorKind::ReadOnlyFilesystem | io::ErrorKind::PermissionDenied
    );
    is_so && error.raw_os_error().is_some()
}

fn keep_in(directory: &Path, component: &ComponentBytes) -> io::Result<()> {
    let kept = kept_in(directory, &component.sha256);
    // What is there already costs no write, and on a full disk could not be had.
    let is_there = || fs::read(&kept).is_ok_and(|present| present == component.bytes);
    sys::create_root_only_directory(directory)?;
    sys::remove_leftovers(directory, &kept);
    if is_there() {
        // Best effort, for who removes versions that nothing names and that were not written lately.
        let _ = File::options()
            .append(true)
            .open(&kept)
            .and_then(|file| file.set_modified(SystemTime::now()));
        return Ok(());
    }
    sys::write_durably(&kept, &component.bytes)
}

/// However large the file is: nobody has looked at it yet.
fn file_sha256_hex(path: &Path) -> io::Result<String> {
    let mut file = File::open(path)?;
    let (mut digest, mut chunk) = (Sha256::new(), vec![0; 64 << 10]);
    loop {
        match file.read(&mut chunk)? {
            0 => return Ok(hex(&digest.finalize())),
            count => digest.update(&chunk[..count]),
        }
    }
}

fn digest_in_name(target: &Path) -> Option<String> {
    let stem = target.file_name()?.to_str()?.strip_suffix(".wasm")?;
    is_digest(stem).then(|| stem.to_owned())
}

pub(super) fn is_digest(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}
