//! Keeps what is being put into the store from being removed before anything names it.

use std::time::Instant;

use crate::config::Paths;
use crate::sys::{Lock, LockError};

/// For whoever puts something there, until a record or a component's name stands for it. Several may at once.
///
/// # Errors
/// The lock's file cannot be made.
pub fn hold_store(paths: &Paths) -> Result<Lock, LockError> {
    Lock::share(&paths.locks().join("store.lock"))
}

/// For whoever removes something. None while somebody puts something there: the next one who comes by removes it.
pub(super) fn alone(paths: &Paths) -> Result<Option<Lock>, LockError> {
    match Lock::acquire(&paths.locks().join("store.lock"), Instant::now()) {
        Ok(lock) => Ok(Some(lock)),
        Err(LockError::Held) => Ok(None),
        Err(error) => Err(error),
    }
}
