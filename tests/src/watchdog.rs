//! What ends a test that would wait for ever.

use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread;
use std::time::Duration;

use drivebay_testbed::end_processes_of;

/// Far longer than any test takes, on a busy machine too.
const LIMIT: Duration = Duration::from_secs(30 * 60);

/// Kills a node's processes when it has lived too long: whoever waits for one of them, or for its answer, goes on and
/// fails.
#[derive(Debug)]
pub(crate) struct Watchdog {
    _is_dropped: Sender<()>,
}

impl Watchdog {
    pub(crate) fn over(root: &Path) -> Self {
        let (sender, receiver) = mpsc::channel::<()>();
        let root = PathBuf::from(root);
        thread::spawn(move || {
            let mut patience = LIMIT;
            while receiver.recv_timeout(patience) == Err(RecvTimeoutError::Timeout) {
                end_processes_of(&root);
                patience = Duration::from_secs(1);
            }
        });
        Self {
            _is_dropped: sender,
        }
    }
}
