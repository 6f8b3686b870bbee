//! Calls that are answered before a service sees them: methods that nobody here has, messages that are too large,
//! compressed or no messages at all.
//!
//! No service logs them, and not every caller says what it got. So each is told once for its method and code; one
//! that is repeated would fill the log.

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};

use tonic::{Code, Status};

/// Of a path that a caller made up.
const MAX_PATH: usize = 100;

/// What of one driver was told. Bounded, as methods and codes are.
#[derive(Debug, Default)]
pub(super) struct Rejected(Mutex<HashSet<(&'static str, Code)>>);

impl Rejected {
    /// The method as it is counted, and as the caller wrote it where nobody knows it.
    pub(super) fn tell(
        &self,
        driver: &str,
        method: &'static str,
        asked: Option<&str>,
        status: &Status,
    ) {
        if !self.is_first(method, status.code()) {
            return;
        }
        let rpc: String = asked.unwrap_or(method).chars().take(MAX_PATH).collect();
        let reason = match status.message() {
            "" => "no such method is served here; `--mode` says which of CSI's services are",
            message => message,
        };
        tracing::warn!(
            driver.name = driver,
            rpc,
            code = ?status.code(),
            reason,
            "a call was refused before it began; further ones like it are not logged"
        );
    }

    fn is_first(&self, method: &'static str, code: Code) -> bool {
        let mut told = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        told.insert((method, code))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_method_and_code_is_told_once() {
        let rejected = Rejected::default();
        assert!(rejected.is_first("CreateVolume", Code::OutOfRange));
        assert!(!rejected.is_first("CreateVolume", Code::OutOfRange));
        assert!(rejected.is_first("CreateVolume", Code::Unimplemented));
        assert!(rejected.is_first("unknown", Code::Unimplemented));
    }
}
