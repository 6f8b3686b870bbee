//! The component store: `components/<name>.wasm`, and every version by digest.
//!
//! `<name>.wasm` is a link to `sha256/<digest>.wasm`, so the current version's digest is known without
//! reading it. A plain file dropped there works too, at the price of hashing it. Old versions stay for
//! the volumes they made.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use crate::config::Paths;
use crate::sys;

/// A component in the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ComponentFile {
    /// Where it is.
    pub path: PathBuf,
    /// SHA-256, hex.
    pub sha256: String,
}

/// Why there is none.
#[derive(Debug, thiserror::Error)]
pub enum ComponentError {
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
        /// Which file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// The current version of a component.
///
/// # Errors
/// [`ComponentError`].
pub fn locate(paths: &Paths, name: &str) -> Result<ComponentFile, ComponentError> {
    let path = paths.components().join(format!("{name}.wasm"));
    if let Some(sha256) = fs::read_link(&path)
        .ok()
        .as_deref()
        .and_then(digest_in_name)
    {
        return Ok(ComponentFile { sha256, path });
    }
    match fs::read(&path) {
        Ok(bytes) => Ok(ComponentFile {
            sha256: sha256_hex(&bytes),
            path,
        }),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Err(ComponentError::Missing {
            name: name.to_owned(),
            directory: paths.components(),
        }),
        Err(source) => Err(ComponentError::Io { path, source }),
    }
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

/// Where a version is kept by its digest.
pub fn retained(paths: &Paths, sha256: &str) -> PathBuf {
    paths
        .components()
        .join("sha256")
        .join(format!("{sha256}.wasm"))
}

/// Puts a component into the store under its digest and makes it the current version of that name. Both
/// steps are a rename: readers see the old version or the new one.
///
/// # Errors
/// [`ComponentError::Io`].
pub fn install(paths: &Paths, name: &str, bytes: &[u8]) -> Result<ComponentFile, ComponentError> {
    let sha256 = sha256_hex(bytes);
    let kept = retained(paths, &sha256);
    let io = |source| ComponentError::Io {
        path: kept.clone(),
        source,
    };
    sys::create_root_only_directory(&paths.components().join("sha256")).map_err(io)?;
    sys::write_durably(&kept, bytes).map_err(io)?;
    let link = paths.components().join(format!("{name}.wasm"));
    sys::remove_leftovers(&paths.components(), &link);
    let target = PathBuf::from(format!("sha256/{sha256}.wasm"));
    sys::replace_link(&target, &link).map_err(io)?;
    Ok(ComponentFile { path: link, sha256 })
}

pub(super) fn sha256_hex(bytes: &[u8]) -> String {
    Sha256::digest(bytes)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

fn digest_in_name(target: &Path) -> Option<String> {
    let stem = target.file_name()?.to_str()?.strip_suffix(".wasm")?;
    (stem.len() == 64 && stem.bytes().all(|byte| byte.is_ascii_hexdigit())).then(|| stem.to_owned())
}
