//! Reading requests and answering them, whatever the worker is for.

use std::io::{self, BufRead, Write};
use std::path::Path;
use std::time::Duration;

use nix::unistd::alarm;
use zeroize::Zeroizing;

use crate::worker::command_line::{ORPHAN_GRACE, Order};
use crate::worker::{Fault, FaultKind, Reply, Request};

/// Reads a request, carries it out, answers, until the requests end, or none came for as long as `idle`.
pub(super) fn answer_all(
    idle: Option<Duration>,
    mut carry_out: impl FnMut(Request, &Path) -> Result<Reply, Fault>,
) -> io::Result<()> {
    rest(idle);
    for line in io::stdin().lock().lines() {
        // It can hold a key.
        let line = Zeroizing::new(line?);
        let answer = match serde_json::from_str::<Order<Request>>(&line) {
            Ok(order) => {
                end_after(order.left + ORPHAN_GRACE);
                carry_out(order.request, &order.notes)
            }
            // The parser's own words can quote from the request, and that can hold a key.
            Err(_) => Err(Fault::new(
                FaultKind::Invalid,
                "the worker cannot read the request, and may be of another version; run `drivebay install`",
            )),
        };
        rest(idle);
        let mut text = Zeroizing::new(serde_json::to_vec(&answer)?);
        text.push(b'\n');
        let mut replies = io::stdout().lock();
        replies.write_all(&text)?;
        replies.flush()?;
    }
    Ok(())
}

/// Nothing to do now, for ever or for a while.
fn rest(idle: Option<Duration>) {
    match idle {
        Some(idle) => end_after(idle),
        None => drop(alarm::cancel()),
    }
}

/// Has the kernel kill this process, also in the midst of a system call, for whoever waits for the lock.
fn end_after(time: Duration) {
    alarm::set(u32::try_from(time.as_secs()).unwrap_or(u32::MAX).max(1));
}
