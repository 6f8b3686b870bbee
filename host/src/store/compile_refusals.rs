//! What the compiler refused lately, so that it does not try again in each call.
//!
//! kubelet repeats a call for as long as a pod waits, and for each pod: a component that takes all of its time to be
//! refused would keep a processor busy for ever. Gone after a reboot.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use super::engine::FINGERPRINT;
use crate::config::Paths;
#[cfg(feature = "compiler")]
use crate::sys;
use crate::worker::client::CompileLimits;

/// After that it is tried again: what kept the compiler may have been the node.
const LASTS: Duration = Duration::from_secs(300);

/// Of one component, with what it was allowed to take.
#[derive(Debug)]
pub(super) struct Refusal {
    file: PathBuf,
    allowed: String,
}

impl Refusal {
    pub(super) fn of(paths: &Paths, sha256: &str, limits: CompileLimits) -> Self {
        Self {
            file: paths.locks().join(format!("compile-{sha256}.refused")),
            // Whoever is allowed more, or is another compiler, tries again.
            allowed: format!("{FINGERPRINT} {limits:?}"),
        }
    }

    /// Why it was refused a while ago.
    pub(super) fn noted(&self) -> Option<String> {
        let noted = fs::metadata(&self.file)
            .and_then(|file| file.modified())
            .ok()?;
        let text = fs::read_to_string(&self.file).ok()?;
        let (allowed, reason) = text.split_once('\n')?;
        let is_recent = noted.elapsed().is_ok_and(|age| age < LASTS);
        (is_recent && allowed == self.allowed).then(|| {
            format!("{reason} (as found less than {LASTS:?} ago; `drivebay install` tries again at once)")
        })
    }

    /// One that cannot be noted is found out again.
    #[cfg(feature = "compiler")]
    pub(super) fn note(&self, reason: &str) {
        let text = format!("{}\n{reason}", self.allowed);
        if let Err(error) = sys::write_durably(&self.file, text.as_bytes()) {
            tracing::warn!(%error, "the next call has the component compiled again");
        }
    }

    #[cfg(feature = "compiler")]
    pub(super) fn forget(&self) {
        let _ = fs::remove_file(&self.file);
    }
}
