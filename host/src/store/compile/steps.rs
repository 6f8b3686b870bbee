//! The steps one by one, each from what the one before it returned: nobody can compile what was not checked, or keep what
//! was not tested.
//!
//! Each step has the limits for itself. The code that is tested is what came from the worker that compiled, handed on in
//! memory; it lies nowhere before it has passed.

use std::io;
use std::path::{Path, PathBuf};

use super::answer::{self, Done, Question};
use super::error::{self, CompileError};
use crate::config::Paths;
use crate::digest::sha256_hex;
use crate::store::compiled;
use crate::store::components::ComponentBytes;
use crate::store::manifest::{Interfaces, Manifest};
use crate::sys;
use crate::worker::client::{self, CompileLimits, CompileWorkerError, Priority};

/// A component whose structure, types and names fit this host; nothing of it was compiled.
#[derive(Debug)]
pub struct CheckedComponent<'a> {
    component: &'a ComponentBytes,
    limits: CompileLimits,
    priority: Priority,
    /// What it asks for and offers.
    pub interfaces: Interfaces,
}

/// Native code that nothing has run yet.
#[derive(Debug)]
pub struct CompiledComponent {
    path: PathBuf,
    sha256: String,
    limits: CompileLimits,
    interfaces: Interfaces,
    code: Vec<u8>,
}

/// A component that passed its self-test.
#[derive(Debug)]
pub struct TestedComponent {
    /// All that is known of it.
    pub manifest: Manifest,
    code: Vec<u8>,
}

/// Compares a component with the contract, and the names of what it imports and exports with what this host has. What a
/// driver was granted is not looked at: [`problems`](crate::store::problems) tells that of the answer.
///
/// # Errors
/// [`CompileError`].
pub fn check(
    component: &ComponentBytes,
    limits: CompileLimits,
    priority: Priority,
) -> Result<CheckedComponent<'_>, CompileError> {
    let path = &component.path;
    match ask(path, &Question::Check, &component.bytes, limits, priority)? {
        (Done::Checked(interfaces), _) => Ok(CheckedComponent {
            component,
            limits,
            priority,
            interfaces,
        }),
        (Done::Compiled | Done::Passed(_), _) => Err(senseless(path)),
    }
}

impl CheckedComponent<'_> {
    /// Makes native code of it, and runs nothing.
    ///
    /// # Errors
    /// [`CompileError`].
    pub fn compile(self) -> Result<CompiledComponent, CompileError> {
        let (path, bytes) = (&self.component.path, &self.component.bytes);
        match ask(path, &Question::Compile, bytes, self.limits, self.priority)? {
            (Done::Compiled, code) => Ok(CompiledComponent {
                path: path.clone(),
                sha256: self.component.sha256.clone(),
                limits: self.limits,
                interfaces: self.interfaces,
                code,
            }),
            (Done::Checked(_) | Done::Passed(_), _) => Err(senseless(path)),
        }
    }
}

impl CompiledComponent {
    /// Runs it with nothing granted: it is asked who it is, and each of its functions that only reads is called once.
    /// That takes seconds at most, and is judged by its time too, so it never yields to others.
    ///
    /// # Errors
    /// [`CompileError::Broken`] names the function that broke down; and whatever a worker can meet.
    pub fn self_test(self) -> Result<TestedComponent, CompileError> {
        let question = Question::SelfTest(self.interfaces.clone());
        match ask(
            &self.path,
            &question,
            &self.code,
            self.limits,
            Priority::Call,
        )? {
            (Done::Passed(description), _) => Ok(TestedComponent {
                manifest: Manifest {
                    component_sha256: self.sha256,
                    code_sha256: sha256_hex(&self.code),
                    imports: self.interfaces.imports,
                    exports: self.interfaces.exports,
                    description,
                },
                code: self.code,
            }),
            (Done::Checked(_) | Done::Compiled, _) => Err(senseless(&self.path)),
        }
    }
}

impl TestedComponent {
    /// Keeps code and manifest, for every call from now on.
    ///
    /// # Errors
    /// [`CompileError::Unwritable`].
    pub fn keep(self, paths: &Paths) -> Result<Manifest, CompileError> {
        let written = write(paths, &self.manifest, &self.code);
        written.map_err(|source| CompileError::Unwritable {
            path: paths.compiled(),
            source,
        })?;
        Ok(self.manifest)
    }
}

fn write(paths: &Paths, manifest: &Manifest, code: &[u8]) -> io::Result<()> {
    let text = serde_json::to_vec_pretty(manifest)?;
    sys::create_root_only_directory(&paths.compiled())?;
    let sha256 = &manifest.component_sha256;
    sys::write_durably(&compiled::code_path(paths, sha256), code)?;
    // Last, because the manifest is what makes the code count.
    sys::write_durably(&compiled::manifest_path(paths, sha256), &text)
}

fn ask(
    path: &Path,
    question: &Question,
    bytes: &[u8],
    limits: CompileLimits,
    priority: Priority,
) -> Result<(Done, Vec<u8>), CompileError> {
    let question = answer::question(question, bytes);
    let answer = client::ask_compiler(limits, priority, question)
        .map_err(|error| error::undone(path, error))?;
    match answer::read(&answer) {
        Ok((Ok(done), code)) => Ok((done, code.to_vec())),
        Ok((Err(refusal), _)) => Err(error::refused(path, limits, refusal)),
        Err(reason) => Err(error::undone(path, CompileWorkerError::Ended(reason))),
    }
}

/// A worker of this same executable answered another question than it was asked.
fn senseless(path: &Path) -> CompileError {
    error::undone(
        path,
        CompileWorkerError::Ended(answer::SENSELESS.to_owned()),
    )
}
