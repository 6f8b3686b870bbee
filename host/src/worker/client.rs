//! Who asks: starts worker processes, asks them, and ends them at the deadline.

pub(super) mod compiler;
pub(super) mod measure;
pub(super) mod network;
pub(super) mod pool;
pub(super) mod process;
pub(super) mod site;
pub(super) mod stats;

pub use compiler::{CompileLimits, CompileWorkerError, CompilerError, ask_compiler, run_compiler};
pub use measure::{MeasuringWorkers, measure_at_once};
pub use network::NetworkWorkers;
pub use process::SharedWorkers;
pub use site::{WorkSite, WorkerLimits};
pub use stats::{WorkerCosts, WorkerToll};
