//! The worker's side of each step: compare, compile, or have what was compiled tested.
//!
//! Only here is there a compiler. The self-test, which runs the component, is whoever's who runs the worker.

use std::ffi::OsString;
use std::io;

use wasmtime::Engine;
use wasmtime::component::Component;

use super::answer::{self, Done, Question, Refusal};
use crate::error::DriverError;
use crate::grant::Capability;
use crate::store::contract::{self, Complexity, ContractError, Structure};
use crate::store::imports::ImportProblem;
use crate::store::manifest::{Description, Interfaces};
use crate::store::{compiled, engine, imports};
use crate::worker::server;

/// Runs a component that was just compiled, with nothing granted; returns what it says of itself.
pub type SelfTest = fn(&Engine, &Component, &Interfaces) -> Result<Description, SelfTestError>;

/// Why a component did not stand its self-test.
#[derive(Debug)]
pub enum SelfTestError {
    /// It cannot be linked, as wasmtime says it.
    Unfit(wasmtime::Error),
    /// It broke down, in the function that is named.
    Broken(DriverError),
}

/// The whole life of a worker that compiles, after the word that says what it is.
///
/// # Errors
/// Where it cannot be bounded, or its pipes break.
pub fn serve_compiler(
    arguments: impl Iterator<Item = OsString>,
    self_test: SelfTest,
) -> io::Result<()> {
    server::serve_compiler(arguments, |question| {
        answer::write(match answer::read_question(question) {
            Ok((question, bytes)) => examine(question, bytes, self_test),
            Err(reason) => Err(Refusal::Broken(format!("the question {reason}"))),
        })
    })
}

fn examine(
    question: Question,
    bytes: &[u8],
    self_test: SelfTest,
) -> Result<(Done, Vec<u8>), Refusal> {
    match question {
        Question::Check => Ok((Done::Checked(check(bytes)?), Vec::new())),
        Question::Compile => Ok((Done::Compiled, compile(bytes)?)),
        Question::SelfTest(interfaces) => {
            let engine = engine::engine().map_err(unfit)?;
            let component = compiled::from_the_compiler(&engine, bytes).map_err(unfit)?;
            let description = self_test(&engine, &component, &interfaces)?;
            Ok((Done::Passed(description), Vec::new()))
        }
    }
}

fn check(component: &[u8]) -> Result<Interfaces, Refusal> {
    let structure = Structure::read(component)?;
    let interfaces = Interfaces {
        imports: structure.imports.clone(),
        exports: structure.exports.clone(),
    };
    refuse_misfits(&interfaces)?;
    contract::compare(&structure)?;
    Ok(interfaces)
}

/// The code is not mapped here: nothing of it may run.
fn compile(component: &[u8]) -> Result<Vec<u8>, Refusal> {
    let engine = engine::engine().map_err(unfit)?;
    engine
        .precompile_component(component)
        .map_err(not_a_component)
}

/// Grants are a driver's; versions and unknown imports are wrong for every driver.
fn refuse_misfits(found: &Interfaces) -> Result<(), Refusal> {
    let granted = &Capability::WITHOUT_GRANT;
    let problems = imports::problems(&found.imports, &found.exports, granted);
    let misfit = problems
        .iter()
        .find(|problem| !matches!(problem, ImportProblem::NotGranted { .. }));
    misfit.map_or(Ok(()), |problem| Err(Refusal::Unfit(problem.to_string())))
}

impl From<SelfTestError> for Refusal {
    fn from(error: SelfTestError) -> Self {
        match error {
            SelfTestError::Unfit(error) => unfit(error),
            SelfTestError::Broken(error) => Self::Broken(error.chain()),
        }
    }
}

impl From<ContractError> for Refusal {
    fn from(error: ContractError) -> Self {
        match error {
            ContractError::NotAComponent(reason) => Self::NotAComponent(reason),
            ContractError::TooComplex(Complexity::Types(most)) => Self::TooManyParts(most),
            ContractError::TooComplex(Complexity::Instances(most)) => Self::TooManyInstances(most),
            ContractError::TooComplex(Complexity::Names(most)) => Self::TooManyNames(most),
            ContractError::TooComplex(Complexity::Name(most)) => Self::TooLongName(most),
            ContractError::Misfit(misfit) => Self::Unfit(misfit.to_string()),
        }
    }
}

fn not_a_component(error: wasmtime::Error) -> Refusal {
    no_memory(&error).unwrap_or_else(|| Refusal::NotAComponent(format!("{error:#}")))
}

fn unfit(error: wasmtime::Error) -> Refusal {
    no_memory(&error).unwrap_or_else(|| Refusal::Unfit(format!("{error:#}")))
}

/// Most of what the compiler takes is taken without asking whether it was given, and ends the process where it was
/// not; what is mapped, as code that is tested, can be told.
fn no_memory(error: &wasmtime::Error) -> Option<Refusal> {
    let is_out_of_memory = |cause: &(dyn std::error::Error + 'static)| {
        cause
            .downcast_ref::<io::Error>()
            .is_some_and(|error| error.kind() == io::ErrorKind::OutOfMemory)
    };
    let is_in_words = || format!("{error:#}").contains("Cannot allocate memory");
    (error.chain().any(is_out_of_memory) || is_in_words()).then_some(Refusal::NoMemory)
}
