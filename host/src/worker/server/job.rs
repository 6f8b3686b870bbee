//! The worker that does bulk work: one job, and its result is its last act.

pub(in crate::worker) mod watch;

use std::io::{self, Read};

use cap_std::fs::Dir;
use zeroize::Zeroizing;

use super::directories::Directories;
use super::files;
use super::files::resolved_path::failed;
use super::work_limits::{Bounds, Ending, Endings};
use crate::sys::{rlimit, write_durably};
use crate::worker::job::{Job, RESULT_LIFETIME, age, destination, take_result};
use crate::worker::{DirectoryOrigin, Fault, Reply};

/// The whole life of a job worker: read the job, carry it out, note the result.
pub(super) fn serve() -> io::Result<()> {
    // It can hold a secret.
    let mut text = Zeroizing::new(Vec::new());
    io::stdin().lock().read_to_end(&mut text)?;
    let job: Job = serde_json::from_slice(&text)?;
    drop(text);
    let endings = Endings::none_yet();
    // Before memory is bounded: a thread wants some for its stack.
    watch::over(&job, endings.clone())?;
    rlimit::bound_memory(job.limits.memory_bytes)?;
    carry_out(job, endings)
}

pub(in crate::worker) fn carry_out(job: Job, endings: Endings) -> io::Result<()> {
    let result = match open(&job.directory) {
        Ok(directory) => work(&job, &directory, endings.clone()),
        Err(fault) => Err(fault),
    };
    if endings.ordered() == Ending::Unattended && result.is_err() {
        // Whoever comes after all finds nothing, and starts anew.
        return Ok(());
    }
    write_durably(&job.result, &serde_json::to_vec(&result)?)
}

fn open(origin: &DirectoryOrigin) -> Result<Dir, Fault> {
    let mut directories = Directories::default();
    directories
        .open(origin)?
        .try_clone()
        .map_err(|error| failed("open directory", "", error))
}

/// An earlier worker may have finished when nobody waited for it any more. Its success counts if what it
/// made is still there.
fn work(job: &Job, dir: &Dir, endings: Endings) -> Result<Reply, Fault> {
    if age(&job.result).is_some_and(|age| age < RESULT_LIFETIME)
        && let Some(earlier) = take_result(&job.result)?
    {
        let made = destination(&job.operation).is_some_and(|to| dir.symlink_metadata(to).is_ok());
        if earlier.is_err() || made {
            return earlier;
        }
    }
    let bounds = Bounds::of_a_job(job.limits, dir, endings)
        .map_err(|error| failed("open directory", "", error))?;
    files::carry_out(dir, job.operation.clone(), &job.notes, &bounds)
}
