//! The kernel's random bytes.

use std::io;

/// 128 random bits.
///
/// # Errors
/// Where the kernel has none, which it has on every node that has booted.
pub fn random_bytes() -> io::Result<[u8; 16]> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(io::Error::other)?;
    Ok(bytes)
}
