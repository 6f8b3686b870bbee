//! From a component to compiled code: verify, type-check, compile, ask it who it is, keep it.
//!
//! Only here is there a compiler. The component is hostile until all of this went well: it is described
//! with nothing granted, under the same limits as any call.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use wasmtime::Engine;
use wasmtime::component::{Component, InstancePre};

use super::call::{CallSetup, State};
use super::clock::Clock;
use super::components::sha256_hex;
use super::guest::link_for_description;
use super::imports::{Export, ImportProblem};
use super::manifest::{Description, Manifest};
use super::{Guest, compiled, engine, imports};
use crate::bindings::exports::drivebay::driver as exports;
use crate::capability::DriverMemory;
use crate::config::{Limits, Paths};
use crate::error::DriverError;
use crate::grant::Grants;
use crate::sys::{self, Fault, FaultKind, Kernel, Reply, Request};

/// Python's runtime, the largest known guest, makes components of 18 MiB.
const MAX_COMPONENT_BYTES: u64 = 64 << 20;

/// A guest that needs longer to say its name is broken.
const DESCRIBE_DEADLINE: Duration = Duration::from_secs(10);

/// Why a component was not compiled.
#[derive(Debug, thiserror::Error)]
pub enum CompileError {
    /// It cannot be read.
    #[error("cannot read {}", path.display())]
    Unreadable {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It is something else.
    #[error("{} is not a WebAssembly component: {reason}", path.display())]
    NotAComponent {
        /// Which file.
        path: PathBuf,
        /// From the validator.
        reason: String,
    },
    /// It does not fit the contract.
    #[error("{} does not fit this host: {reason}", path.display())]
    Unfit {
        /// Which file.
        path: PathBuf,
        /// What does not fit.
        reason: String,
    },
    /// It broke down when asked who it is.
    #[error("{} failed its self-test", path.display())]
    Broken {
        /// Which file.
        path: PathBuf,
        /// How.
        source: DriverError,
    },
    /// The result cannot be kept.
    #[error("cannot write to {}", path.display())]
    Unwritable {
        /// The directory for compiled code.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// Compiles a component and keeps code and manifest, unless that was done already.
///
/// # Errors
/// [`CompileError`]; nothing is kept then.
pub fn compile(paths: &Paths, path: &Path) -> Result<Manifest, CompileError> {
    if let Some(manifest) = sound(paths, &read(path)?) {
        return Ok(manifest);
    }
    let (component, manifest) = examine(path)?;
    let code = component
        .serialize()
        .map_err(|error| unfit(path, format!("{error:#}")))?;
    let manifest = Manifest {
        code_sha256: sha256_hex(&code),
        ..manifest
    };
    let directory = paths.compiled();
    let unwritable = |source| CompileError::Unwritable {
        path: directory.clone(),
        source,
    };
    let text = serde_json::to_vec_pretty(&manifest).map_err(|error| unwritable(error.into()))?;
    sys::create_root_only_directory(&directory).map_err(unwritable)?;
    sys::write_durably(
        &compiled::code_path(paths, &manifest.component_sha256),
        &code,
    )
    .map_err(unwritable)?;
    // Last, because the manifest is what makes the code count.
    sys::write_durably(
        &compiled::manifest_path(paths, &manifest.component_sha256),
        &text,
    )
    .map_err(unwritable)?;
    Ok(manifest)
}

/// What an earlier compile left, if all of it is as it was left.
fn sound(paths: &Paths, component: &[u8]) -> Option<Manifest> {
    let manifest = compiled::read_manifest(paths, &sha256_hex(component)).ok()?;
    let engine = engine::engine().ok()?;
    compiled::load(&engine, paths, &manifest)
        .ok()
        .map(|_| manifest)
}

/// What a component is and wants; nothing is kept.
///
/// # Errors
/// [`CompileError`].
pub fn inspect(path: &Path) -> Result<Manifest, CompileError> {
    examine(path).map(|(_, manifest)| manifest)
}

fn examine(path: &Path) -> Result<(Component, Manifest), CompileError> {
    let bytes = read(path)?;
    let engine = engine::engine().map_err(|error| unfit(path, format!("{error:#}")))?;
    let component =
        Component::from_binary(&engine, &bytes).map_err(|error| CompileError::NotAComponent {
            path: path.to_owned(),
            reason: format!("{error:#}"),
        })?;
    let kind = component.component_type();
    let manifest = Manifest {
        component_sha256: sha256_hex(&bytes),
        code_sha256: String::new(),
        imports: kind
            .imports(&engine)
            .map(|(name, _)| name.to_owned())
            .collect(),
        exports: kind
            .exports(&engine)
            .map(|(name, _)| name.to_owned())
            .collect(),
        description: Description {
            name: String::new(),
            version: String::new(),
            summary: String::new(),
            parameters: Vec::new(),
        },
    };
    refuse_misfits(path, &manifest)?;
    let ready = link_for_description(&engine, &component, &manifest.imports)
        .and_then(|ready| check_types(&ready, &manifest).map(|()| ready))
        .map_err(|error| unfit(path, format!("{error:#}")))?;
    let description =
        describe(engine, ready, &manifest).map_err(|source| CompileError::Broken {
            path: path.to_owned(),
            source,
        })?;
    Ok((
        component,
        Manifest {
            description,
            ..manifest
        },
    ))
}

fn read(path: &Path) -> Result<Vec<u8>, CompileError> {
    let unreadable = |source| CompileError::Unreadable {
        path: path.to_owned(),
        source,
    };
    let size = fs::metadata(path).map_err(unreadable)?.len();
    if size > MAX_COMPONENT_BYTES {
        return Err(unfit(
            path,
            format!("it has {size} bytes, more than {MAX_COMPONENT_BYTES}"),
        ));
    }
    fs::read(path).map_err(unreadable)
}

/// Grants are a driver's; versions and unknown imports are wrong for every driver.
fn refuse_misfits(path: &Path, manifest: &Manifest) -> Result<(), CompileError> {
    let problems = imports::problems(&manifest.imports, &manifest.exports, &Grants::default());
    let misfit = problems
        .iter()
        .find(|problem| !matches!(problem, ImportProblem::NotGranted { .. }));
    misfit.map_or(Ok(()), |problem| Err(unfit(path, problem.to_string())))
}

/// That every interface it exports is the contract's, function by function.
fn check_types(ready: &InstancePre<State>, manifest: &Manifest) -> wasmtime::Result<()> {
    for export in Export::ALL
        .into_iter()
        .filter(|export| manifest.exports(*export))
    {
        match export {
            Export::Identity => exports::identity::GuestIndices::new(ready).map(drop)?,
            Export::Controller => exports::controller::GuestIndices::new(ready).map(drop)?,
            Export::VolumeListing => {
                exports::volume_listing::GuestIndices::new(ready).map(drop)?;
            }
            Export::Capacity => exports::capacity::GuestIndices::new(ready).map(drop)?,
            Export::Cloning => exports::cloning::GuestIndices::new(ready).map(drop)?,
            Export::Attachment => exports::attachment::GuestIndices::new(ready).map(drop)?,
            Export::Snapshots => exports::snapshots::GuestIndices::new(ready).map(drop)?,
            Export::SnapshotListing => {
                exports::snapshot_listing::GuestIndices::new(ready).map(drop)?;
            }
            Export::GroupSnapshots => {
                exports::group_snapshots::GuestIndices::new(ready).map(drop)?;
            }
            Export::Expansion => exports::expansion::GuestIndices::new(ready).map(drop)?,
            Export::Modification => exports::modification::GuestIndices::new(ready).map(drop)?,
            Export::Node => exports::node::GuestIndices::new(ready).map(drop)?,
            Export::Accessibility => exports::accessibility::GuestIndices::new(ready).map(drop)?,
        }
    }
    Ok(())
}

fn describe(
    engine: Engine,
    ready: InstancePre<State>,
    manifest: &Manifest,
) -> Result<Description, DriverError> {
    let guest = Guest {
        clock: Arc::new(Clock::new(engine.clone())),
        engine,
        ready,
        grants: Grants::default(),
        limits: Limits::default(),
        manifest: Arc::new(manifest.clone()),
    };
    let setup = CallSetup {
        kernel: Box::new(NoKernel),
        deadline: Instant::now() + DESCRIBE_DEADLINE,
        memory: DriverMemory::of_nobody(),
    };
    let description = guest.describe(setup)?;
    let mut names: Vec<_> = description
        .parameters
        .iter()
        .map(|parameter| (parameter.scope as u8, parameter.name.to_ascii_lowercase()))
        .collect();
    names.sort();
    match names.windows(2).find(|pair| pair[0] == pair[1]) {
        Some(pair) => Err(DriverError::internal(format!(
            "it describes the parameter {:?} twice",
            pair[0].1
        ))),
        None => Ok(description),
    }
}

fn unfit(path: &Path, reason: String) -> CompileError {
    CompileError::Unfit {
        path: path.to_owned(),
        reason,
    }
}

/// For a guest that has been granted nothing.
struct NoKernel;

impl Kernel for NoKernel {
    fn call(&mut self, _request: Request, _deadline: Instant) -> Result<Reply, Fault> {
        Err(Fault {
            kind: FaultKind::Denied,
            message: "nothing is granted while a component is described".to_owned(),
        })
    }
}
