//! Asking `drivebay` to compile a component: from the shim, which cannot, and from `drivebay` itself, so that a compile
//! has a deadline and no part in what serves.

mod compiler_process;

use std::ffi::OsStr;
use std::io::Read;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;

pub use compiler_process::{CompileLimits, CompileWorkerError, ask_compiler};

use crate::sys::{TrustError, open_trusted};
use crate::worker::command_line::THIS_PROGRAM;
use crate::worker::start::start;

/// Why it did not work.
#[expect(missing_docs, reason = "the names of the fields say it")]
#[derive(Debug, thiserror::Error)]
pub enum CompilerError {
    /// The program cannot be run.
    #[error("cannot run {}", program.display())]
    NotRun {
        program: PathBuf,
        source: std::io::Error,
    },
    /// It ran and refused.
    #[error("{0}")]
    Refused(String),
    /// It did not end in time and was killed.
    #[error(
        "compiling took longer than the {0:?} that this call had left; run `drivebay install` on this node"
    )]
    TooSlow(Duration),
}

/// Runs `program ARGUMENTS` until the deadline; what it writes to stderr is the reason if it fails.
pub fn run_compiler(
    program: &Path,
    arguments: &[&str],
    environment: &[(&str, &Path)],
    deadline: Instant,
) -> Result<(), CompilerError> {
    let started = Instant::now();
    let not_run = |source| CompilerError::NotRun {
        program: program.to_owned(),
        source,
    };
    // It is root who runs it.
    if program != Path::new(THIS_PROGRAM) {
        open_trusted(program).map_err(|error| match error {
            TrustError::Io(source) => not_run(source),
            TrustError::Untrusted(reason) => not_run(std::io::Error::other(reason)),
        })?;
    }
    #[expect(
        clippy::disallowed_methods,
        reason = "sys is where child processes are made"
    )]
    let mut command = Command::new(program);
    command
        .args(arguments)
        .env_clear()
        .envs(
            environment
                .iter()
                .map(|(key, path)| (OsStr::new(key), path.as_os_str())),
        )
        .current_dir("/")
        .process_group(0)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped());
    let mut child = start(&mut command).map_err(not_run)?;
    let status = loop {
        match child.try_wait().map_err(not_run)? {
            Some(status) if status.success() => return Ok(()),
            Some(status) => break status,
            None if Instant::now() >= deadline => {
                if let Ok(id) = i32::try_from(child.id()) {
                    let _ = killpg(Pid::from_raw(id), Signal::SIGKILL);
                }
                let _ = child.wait();
                return Err(CompilerError::TooSlow(started.elapsed()));
            }
            None => std::thread::sleep(Duration::from_millis(5)),
        }
    };
    let mut reason = String::new();
    if let Some(stderr) = child.stderr.take() {
        // The child has ended; 8 KiB is far more than any message of ours.
        let _ = stderr.take(8 << 10).read_to_string(&mut reason);
    }
    Err(unsuccessful(program, status, reason.trim()))
}

/// A program that somebody killed has said nothing of the component.
fn unsuccessful(program: &Path, status: ExitStatus, reason: &str) -> CompilerError {
    match status.signal() {
        None => CompilerError::Refused(reason.to_owned()),
        Some(_) => CompilerError::NotRun {
            program: program.to_owned(),
            source: std::io::Error::other(status.to_string()),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_program_that_ended_by_itself_has_refused() {
        let program = Path::new("/opt/drivebay");
        let ended = |status| unsuccessful(program, ExitStatus::from_raw(status), "no");
        assert!(matches!(ended(1 << 8), CompilerError::Refused(reason) if reason == "no"));
        let CompilerError::NotRun { source, .. } = ended(9) else {
            panic!("it was killed");
        };
        assert!(source.to_string().contains("signal: 9"), "{source}");
    }
}
