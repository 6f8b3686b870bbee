//! Guests: find, check, load, call, and end them.
//!
//! One call, one instance: a fresh store with its own limits, dropped afterwards. Compiled code comes
//! from a root-only directory and is checked before it is mapped. A trap, a limit or a deadline becomes
//! an error that names guest and export; nothing of a guest survives it.

mod call;
mod clock;
#[cfg(feature = "compiler")]
mod compile;
mod compile_refusals;
mod compiled;
mod components;
#[cfg(feature = "compiler")]
mod contract;
mod engine;
mod guest;
mod imports;
mod limiter;
mod manifest;
mod state;
mod stderr;
mod wasi;
mod wasi_stubs;

pub use crate::capability::{DriverState, Purpose};
pub use call::{AttachRequest, CallSetup, StageRequest};
#[cfg(feature = "compiler")]
pub use compile::{CompileError, CompileLimit, compile, inspect, serve_compiler};
pub use compiled::CompiledError;
pub use components::{
    ComponentBytes, ComponentError, ComponentFile, install, locate, locate_digest, retained,
};
pub use guest::{Guest, Runtime};
pub use imports::{Export, ImportProblem, problems};
pub use manifest::{Description, Manifest, Need, Parameter, Scope};
pub(crate) use manifest::{host_word, is_qualified};
