//! What a backend of an API needs of the host besides the API: time, chance, digests and a log.

use crate::bindings::log::{self, Level};
use crate::bindings::types::Error;
use crate::bindings::{https, signing};
use crate::encode::hex;

/// The host, or the [fake](crate::fake::FakeHost) of a unit test.
pub trait Host {
    /// Let time pass; `unavailable`, at once, where the call's deadline would come first.
    fn pause(&self, milliseconds: u64) -> Result<(), Error>;

    /// A few random bits.
    fn chance(&self) -> u8;

    /// SHA-256 in hexadecimal digits.
    fn digest(&self, text: &str) -> String;

    /// A line for the operator.
    fn note(&self, level: Level, line: &str);
}

/// The host itself. Imports `https`, `signing` and `log`.
#[derive(Debug, Clone, Copy)]
pub struct RealHost;

impl Host for RealHost {
    fn pause(&self, milliseconds: u64) -> Result<(), Error> {
        https::sleep(u32::try_from(milliseconds).unwrap_or(u32::MAX))
    }

    fn chance(&self) -> u8 {
        signing::nonce().first().copied().unwrap_or_default()
    }

    fn digest(&self, text: &str) -> String {
        hex(&signing::sha256(text.as_bytes()))
    }

    fn note(&self, level: Level, line: &str) {
        log::write(level, line);
    }
}
