//! What a worker process may take from the node, said by itself before it reads what it is asked.
//!
//! Limits that need no code between fork and exec: the standard library can go on starting workers without
//! copying its process. They are inherited by the programs that a worker runs, so a memory limit that those
//! could meet is taken back before.

use std::time::Duration;
use std::{fs, io};

use nix::sys::resource::{Resource, getrlimit, setrlimit};
use rustix::process::setpriority_process;

/// The process itself, whatever its number is in the namespace of those who look.
const OOM_SCORE: &str = "/proc/self/oom_score_adj";

/// How soon the kernel ends a process where memory is short: before any other with a lower one, whatever those hold
/// (`oom_score_adj`, proc_pid_oom_score_adj(5)). The host's own is what whoever started it has given it, -999 beneath
/// kubelet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u16)]
pub(crate) enum OomScore {
    /// Work that holds up one call.
    Worker = 900,
    /// Bulk work, and whatever else can be done again from the beginning.
    First = 1000,
}

/// Has the kernel end this process sooner than the host where memory is short. Never later than it would have. Raising is
/// refused to nobody who can open the file, which is root's alone since [`crate::sys::forbid_core_dumps`]; where it
/// cannot be opened, or there is no /proc, nothing is lost but the order.
pub(crate) fn end_before_the_host(score: OomScore) {
    let wanted = score as u16;
    let now = fs::read_to_string(OOM_SCORE)
        .ok()
        .and_then(|text| text.trim().parse::<i32>().ok());
    if now.is_some_and(|now| now < i32::from(wanted)) {
        let _ = fs::write(OOM_SCORE, wanted.to_string());
    }
}

/// No more memory than that for what this process writes to: its heap and private mappings (`RLIMIT_DATA`, setrlimit(2)).
/// What it maps of files and only reads is not counted. Past it the allocator aborts: SIGABRT.
pub(crate) fn bound_memory(bytes: u64) -> nix::Result<()> {
    set_within(Resource::RLIMIT_DATA, bytes)
}

/// As [`bound_memory`], until [`unbound_memory`].
pub(crate) fn bound_memory_for_now(bytes: u64) -> nix::Result<()> {
    let (_, hard) = getrlimit(Resource::RLIMIT_DATA)?;
    setrlimit(Resource::RLIMIT_DATA, bytes.min(hard), hard)
}

/// As much as this process was started with: programs that repair a filesystem need as much as it is large.
pub(crate) fn unbound_memory() -> nix::Result<()> {
    let (_, hard) = getrlimit(Resource::RLIMIT_DATA)?;
    setrlimit(Resource::RLIMIT_DATA, hard, hard)
}

/// No more processor time than that for all threads of this process together (`RLIMIT_CPU`, setrlimit(2)). Past it the
/// kernel ends it: SIGXCPU, which it sends at the lower limit only; at the upper one it is SIGKILL, which says nothing.
pub(crate) fn bound_processor_time(time: Duration) -> nix::Result<()> {
    let (_, hard) = getrlimit(Resource::RLIMIT_CPU)?;
    setrlimit(Resource::RLIMIT_CPU, time.as_secs().clamp(1, hard), hard)
}

/// Leaves the processors to whoever else wants them, from now on and in every thread that is started from here (nice 19,
/// sched(7)). A node with nothing to do loses nothing by it; on a busy one there is still a share of one percent or two,
/// so that it ends one day. SCHED_IDLE would leave next to none, and SCHED_BATCH adds to nice 19 only that it wakes
/// later, which is nothing to threads that compute and hardly wait.
pub(crate) fn let_others_go_first() -> io::Result<()> {
    Ok(setpriority_process(None, 19)?)
}

/// A limit can be lowered by anybody, and raised by hardly anybody.
fn set_within(resource: Resource, value: u64) -> nix::Result<()> {
    let (_, hard) = getrlimit(resource)?;
    let value = value.min(hard);
    setrlimit(resource, value, value)
}

#[cfg(test)]
mod tests {
    use rustix::process::getpriority_process;
    use std::thread;

    use super::*;

    #[test]
    fn who_lets_others_go_first_does_so_in_every_thread_started_from_there_and_in_no_other() {
        let before = getpriority_process(None).expect("known");
        let yielding = thread::spawn(|| {
            let_others_go_first().expect("nobody is refused that");
            let started = thread::spawn(|| getpriority_process(None).expect("known"));
            (
                getpriority_process(None).expect("known"),
                started.join().expect("it ends"),
            )
        });
        assert_eq!(yielding.join().expect("it ends"), (19, 19));
        assert_eq!(getpriority_process(None).expect("known"), before);
    }
}
