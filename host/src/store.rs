//! Components on this node: the versions of them, what each asks for and can do, and their compiled code.
//!
//! Nothing of a component is run here. Whoever has one compiled brings the self-test, which runs it; what the host
//! itself reads of a stranger's component is its digest, a worker process with limits the rest. Compiled code lies in
//! a root-only directory and is checked before it is mapped.

#[cfg(feature = "compiler")]
mod compile;
mod compile_refusals;
mod compiled;
mod components;
#[cfg(feature = "compiler")]
mod contract;
mod engine;
mod imports;
mod manifest;

#[cfg(feature = "compiler")]
pub use compile::{
    CheckedComponent, CompileError, CompileLimit, CompiledComponent, SelfTest, SelfTestError,
    TestedComponent, check, compile, compiled_before, inspect, serve_compiler,
};
pub(crate) use compile_refusals::Refusal;
pub use compiled::CompiledError;
pub(crate) use compiled::{load, read_manifest};
pub use components::{
    ComponentBytes, ComponentError, ComponentFile, install, locate, locate_digest, retained,
};
pub(crate) use engine::{MEMORY_RESERVATION, engine};
pub use imports::{Export, ImportProblem, problems};
pub(crate) use imports::{capabilities, wants_wasi};
pub use manifest::{Description, Interfaces, Manifest, Need, Parameter, Scope};
pub(crate) use manifest::{host_word, is_qualified};
