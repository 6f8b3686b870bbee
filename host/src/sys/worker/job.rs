//! Bulk work in a process of its own, which a repeated call joins.
//!
//! A job is known by what it does, so that the retry of a call finds it without anybody remembering an
//! identifier. Its worker inherits a lock and holds it as long as it lives, whatever becomes of those who
//! wait for it; its last act is a file with the result. A lock that is free and no result mean that it
//! never ran, or was killed: then it runs anew.

use std::io::{self, Read, Write};
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::process::Child;
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::serve::Directories;
use super::{DirectoryOrigin, Fault, FaultKind, FileOperation, Reply, Request, files, process};
use crate::sys::{Lock, LockError, remove_durably, write_durably};

/// A result that nobody fetched for so long is about another time: the work is done again, and finds what
/// is there.
const RESULT_LIFETIME: Duration = Duration::from_secs(24 * 60 * 60);

/// Word of such a worker's command line.
pub(super) const ARGUMENT: &str = "job";

/// What a job worker reads from its standard input.
#[derive(Debug, Serialize, Deserialize)]
struct Job {
    directory: DirectoryOrigin,
    operation: FileOperation,
    result: PathBuf,
    /// Where what must survive the worker is noted.
    notes: PathBuf,
}

/// Whether the request is bulk work.
pub(super) fn is_job(request: &Request) -> bool {
    matches!(parts(request), Some((_, operation)) if destination(operation).is_some())
}

/// Starts the job or joins it, and waits until the deadline. One that takes longer goes on, and the answer
/// is [`FaultKind::Busy`].
pub(super) fn run(jobs: &Path, request: &Request, deadline: Instant) -> Result<Reply, Fault> {
    run_in(jobs, request, deadline, start_worker)
}

fn run_in<R: Running>(
    jobs: &Path,
    request: &Request,
    deadline: Instant,
    start: impl FnOnce(&Lock, &[u8]) -> Result<R, Fault>,
) -> Result<Reply, Fault> {
    let Some((directory, operation)) = parts(request) else {
        return Err(Fault::new(
            FaultKind::Invalid,
            "only work beneath a directory can be a job",
        ));
    };
    let names = Names::of(jobs, directory, operation)?;
    let lock = Lock::acquire(&names.lock, deadline).map_err(|error| match error {
        LockError::Held => going_on(operation),
        LockError::Io { .. } => unnoted(&error),
    })?;
    let job = Job {
        directory: directory.clone(),
        operation: operation.clone(),
        result: names.result,
        notes: jobs.to_owned(),
    };
    let text = serde_json::to_vec(&job).map_err(|error| unnoted(&error))?;
    let running = start(&lock, &text)?;
    // From here on the worker alone holds it.
    drop(lock);
    if !running.wait(deadline) {
        return Err(going_on(operation));
    }
    take_result(&job.result)?.unwrap_or_else(|| {
        Err(Fault::new(
            FaultKind::Other,
            format!(
                "the worker process of {} ended without a result; the next attempt starts anew",
                title(operation)
            ),
        ))
    })
}

fn parts(request: &Request) -> Option<(&DirectoryOrigin, &FileOperation)> {
    if let Request::Files {
        directory,
        operation,
    } = request
    {
        Some((directory, operation))
    } else {
        None
    }
}

/// What bulk work makes; none for what is not bulk work.
fn destination(operation: &FileOperation) -> Option<&str> {
    match operation {
        FileOperation::Copy { to, .. }
        | FileOperation::Archive { to, .. }
        | FileOperation::Extract { to, .. } => Some(to),
        FileOperation::MakeDirectory { .. }
        | FileOperation::SetMode { .. }
        | FileOperation::Look { .. }
        | FileOperation::List { .. }
        | FileOperation::Read { .. }
        | FileOperation::Create { .. }
        | FileOperation::Write { .. }
        | FileOperation::Rename { .. }
        | FileOperation::Remove { .. }
        | FileOperation::RemoveDirectory { .. }
        | FileOperation::Usage => None,
    }
}

fn title(operation: &FileOperation) -> String {
    format!(
        "the job that makes {:?}",
        destination(operation).unwrap_or_default()
    )
}

fn going_on(operation: &FileOperation) -> Fault {
    Fault::new(
        FaultKind::Busy,
        format!(
            "{} is still running and goes on; repeat the call to join it",
            title(operation)
        ),
    )
}

fn unnoted(error: &dyn std::error::Error) -> Fault {
    let reason = error
        .source()
        .map_or_else(|| error.to_string(), |source| format!("{error}: {source}"));
    Fault::new(
        FaultKind::Other,
        format!("cannot keep the state of a job: {reason}"),
    )
}

struct Names {
    /// By what is made: two jobs that make the same thing from different sources wait for each other.
    lock: PathBuf,
    /// By all of the work.
    result: PathBuf,
}

impl Names {
    fn of(
        jobs: &Path,
        directory: &DirectoryOrigin,
        operation: &FileOperation,
    ) -> Result<Self, Fault> {
        // Not the address nor the options: the same share may be reached in another way the next time.
        let place = match directory {
            DirectoryOrigin::Local(path) => path.to_string_lossy().into_owned(),
            DirectoryOrigin::Remote(remote) => {
                format!("{} {} {}", remote.fs_type, remote.server, remote.path)
            }
        };
        let lock = digest(&(&place, destination(operation)))?;
        let result = digest(&(&place, operation))?;
        Ok(Self {
            lock: jobs.join(format!("{lock}.lock")),
            result: jobs.join(format!("{result}.result")),
        })
    }
}

fn digest(what: &impl Serialize) -> Result<String, Fault> {
    let text = serde_json::to_vec(what).map_err(|error| unnoted(&error))?;
    Ok(Sha256::digest(text)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect())
}

fn take_result(path: &Path) -> Result<Option<Result<Reply, Fault>>, Fault> {
    let text = match std::fs::read(path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(unnoted(&error)),
    };
    remove_durably(path).map_err(|error| unnoted(&error))?;
    // An unreadable one says no more than a missing one.
    Ok(serde_json::from_slice(&text).ok())
}

/// A job worker as seen by those who wait.
trait Running {
    /// Whether it ended before the deadline. It goes on otherwise.
    fn wait(self, deadline: Instant) -> bool;
}

struct Worker {
    child: Child,
    /// Nothing is ever written to it; it closes when the worker is gone.
    alive: std::process::ChildStdout,
}

fn start_worker(lock: &Lock, job: &[u8]) -> Result<Worker, Fault> {
    let (child, mut requests, alive) = process::spawn(ARGUMENT, lock.as_fd().try_clone_to_owned())?;
    let worker = Worker { child, alive };
    if let Err(error) = requests.write_all(job) {
        reap(worker.child);
        return Err(Fault::new(
            FaultKind::Other,
            format!("the worker process of a job failed: {error}"),
        ));
    }
    Ok(worker)
}

impl Running for Worker {
    fn wait(mut self, deadline: Instant) -> bool {
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let timeout = PollTimeout::try_from(left).unwrap_or(PollTimeout::MAX);
            let mut streams = [PollFd::new(self.alive.as_fd(), PollFlags::POLLIN)];
            match poll(&mut streams, timeout) {
                Ok(0) | Err(_) if Instant::now() >= deadline => {
                    reap(self.child);
                    return false;
                }
                Ok(0) | Err(_) => {}
                Ok(_) => return self.child.wait().is_ok(),
            }
        }
    }
}

/// Waits in the background, so that a long-lived parent keeps no zombies. A short-lived one leaves both to
/// init.
fn reap(mut child: Child) {
    let waiting = std::thread::Builder::new()
        .name("job-reaper".to_owned())
        .spawn(move || child.wait());
    // Without a thread there is a zombie until this process ends, and nothing worse.
    drop(waiting);
}

/// The whole life of a job worker: read the job, carry it out, note the result.
pub(super) fn serve() -> io::Result<()> {
    let mut text = Vec::new();
    io::stdin().lock().read_to_end(&mut text)?;
    carry_out(serde_json::from_slice(&text)?)
}

fn carry_out(job: Job) -> io::Result<()> {
    let opened = open(&job.directory);
    let result = match opened.as_ref() {
        Ok(directories) => work(&job, directories),
        Err(fault) => Err(fault.clone()),
    };
    write_durably(&job.result, &serde_json::to_vec(&result)?)
}

fn open(origin: &DirectoryOrigin) -> Result<cap_std::fs::Dir, Fault> {
    let mut directories = Directories::default();
    directories
        .open(origin)?
        .try_clone()
        .map_err(|error| files::failed("open directory", "", error))
}

/// An earlier worker may have finished when nobody waited for it any more. Its success counts if what it
/// made is still there.
fn work(job: &Job, dir: &cap_std::fs::Dir) -> Result<Reply, Fault> {
    let age = std::fs::metadata(&job.result)
        .and_then(|metadata| metadata.modified())
        .ok()
        .and_then(|time| time.elapsed().ok());
    if age.is_some_and(|age| age < RESULT_LIFETIME)
        && let Some(earlier) = take_result(&job.result)?
    {
        let made = destination(&job.operation).is_some_and(|to| dir.symlink_metadata(to).is_ok());
        if earlier.is_err() || made {
            return earlier;
        }
    }
    files::carry_out(dir, job.operation.clone(), &job.notes)
}

#[cfg(test)]
mod tests;
