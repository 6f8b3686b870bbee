//! A component that is not compiled yet, compiled because a call needs it: by a process of this program where it has a
//! compiler, else by `drivebay`.

use std::path::PathBuf;
use std::time::Instant;

use super::compile_refusals::Refusal;
use super::components::ComponentFile;
use crate::config::{DriverConfig, Paths};
use crate::error::DriverError;
use crate::sys::{self, Afterwards};
use crate::worker::client::{self, CompileLimits, CompilerError};

/// One compile at a time for each component; whoever waited asks whether the work is done.
///
/// # Errors
/// `failed-precondition` where it cannot be compiled; `unavailable` where another one has not ended.
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
    let lock = paths.locks().join(format!("compile-{}.lock", file.sha256));
    let lock = sys::Lock::acquire(&lock, deadline).map_err(|error| {
        DriverError::unavailable(format!(
            "cannot compile component {:?} now",
            config.component
        ))
        .caused_by(error)
        .from_process()
    })?;
    let _lock = lock.and(Afterwards::Goes);
    if is_done()? {
        return Ok(());
    }
    let refusal = Refusal::of(paths, &file.sha256, config.limits.compile);
    let compiled = match refusal.noted() {
        Some(reason) => Err(CompilerError::Refused(reason)),
        None => compile(paths, &refusal, file, config.limits.compile, deadline),
    };
    compiled.map_err(|error| {
        let is_refused = matches!(error, CompilerError::Refused(_));
        let error = DriverError::failed_precondition(format!(
            "cannot compile component {:?}",
            config.component
        ))
        .caused_by(error);
        match is_refused {
            true => error,
            // The same component may be compiled the next time.
            false => error.from_process(),
        }
    })
}

fn compile(
    paths: &Paths,
    refusal: &Refusal,
    file: &ComponentFile,
    limits: CompileLimits,
    deadline: Instant,
) -> Result<(), CompilerError> {
    let compiled = client::run_compiler(
        &compiler(paths),
        &[
            "compile",
            &file.path.to_string_lossy(),
            "--compile-time",
            &format!("{}ms", limits.time.as_millis()),
            "--compile-memory",
            &format!("{}KiB", limits.memory_bytes >> 10),
        ],
        &paths.to_environment(),
        deadline,
    );
    match &compiled {
        Ok(()) => refusal.forget(),
        Err(CompilerError::Refused(reason)) => refusal.note(reason),
        Err(CompilerError::NotRun { .. } | CompilerError::TooSlow(_)) => {}
    }
    compiled
}

/// This executable where it can: no other is sure to make code that this one loads.
fn compiler(paths: &Paths) -> PathBuf {
    match cfg!(feature = "compiler") {
        true => PathBuf::from(client::THIS_PROGRAM),
        false => paths.compiler(),
    }
}
