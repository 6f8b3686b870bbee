//! Waiting to be asked to end, for processes that do nothing else meanwhile.

use std::io;

use nix::sys::signal::{SigSet, Signal};

/// Keeps SIGTERM and SIGINT back for [`wait_for_termination`], in this thread and in those that it starts from now on.
/// As the first process of a container nobody would get their usual effect.
pub fn hold_termination() -> io::Result<()> {
    Ok(signals().thread_block()?)
}

/// Until SIGTERM or SIGINT.
pub fn wait_for_termination() -> io::Result<()> {
    Ok(signals().wait().map(drop)?)
}

fn signals() -> SigSet {
    [Signal::SIGTERM, Signal::SIGINT].into_iter().collect()
}
