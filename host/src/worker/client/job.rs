//! Bulk work in a process of its own, which a repeated call joins.
//!
//! A job is known by what it does, so that the retry of a call finds it without anybody remembering an
//! identifier. Its worker inherits a lock and holds it as long as it lives, whatever becomes of those who
//! wait for it; its last act is a file with the result. A lock that is free and no result mean that it
//! never ran, or was killed: then it runs anew. One for which nobody waits any more ends after a while.

use std::io::Write;
use std::os::fd::AsFd;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ExitStatus};
use std::time::Instant;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::Signal;
use serde::Serialize;
use zeroize::Zeroizing;

use super::process;
use super::worker_settings::WorkSite;
use crate::digest::sha256_hex;
use crate::sys::byte_lock::{ByteLocks, Hold};
use crate::sys::lock_file::try_until;
use crate::sys::{Afterwards, Lock, LockError, create_root_only_directory, remove_durably};
use crate::worker::command_line::JOB;
use crate::worker::job::{Job, RESULT_LIFETIME, age, destination, take_result, unnoted};
use crate::worker::job_limits::{Exceeded, JobLimits, in_time};
use crate::worker::process_slots::{SlotFile, byte_of, unlocked};
use crate::worker::{DirectoryOrigin, Fault, FaultKind, FileOperation, Reply, Request};

/// Whether the request is bulk work.
pub(super) fn is_job(request: &Request) -> bool {
    matches!(parts(request), Some((_, operation)) if destination(operation).is_some())
}

/// Starts the job or joins it, and waits until the deadline. One that takes longer goes on, and the answer
/// is [`FaultKind::Busy`].
pub(super) fn run(site: &WorkSite, request: &Request, deadline: Instant) -> Result<Reply, Fault> {
    run_in(site, request, deadline, start_worker)
}

fn run_in<R: Running>(
    site: &WorkSite,
    request: &Request,
    deadline: Instant,
    start: impl FnOnce(&ByteLocks, &[u8]) -> Result<R, Fault>,
) -> Result<Reply, Fault> {
    let Some((directory, operation)) = parts(request) else {
        return Err(Fault::new(
            FaultKind::Invalid,
            "only work beneath a directory can be a job",
        ));
    };
    let names = Names::of(&site.notes, directory, operation)?;
    let _attended = attend(&site.slots, names.attended())?;
    let lock = site.slots.open()?;
    if !hold(&lock, &site.slots, names.lock, deadline)? {
        return Err(going_on(operation, &site.jobs));
    }
    wait_for_the_former(&names.former_lock, deadline).map_err(|error| match error {
        LockError::Held => going_on(operation, &site.jobs),
        LockError::Io { .. } => unnoted(&error),
    })?;
    site.slots.take(&lock, &site.jobs.quota(), deadline)?;
    create_root_only_directory(&site.notes).map_err(|error| unnoted(&error))?;
    remove_old_results(&site.notes);
    let job = Job {
        directory: directory.clone(),
        operation: operation.clone(),
        attended: names.attended(),
        result: names.result,
        notes: site.notes.clone(),
        slots: site.slots.clone(),
        limits: site.jobs,
    };
    let text = Zeroizing::new(serde_json::to_vec(&job).map_err(|error| unnoted(&error))?);
    let running = start(&lock, &text)?;
    // From here on the worker alone holds it.
    drop(lock);
    match running.wait(deadline) {
        None => Err(going_on(operation, &site.jobs)),
        Some(status) => take_result(&job.result)?
            .unwrap_or_else(|| Err(without_result(operation, status, &site.jobs))),
    }
}

/// Lets the job know that somebody waits for it, as long as the answer is kept.
fn attend(slots: &SlotFile, byte: u64) -> Result<ByteLocks, Fault> {
    let attended = slots.open()?;
    attended
        .try_hold(byte, Hold::Shared)
        .map_err(|error| unlocked(&slots.path, &error))?;
    Ok(attended)
}

/// Whether this is now the only one to do the work; waits for another one until then.
fn hold(lock: &ByteLocks, slots: &SlotFile, byte: u64, until: Instant) -> Result<bool, Fault> {
    let held = try_until(until, || {
        let held = lock.try_hold(byte, Hold::Exclusive);
        held.map(|held| held.then_some(()))
    });
    held.map(|held| held.is_some())
        .map_err(|error| unlocked(&slots.path, &error))
}

/// Until a job is over that was begun by a version that locked a file for each. It may have left a result; the file goes.
fn wait_for_the_former(lock: &Path, until: Instant) -> Result<(), LockError> {
    match lock.exists() {
        true => Lock::acquire(lock, until).map(|lock| drop(lock.and(Afterwards::Goes))),
        false => Ok(()),
    }
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

fn title(operation: &FileOperation) -> String {
    format!(
        "the job that makes {:?}",
        destination(operation).unwrap_or_default()
    )
}

fn going_on(operation: &FileOperation, limits: &JobLimits) -> Fault {
    Fault::new(
        FaultKind::Busy,
        format!(
            "{} is still running and goes on; repeat the call within {} to join it",
            title(operation),
            in_time(limits.unattended)
        ),
    )
}

/// What is known of a worker that said nothing.
fn without_result(operation: &FileOperation, status: ExitStatus, limits: &JobLimits) -> Fault {
    let title = title(operation);
    let signal = status
        .signal()
        .and_then(|signal| Signal::try_from(signal).ok());
    match signal {
        // What an allocator does that is refused memory.
        Some(Signal::SIGABRT) => {
            let fault = Exceeded::Memory.fault(limits);
            Fault::new(fault.kind, format!("{title}: {}", fault.message))
        }
        Some(Signal::SIGKILL) => Fault::new(
            FaultKind::Other,
            format!(
                "{title} was killed, as the kernel does first with jobs where memory is short; the next attempt starts anew"
            ),
        ),
        _ => Fault::new(
            FaultKind::Other,
            format!(
                "the worker process of {title} ended without a result; the next attempt starts anew"
            ),
        ),
    }
}

struct Names {
    /// By what is made: two jobs that make the same thing from different sources wait for each other.
    lock: u64,
    /// By the same, as versions named it that locked a file for each.
    former_lock: PathBuf,
    /// By all of the work.
    result: PathBuf,
}

impl Names {
    fn of(
        notes: &Path,
        directory: &DirectoryOrigin,
        operation: &FileOperation,
    ) -> Result<Self, Fault> {
        // Not the address nor the options: the same share may be reached in another way the next time.
        let origin = match directory {
            DirectoryOrigin::Local(path) => path.to_string_lossy().into_owned(),
            DirectoryOrigin::Remote(remote) => {
                format!("{} {} {}", remote.fs_type, remote.server, remote.path)
            }
        };
        let made = digest(&(&origin, destination(operation)))?;
        let result = digest(&(&origin, operation))?;
        let driver = notes.to_string_lossy();
        Ok(Self {
            lock: byte_of(&["job that makes", &driver, &made]),
            former_lock: notes.join(format!("{made}.lock")),
            result: notes.join(format!("{result}.result")),
        })
    }

    /// Beside it.
    fn attended(&self) -> u64 {
        self.lock + 1
    }
}

fn digest(what: &impl Serialize) -> Result<String, Fault> {
    let text = serde_json::to_vec(what).map_err(|error| unnoted(&error))?;
    Ok(sha256_hex(text))
}

/// What nobody fetched in time: the job that would have is not repeated any more. Best effort.
fn remove_old_results(notes: &Path) {
    let entries = std::fs::read_dir(notes).into_iter().flatten().flatten();
    for path in entries.map(|entry| entry.path()) {
        let is_result = path.extension().is_some_and(|end| end == "result");
        if is_result && age(&path).is_some_and(|age| age >= RESULT_LIFETIME) {
            let _ = remove_durably(&path);
        }
    }
}

/// A job worker as seen by those who wait.
trait Running {
    /// How it ended, if it did before the deadline. It goes on otherwise.
    fn wait(self, deadline: Instant) -> Option<ExitStatus>;
}

struct Worker {
    child: Child,
    /// Nothing is ever written to it; it closes when the worker is gone.
    alive: std::process::ChildStdout,
}

fn start_worker(lock: &ByteLocks, job: &[u8]) -> Result<Worker, Fault> {
    let (child, mut requests, alive) = process::spawn(JOB, lock.as_fd().try_clone_to_owned())?;
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
    fn wait(mut self, deadline: Instant) -> Option<ExitStatus> {
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let timeout = PollTimeout::try_from(left).unwrap_or(PollTimeout::MAX);
            let mut streams = [PollFd::new(self.alive.as_fd(), PollFlags::POLLIN)];
            match poll(&mut streams, timeout) {
                Ok(0) | Err(_) if Instant::now() >= deadline => {
                    reap(self.child);
                    return None;
                }
                Ok(0) | Err(_) => {}
                Ok(_) => return self.child.wait().ok(),
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

#[cfg(test)]
mod tests;
