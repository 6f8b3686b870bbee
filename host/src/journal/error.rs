//! Why the journal cannot be used.

use std::io;
use std::path::PathBuf;

/// Each names the file or the directory that an operator has to look at.
#[derive(Debug, thiserror::Error)]
pub(crate) enum JournalError {
    #[error("cannot write the journal in {}", directory.display())]
    Unwritable {
        directory: PathBuf,
        source: io::Error,
    },
    #[error("cannot read the journal at {}", file.display())]
    Unreadable { file: PathBuf, source: io::Error },
    #[error("journal entry {} has format {found}, and this host knows {known}: a later drivebay wrote it, and has to undo it; install that one again", file.display())]
    Later {
        file: PathBuf,
        found: u32,
        known: u32,
    },
    #[error("journal entry {} is corrupt ({reason}); move it away if the volume is not in use", file.display())]
    Corrupt { file: PathBuf, reason: String },
}
