//! A component that is not compiled yet, compiled because a call needs it: by a process of this program where it has a
//! compiler, else by `drivebay`.

use std::os::fd::AsFd;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use super::compile_refusals::Refusal;
use super::components::ComponentFile;
use crate::config::{DriverConfig, Paths};
use crate::error::DriverError;
use crate::sys::{self, Afterwards, LockError};
use crate::worker::client::{self, CompileLimits, CompilerError};

/// How long a call waits for a compile. What is shipped takes a second or two, a component with a language's runtime in it
/// up to a minute, in which its caller could not tell a compile from a server that is dead.
const PATIENCE: Duration = Duration::from_secs(20);

/// One compile at a time for each component; whoever waited asks whether the work is done. A compile that takes longer
/// than a call can wait goes on without it.
///
/// # Errors
/// `failed-precondition` where it cannot be compiled; `unavailable` where it is being compiled still.
pub(crate) fn have_compiled(
    paths: &Paths,
    config: &DriverConfig,
    file: &ComponentFile,
    deadline: Instant,
    is_done: impl FnOnce() -> Result<bool, DriverError>,
) -> Result<(), DriverError> {
    paths.close().map_err(|error| {
        DriverError::failed_precondition("cannot rely on what the host keeps on this node")
            .caused_by(error)
            .from_process()
    })?;
    let until = deadline.min(Instant::now() + PATIENCE);
    let lock = paths.locks().join(format!("compile-{}.lock", file.sha256));
    let lock = match sys::Lock::acquire(&lock, until) {
        Ok(lock) => lock.and(Afterwards::Goes),
        Err(LockError::Held) => return Err(is_being_compiled(config)),
        Err(error) => {
            let what = format!("cannot compile component {:?} now", config.component);
            let error = DriverError::unavailable(what).caused_by(error);
            return Err(error.from_process());
        }
    };
    if is_done()? {
        return Ok(());
    }
    let refusal = Refusal::of(paths, &file.sha256, config.limits.compile);
    let compiled = match refusal.noted() {
        Some(reason) => Err(CompilerError::Refused(reason)),
        None => compile(paths, file, config.limits.compile, &lock, until),
    };
    compiled.map_err(|error| {
        let failed = || {
            let what = format!("cannot compile component {:?}", config.component);
            DriverError::failed_precondition(what)
        };
        match error {
            CompilerError::GoesOn => is_being_compiled(config),
            CompilerError::Refused(_) => failed().caused_by(error),
            // The same component may be compiled the next time.
            CompilerError::NotRun { .. } => failed().caused_by(error).from_process(),
        }
    })
}

fn is_being_compiled(config: &DriverConfig) -> DriverError {
    DriverError::unavailable(format!(
        "component {:?} is being compiled for this node, which goes on; repeat the call in a while",
        config.component
    ))
    .from_process()
}

/// Its process notes a refusal by itself: we may not wait for it.
fn compile(
    paths: &Paths,
    file: &ComponentFile,
    limits: CompileLimits,
    lock: &sys::Lock,
    until: Instant,
) -> Result<(), CompilerError> {
    client::run_compiler(
        &compiler(paths),
        &[
            "compile",
            "--note-refusal",
            &file.path.to_string_lossy(),
            "--compile-time",
            &format!("{}ms", limits.time.as_millis()),
            "--compile-memory",
            &format!("{}KiB", limits.memory_bytes >> 10),
        ],
        &paths.to_environment(),
        lock.as_fd(),
        until,
    )
}

/// This executable where it can: no other is sure to make code that this one loads.
fn compiler(paths: &Paths) -> PathBuf {
    match cfg!(feature = "compiler") {
        true => PathBuf::from(client::THIS_PROGRAM),
        false => paths.compiler(),
    }
}
