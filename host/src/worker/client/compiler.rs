//! Asking `drivebay` to compile a component: from the shim, which cannot, and from `drivebay` itself, so that a compile
//! has a deadline and no part in what serves.

mod compiler_process;

use std::ffi::OsStr;
use std::fs::File;
use std::os::fd::BorrowedFd;
use std::os::unix::fs::FileExt;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use nix::sys::memfd::{MFdFlags, memfd_create};

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
    /// It has not ended yet.
    #[error("it goes on; a later call finds it done")]
    GoesOn,
}

/// Runs `program ARGUMENTS` and waits for its end, no longer than until then; what it writes to stderr is the reason if
/// it fails. One that has not ended goes on without its caller, bounded by limits of its own, and holds the lock until it
/// ends: as its standard input, which is inherited by the one and by nothing that it starts.
pub fn run_compiler(
    program: &Path,
    arguments: &[&str],
    environment: &[(&str, &Path)],
    lock: BorrowedFd<'_>,
    until: Instant,
) -> Result<(), CompilerError> {
    let not_run = |source| CompilerError::NotRun {
        program: program.to_owned(),
        source,
    };
    // No pipe: nobody may be there any more to read what is written last.
    let last_words = memfd_create(c"last-words", MFdFlags::MFD_CLOEXEC);
    let last_words = File::from(last_words.map_err(|error| not_run(error.into()))?);
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
        .stdin(lock.try_clone_to_owned().map_err(not_run)?)
        .stdout(Stdio::null())
        .stderr(last_words.try_clone().map_err(not_run)?);
    let mut child = start(&mut command).map_err(not_run)?;
    let status = loop {
        match child.try_wait().map_err(not_run)? {
            Some(status) if status.success() => return Ok(()),
            Some(status) => break status,
            None if Instant::now() >= until => {
                // For as long as this process lives it has to take note of the child's end.
                std::thread::spawn(move || child.wait());
                return Err(CompilerError::GoesOn);
            }
            None => std::thread::sleep(Duration::from_millis(5)),
        }
    };
    Err(unsuccessful(program, status, read(&last_words).trim()))
}

/// What was written to a file from its beginning on; 8 KiB is far more than any message of ours.
fn read(file: &File) -> String {
    let mut words = vec![0; 8 << 10];
    let length = file.read_at(&mut words, 0).unwrap_or(0);
    String::from_utf8_lossy(&words[..length]).into_owned()
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
