//! The kernel's random bytes.

use std::io;

/// 128 random bits.
///
/// # Errors
/// Where the kernel has none, which it has on every node that has booted.
pub fn random_bytes() -> io::Result<[u8; 16]> {
    let mut bytes = [0; 16];
    fill_randomly(&mut bytes)?;
    Ok(bytes)
}

/// As many as there is room for.
pub fn fill_randomly(bytes: &mut [u8]) -> io::Result<()> {
    getrandom::fill(bytes).map_err(io::Error::other)
}
