//! What a worker process may take from the node, said by itself before it reads what it is asked.
//!
//! Limits that need no code between fork and exec: the standard library can go on starting workers without
//! copying its process. They are inherited by the programs that a worker runs, so a memory limit that those
//! could meet is taken back before.

use std::fs;

use nix::sys::resource::{Resource, getrlimit, setrlimit};

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

/// A limit can be lowered by anybody, and raised by hardly anybody.
fn set_within(resource: Resource, value: u64) -> nix::Result<()> {
    let (_, hard) = getrlimit(resource)?;
    let value = value.min(hard);
    setrlimit(resource, value, value)
}
