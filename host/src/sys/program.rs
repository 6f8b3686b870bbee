//! Programs that this process writes and that somebody runs at once, as kubelet does with what appears in its plugin
//! directory.
//!
//! The kernel runs no file that anybody has open for writing (ETXTBSY), and a child has open what its parent had when it
//! was made, until it runs its own program: O_CLOEXEC closes nothing before that. So a program that is written while
//! another thread starts a process could not be run for a moment after its writer has closed it. Whoever starts a
//! process and whoever writes a program wait for each other here.

use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

static PROGRAMS: RwLock<()> = RwLock::new(());

/// To be held while a process is started, until it runs its program.
pub(crate) fn while_no_program_is_written() -> RwLockReadGuard<'static, ()> {
    PROGRAMS.read().unwrap_or_else(PoisonError::into_inner)
}

/// To be held while a program is open for writing.
pub(super) fn while_no_process_starts() -> RwLockWriteGuard<'static, ()> {
    PROGRAMS.write().unwrap_or_else(PoisonError::into_inner)
}
