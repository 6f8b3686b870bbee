//! The worker's side: compare, compile, ask the component who it is, answer.
//!
//! Only here is there a compiler. The component is described with nothing granted, under the same limits as any call.

use std::ffi::OsString;
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use wasmtime::Engine;
use wasmtime::component::{Component, InstancePre};

use super::answer::{self, Refusal, Wanted};
use crate::capability::DriverState;
use crate::config::Limits;
use crate::error::{DriverError, GuestText};
use crate::grant::Grants;
use crate::runtime::call::CallSetup;
use crate::runtime::clock::Clock;
use crate::runtime::contract::{self, Complexity, ContractError, Structure};
use crate::runtime::guest::link_for_description;
use crate::runtime::imports::ImportProblem;
use crate::runtime::manifest::{Description, Manifest};
use crate::runtime::state::State;
use crate::runtime::{Guest, engine, imports};
use crate::worker::server;
use crate::worker::{Fault, FaultKind, Reply, Request, WorkerClient};

/// A guest that needs longer to say its name is broken. Milliseconds are usual; but a machine from which its host
/// takes the processors counts that time as the guest's, and operators cannot set these limits.
const DESCRIBE_CPU: Duration = Duration::from_secs(6);
const DESCRIBE_DEADLINE: Duration = Duration::from_secs(30);

/// The whole life of a worker that compiles, after the word that says what it is.
///
/// # Errors
/// Where it cannot be bounded, or its pipes break.
pub fn serve_compiler(arguments: impl Iterator<Item = OsString>) -> io::Result<()> {
    server::serve_compiler(arguments, |question| {
        answer::write(match answer::read_question(question) {
            Ok((wanted, component)) => examine(wanted, component),
            Err(reason) => Err(Refusal::Broken(format!("the question {reason}"))),
        })
    })
}

fn examine(wanted: Wanted, bytes: &[u8]) -> Result<(Manifest, Vec<u8>), Refusal> {
    let structure = Structure::read(bytes)?;
    let manifest = undescribed(&structure);
    refuse_misfits(&manifest)?;
    contract::compare(&structure)?;
    drop(structure);
    let engine = engine::engine().map_err(unfit)?;
    let component = Component::from_binary(&engine, bytes).map_err(not_a_component)?;
    let ready = link_for_description(&engine, &component, &manifest.imports).map_err(unfit)?;
    let description =
        describe(engine, ready, &manifest).map_err(|error| Refusal::Broken(error.chain()))?;
    let code = match wanted {
        Wanted::Manifest => Vec::new(),
        Wanted::Code => component.serialize().map_err(unfit)?,
    };
    let manifest = Manifest {
        description,
        ..manifest
    };
    Ok((manifest, code))
}

fn undescribed(structure: &Structure) -> Manifest {
    Manifest {
        component_sha256: String::new(),
        code_sha256: String::new(),
        imports: structure.imports.clone(),
        exports: structure.exports.clone(),
        description: Description {
            name: GuestText::default(),
            version: GuestText::default(),
            summary: GuestText::default(),
            parameters: Vec::new(),
        },
    }
}

/// Grants are a driver's; versions and unknown imports are wrong for every driver.
fn refuse_misfits(manifest: &Manifest) -> Result<(), Refusal> {
    let problems = imports::problems(&manifest.imports, &manifest.exports, &Grants::default());
    let misfit = problems
        .iter()
        .find(|problem| !matches!(problem, ImportProblem::NotGranted { .. }));
    misfit.map_or(Ok(()), |problem| Err(Refusal::Unfit(problem.to_string())))
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
        limits: Limits {
            cpu: DESCRIBE_CPU,
            deadline: DESCRIBE_DEADLINE,
            ..Limits::default()
        },
        manifest: Arc::new(manifest.clone()),
    };
    guest.describe(CallSetup {
        worker: Box::new(NoWorker),
        deadline: Instant::now() + DESCRIBE_DEADLINE,
        driver: DriverState::of_nobody(),
    })
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
/// not; code is mapped, and that can be told.
fn no_memory(error: &wasmtime::Error) -> Option<Refusal> {
    let is_out_of_memory = |cause: &(dyn std::error::Error + 'static)| {
        cause
            .downcast_ref::<io::Error>()
            .is_some_and(|error| error.kind() == io::ErrorKind::OutOfMemory)
    };
    let is_in_words = || format!("{error:#}").contains("Cannot allocate memory");
    (error.chain().any(is_out_of_memory) || is_in_words()).then_some(Refusal::NoMemory)
}

/// For a guest that has been granted nothing.
struct NoWorker;

impl WorkerClient for NoWorker {
    fn call(&mut self, _request: Request, _deadline: Instant) -> Result<Reply, Fault> {
        Err(Fault {
            kind: FaultKind::Denied,
            message: "nothing is granted while a component is described".to_owned(),
        })
    }
}
