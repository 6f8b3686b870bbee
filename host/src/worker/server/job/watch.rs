//! The clock of a job, looked at beside it: what hangs in the kernel cannot look itself.

use std::io;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, raise};

use crate::sys::byte_lock::ByteLocks;
use crate::worker::job::Job;
use crate::worker::server::work_limits::{Ending, Endings};

/// Time to take away what was made, before the process is ended all the same: a million files and more. What is left
/// then goes with the next work in that directory.
const CLEARING: Duration = Duration::from_secs(300);

/// Between two looks; a caller that waits less long is not seen.
const PAUSE: Duration = Duration::from_millis(250);

struct Watch {
    locks: ByteLocks,
    attended: u64,
    time: Duration,
    unattended: Duration,
    begun: Instant,
    seen: Instant,
}

/// Watches from a thread of its own for as long as the work goes on.
pub(in crate::worker) fn over(job: &Job, endings: Endings) -> io::Result<()> {
    let now = Instant::now();
    let mut watch = Watch {
        locks: ByteLocks::open(&job.slots.path)?,
        attended: job.attended,
        time: job.limits.time,
        unattended: job.limits.unattended,
        begun: now,
        seen: now,
    };
    std::thread::Builder::new()
        .name("job-watch".to_owned())
        .spawn(move || watch.until_the_end(&endings))?;
    Ok(())
}

impl Watch {
    fn until_the_end(&mut self, endings: &Endings) {
        let mut ordered = None;
        while endings.are_awaited() {
            std::thread::sleep(self.pause());
            match ordered {
                None => ordered = self.order(endings),
                Some(since) if Instant::elapsed(&since) > CLEARING => {
                    // Nothing can be left to say: whoever waits learns from the signal.
                    let _ = raise(Signal::SIGKILL);
                }
                Some(_) => {}
            }
        }
    }

    /// Not much longer than what is to be noticed.
    fn pause(&self) -> Duration {
        PAUSE.min(self.unattended / 4).min(self.time / 4)
    }

    fn order(&mut self, endings: &Endings) -> Option<Instant> {
        let now = Instant::now();
        // What cannot be asked counts as a caller: the time limit holds all the same.
        if self.locks.is_held_elsewhere(self.attended).unwrap_or(true) {
            self.seen = now;
        }
        let ending = if now.duration_since(self.begun) > self.time {
            Ending::OutOfTime
        } else if now.duration_since(self.seen) > self.unattended {
            Ending::Unattended
        } else {
            return None;
        };
        endings.order(ending);
        Some(now)
    }
}
