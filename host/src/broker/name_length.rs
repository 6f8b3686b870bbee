//! How long a name may be that a guest says.

use crate::error::DriverError;

/// Of one name, word or path that a guest says, in bytes: as long as the kernel takes a path (`PATH_MAX`), or all of a
/// mount's options.
pub(super) const MAX_NAME: usize = 4096;

/// Asked before it is looked up or quoted anywhere: a message is several times as long as what it quotes.
pub(super) fn nameable(name: &str) -> Result<(), DriverError> {
    match name.len() > MAX_NAME {
        true => Err(DriverError::invalid_argument(format!(
            "a name or a value of {} bytes is refused: {MAX_NAME} are the most",
            name.len()
        ))),
        false => Ok(()),
    }
}
