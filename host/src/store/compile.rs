//! From a component to compiled code, in three steps: check what it is, compile it, test what was compiled.
//!
//! The component is a stranger's until all of this went well. So nothing here reads more of it than its digest: for each
//! step a worker process with limits does the rest. The one that compiles runs nothing of the component, so that what it
//! answers is the compiler's word alone; the one that tests runs that code, with nothing granted. Only what passed is
//! kept.

mod answer;
mod compile_component;
mod error;
mod steps;

use super::compile_refusals::Refusal;
use super::components::{ComponentBytes, retained};
use super::manifest::Manifest;
use super::{compiled, engine};
use crate::config::Paths;
use crate::worker::client::{CompileLimits, Priority};

pub use compile_component::{SelfTest, SelfTestError, serve_compiler};
pub use error::{CompileError, CompileLimit};
pub use steps::{CheckedComponent, CompiledComponent, TestedComponent, check};

/// Compiles a component and keeps code and manifest, unless that was done already. For whoever waits for it; to show each
/// step there are [`check`] and what it returns.
///
/// # Errors
/// [`CompileError`]; nothing is kept then.
pub fn compile(
    paths: &Paths,
    component: &ComponentBytes,
    limits: CompileLimits,
) -> Result<Manifest, CompileError> {
    if let Some(manifest) = compiled_before(paths, &component.sha256) {
        return Ok(manifest);
    }
    tested(component, limits)?.keep(paths)
}

/// The same for calls that need it, one of which may be over by then: a refusal is noted for the next one.
///
/// # Errors
/// [`CompileError`].
pub fn compile_for_calls(
    paths: &Paths,
    component: &ComponentBytes,
    limits: CompileLimits,
) -> Result<Manifest, CompileError> {
    let refusal = Refusal::of(paths, &component.sha256, limits);
    compile(paths, component, limits)
        .inspect(|_| refusal.forget())
        .inspect_err(|error| refusal.note(&error.to_string()))
}

/// What a component is and wants; nothing is kept.
///
/// # Errors
/// [`CompileError`].
pub fn inspect(
    component: &ComponentBytes,
    limits: CompileLimits,
) -> Result<Manifest, CompileError> {
    Ok(tested(component, limits)?.manifest)
}

/// What an earlier compile left, if all of it is as it was left.
pub fn compiled_before(paths: &Paths, sha256: &str) -> Option<Manifest> {
    let manifest = compiled::read_manifest(paths, sha256).ok()?;
    let engine = engine::engine().ok()?;
    compiled::load(&engine, paths, &manifest)
        .ok()
        .map(|_| manifest)
}

/// What is known of a version that is kept, compiled anew where another host had compiled it; none where it is gone or
/// cannot be compiled any more.
pub(super) fn manifest_of(paths: &Paths, sha256: &str, limits: CompileLimits) -> Option<Manifest> {
    if let Ok(manifest) = compiled::read_manifest(paths, sha256) {
        return Some(manifest);
    }
    let component = ComponentBytes::read(&retained(paths, sha256)).ok()?;
    let refusal = Refusal::of(paths, sha256, limits);
    if component.sha256 != sha256 || refusal.noted().is_some() {
        return None;
    }
    // What cannot be compiled is not tried again with each look.
    compile_for_calls(paths, &component, limits).ok()
}

fn tested(
    component: &ComponentBytes,
    limits: CompileLimits,
) -> Result<TestedComponent, CompileError> {
    check(component, limits, Priority::Call)?
        .compile()?
        .self_test()
}
