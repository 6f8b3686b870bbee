//! Who sent a request, and whether they could have.
//!
//! Both signature versions are here as pure functions that clients may use as well, and the checks around
//! them: key, time, nonce, security token.

mod check;
pub(crate) mod claims;
pub mod v1;
pub mod v3;

pub(crate) use check::{Nonces, check};
pub(crate) use claims::Claims;

use std::fmt::Write as _;

/// Lower-case hexadecimal digits.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a string does not fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod vectors;
