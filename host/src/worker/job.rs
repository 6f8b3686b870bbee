//! What a job is told, and where it leaves its result.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::job_limits::JobLimits;
use super::process_slots::SlotFile;
use super::{DirectoryOrigin, Fault, FaultKind, FileOperation, Reply};
use crate::sys::remove_durably;

/// A result that nobody fetched for so long is about another time: the work is done again, and finds what
/// is there.
pub(super) const RESULT_LIFETIME: Duration = Duration::from_secs(24 * 60 * 60);

/// What a job worker reads from its standard input.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Job {
    pub(super) directory: DirectoryOrigin,
    pub(super) operation: FileOperation,
    pub(super) result: PathBuf,
    /// Where what must survive the worker is noted.
    pub(super) notes: PathBuf,
    pub(super) slots: SlotFile,
    /// Held by those who wait for the job.
    pub(super) attended: u64,
    pub(super) limits: JobLimits,
}

/// What bulk work makes; none for what is not bulk work.
pub(super) fn destination(operation: &FileOperation) -> Option<&str> {
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

pub(super) fn unnoted(error: &dyn std::error::Error) -> Fault {
    let reason = error
        .source()
        .map_or_else(|| error.to_string(), |source| format!("{error}: {source}"));
    Fault::new(
        FaultKind::Other,
        format!("cannot keep the state of a job: {reason}"),
    )
}

pub(super) fn take_result(path: &Path) -> Result<Option<Result<Reply, Fault>>, Fault> {
    let text = match std::fs::read(path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(unnoted(&error)),
    };
    remove_durably(path).map_err(|error| unnoted(&error))?;
    // An unreadable one says no more than a missing one.
    Ok(serde_json::from_slice(&text).ok())
}

pub(super) fn age(path: &Path) -> Option<Duration> {
    let modified = std::fs::metadata(path).ok()?.modified().ok()?;
    modified.elapsed().ok()
}
