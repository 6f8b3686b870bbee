//! Compiled code on disk, believed only if we made it.
//!
//! Loading native code is unsafe by nature: flipped bytes are a crash at best. So it lives in a directory
//! that only root can enter, is named by the component's digest and by what compiled it, belongs to root,
//! can be written by nobody else, and matches the digest noted when it was made. Anything else is refused
//! before it is mapped.

use std::io::Read;
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};

use wasmtime::Engine;
use wasmtime::component::Component;

use super::engine::FINGERPRINT;
use super::manifest::Manifest;
use crate::config::Paths;
use crate::digest::sha256_hex;
use crate::sys::{self, TrustError};

/// Why compiled code is not used.
#[derive(Debug, thiserror::Error)]
pub enum CompiledError {
    /// There is none yet.
    #[error("there is no compiled code for component {sha256}")]
    Missing {
        /// The component.
        sha256: String,
    },
    /// It is there, but not as we left it.
    #[error("compiled code {} is refused: {reason}", path.display())]
    Refused {
        /// The file of compiled code.
        path: PathBuf,
        /// Owner, mode, digest, or wasmtime's own check.
        reason: String,
    },
}

pub(crate) fn code_path(paths: &Paths, sha256: &str) -> PathBuf {
    paths
        .compiled()
        .join(format!("{sha256}-{FINGERPRINT}.cwasm"))
}

pub(crate) fn manifest_path(paths: &Paths, sha256: &str) -> PathBuf {
    paths
        .compiled()
        .join(format!("{sha256}-{FINGERPRINT}.json"))
}

/// What is known of a component, without touching its code.
pub(crate) fn read_manifest(paths: &Paths, sha256: &str) -> Result<Manifest, CompiledError> {
    let path = manifest_path(paths, sha256);
    let directory = paths.compiled();
    sys::check_root_only_directory(&directory)
        .map_err(|error| believe(&directory, sha256, error))?;
    let bytes = sys::read_trusted(&path).map_err(|error| believe(&path, sha256, error))?;
    let manifest: Manifest = serde_json::from_slice(&bytes)
        .map_err(|error| refused(&path, format!("its manifest is corrupt: {error}")))?;
    if manifest.component_sha256 != sha256 {
        return Err(refused(
            &path,
            "its manifest is of another component".to_owned(),
        ));
    }
    Ok(manifest)
}

/// The code itself, checked and mapped.
pub(crate) fn load(
    engine: &Engine,
    paths: &Paths,
    manifest: &Manifest,
) -> Result<Component, CompiledError> {
    let path = code_path(paths, &manifest.component_sha256);
    let mut file = sys::open_trusted(&path)
        .map_err(|error| believe(&path, &manifest.component_sha256, error))?;
    let mut code = Vec::new();
    file.read_to_end(&mut code)
        .map_err(|error| refused(&path, error.to_string()))?;
    if sha256_hex(&code) != manifest.code_sha256 {
        return Err(refused(
            &path,
            "its content is not what was compiled".to_owned(),
        ));
    }
    let descriptor = format!("/proc/self/fd/{}", file.as_raw_fd());
    #[expect(
        unsafe_code,
        reason = "mapping native code cannot be made safe by types; the checks above are what there is"
    )]
    // SAFETY: the bytes are a compiled component of this engine's making, unchanged since: the digest noted
    // at compile time was just verified on this open descriptor, and the file and its directory belong to us
    // and can be written by nobody else, so nothing changes it while it is mapped. Replacing it is done by
    // rename, which leaves this inode alone.
    let component = unsafe { Component::deserialize_file(engine, descriptor) };
    component.map_err(|error| refused(&path, error.to_string()))
}

/// Code that was compiled a moment ago and has not left this host's processes since.
///
/// # Errors
/// As wasmtime says it.
#[cfg(feature = "compiler")]
pub(crate) fn from_the_compiler(engine: &Engine, code: &[u8]) -> wasmtime::Result<Component> {
    #[expect(
        unsafe_code,
        reason = "loading native code cannot be made safe by types; nobody but us had it in his hands"
    )]
    // SAFETY: the bytes are a compiled component of this engine's making: they came through a pipe of the parent of this
    // process, which is the same executable and had them through another pipe from the worker that compiled them. That
    // one ran the compiler and nothing of the component, and they were never in a file.
    unsafe {
        Component::deserialize(engine, code)
    }
}

fn believe(path: &Path, sha256: &str, error: TrustError) -> CompiledError {
    match error {
        TrustError::Io(error) if error.kind() == std::io::ErrorKind::NotFound => {
            CompiledError::Missing {
                sha256: sha256.to_owned(),
            }
        }
        TrustError::Io(error) => refused(path, error.to_string()),
        TrustError::Untrusted(reason) => refused(path, reason),
    }
}

fn refused(path: &Path, reason: String) -> CompiledError {
    CompiledError::Refused {
        path: path.to_owned(),
        reason,
    }
}
