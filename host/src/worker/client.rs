//! Who asks: starts worker processes, asks them, and ends them at the deadline.

mod compiler;
mod job;
mod measure;
mod network;
mod pool;
mod process;
mod site;
mod stats;
mod workers;

pub use compiler::{CompileLimits, CompileWorkerError, CompilerError, ask_compiler, run_compiler};
pub use measure::{MeasuringWorkers, measure_at_once};
pub use network::NetworkWorkers;
pub use site::{WorkSite, WorkerLimits};
pub use stats::{WorkerCounters, WorkerStats};
pub use workers::SharedWorkers;
