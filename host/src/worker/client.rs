//! Who asks: starts worker processes, asks them, and ends them at the deadline.

mod compiler;
mod job;
mod network;
mod pool;
mod process;
mod statfs;
mod stats;
mod worker_settings;
mod workers;

pub use compiler::{CompileLimits, CompileWorkerError, CompilerError, ask_compiler, run_compiler};
pub use network::NetworkWorkers;
pub use statfs::{MeasuringWorkers, measure_at_once};
pub use stats::{WorkerCounters, WorkerStats};
pub use worker_settings::{WorkSite, WorkerLimits};
pub use workers::SharedWorkers;

pub use super::command_line::{Priority, THIS_PROGRAM};
