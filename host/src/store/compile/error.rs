//! Why a component was not compiled, and what whoever has it can do.

use std::io;
use std::path::{Path, PathBuf};

use super::answer::Refusal;
use crate::error::GuestText;
use crate::worker::client::{CompileLimits, CompileWorkerError};

/// Why a component was not compiled.
#[derive(Debug, thiserror::Error)]
pub enum CompileError {
    /// It is something else.
    #[error("{} is not a WebAssembly component: {reason}", path.display())]
    NotAComponent {
        /// The component's file.
        path: PathBuf,
        /// From the validator, which quotes the file.
        reason: GuestText,
    },
    /// It does not fit the contract.
    #[error("{} does not fit this host: {reason}", path.display())]
    Unfit {
        /// The component's file.
        path: PathBuf,
        /// What does not fit, with names from the file.
        reason: GuestText,
    },
    /// It broke down, or answered what nobody can use, when it was called with nothing granted.
    #[error("{} failed its self-test: {reason}", path.display())]
    Broken {
        /// The component's file.
        path: PathBuf,
        /// What broke down, in the guest's words.
        reason: GuestText,
    },
    /// It met a limit.
    #[error("cannot compile {}: {limit}", path.display())]
    Limit {
        /// The component's file.
        path: PathBuf,
        /// The limit, and what can be done.
        limit: CompileLimit,
    },
    /// Nobody could do it.
    #[error("cannot compile {}", path.display())]
    Undone {
        /// The component's file.
        path: PathBuf,
        /// What kept the worker that compiles.
        source: CompileWorkerError,
    },
    /// The result cannot be kept.
    #[error("cannot write to {}", path.display())]
    Unwritable {
        /// The directory for compiled code.
        path: PathBuf,
        /// As the system says it.
        source: io::Error,
    },
}

/// What compiling a component met.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CompileLimit {
    /// How many parts its types have.
    #[error(
        "its types have more than {0} parts, each counted wherever it is used, and no setting allows more; whoever built it has to make its interfaces simpler"
    )]
    Parts(u64),
    /// How many instances it is made of.
    #[error(
        "it is made of more than {0} instances of what is inside it, and no setting allows more; whoever built it has to compose it of fewer"
    )]
    Instances(u64),
    /// How many names it shows.
    #[error(
        "it has more than {0} imports and exports, and no setting allows more; whoever built it has to leave out what is not the contract's"
    )]
    Names(u64),
    /// How long one of them is.
    #[error(
        "an import or an export of it has a name of more than {0} bytes, and no setting allows more; whoever built it has to shorten it or leave it out"
    )]
    Name(u64),
    /// Wall time.
    #[error(
        "it was not done after {0:?} (limits.compile-time); if the component is to be trusted, let it take longer with limits.compile-time in its driver's file, or with --compile-time"
    )]
    Time(std::time::Duration),
    /// Memory of the process.
    #[error("it needed more than {} MiB of memory (limits.compile-memory); if the component is to be trusted, let it have more with limits.compile-memory in its driver's file, or with --compile-memory", .0 >> 20)]
    Memory(usize),
}

pub(super) fn undone(path: &Path, error: CompileWorkerError) -> CompileError {
    match error {
        CompileWorkerError::Time(time) => limit(path, CompileLimit::Time(time)),
        CompileWorkerError::Memory(bytes) => limit(path, CompileLimit::Memory(bytes)),
        source @ (CompileWorkerError::NotStarted(_) | CompileWorkerError::Ended(_)) => {
            CompileError::Undone {
                path: path.to_owned(),
                source,
            }
        }
    }
}

pub(super) fn refused(path: &Path, limits: CompileLimits, refusal: Refusal) -> CompileError {
    let path = path.to_owned();
    match refusal {
        Refusal::NotAComponent(reason) => CompileError::NotAComponent {
            path,
            reason: GuestText::sentence(&reason),
        },
        Refusal::Unfit(reason) => CompileError::Unfit {
            path,
            reason: GuestText::sentence(&reason),
        },
        Refusal::Broken(reason) => CompileError::Broken {
            path,
            reason: GuestText::sentence(&reason),
        },
        Refusal::TooManyParts(most) => limit(&path, CompileLimit::Parts(most)),
        Refusal::TooManyInstances(most) => limit(&path, CompileLimit::Instances(most)),
        Refusal::TooManyNames(most) => limit(&path, CompileLimit::Names(most)),
        Refusal::TooLongName(most) => limit(&path, CompileLimit::Name(most)),
        Refusal::NoMemory => limit(&path, CompileLimit::Memory(limits.memory_bytes)),
    }
}

fn limit(path: &Path, limit: CompileLimit) -> CompileError {
    CompileError::Limit {
        path: path.to_owned(),
        limit,
    }
}
