//! The worker in which a component is read, compiled and asked who it is: bounded in time and memory before it reads
//! anything.

use std::ffi::OsStr;
use std::io::{self, ErrorKind, Read, Write};
use std::time::Duration;

use nix::sys::prctl::set_pdeathsig;
use nix::sys::signal::Signal;
use nix::unistd::alarm;

use crate::sys::rlimit::{self, OomScore};
use crate::worker::command_line::{COMPILE, ORPHAN_GRACE, Priority};

/// Whether a worker's arguments are those of such a one.
pub fn is_compiler(purpose: Option<&OsStr>) -> bool {
    purpose == Some(OsStr::new(COMPILE))
}

/// The whole life of such a worker, after the word that says what it is: reads the input, answers, ends.
///
/// # Errors
/// Where it cannot be bounded, or its pipes break.
pub fn serve_compiler(
    mut arguments: impl Iterator<Item = std::ffi::OsString>,
    work: impl FnOnce(&[u8]) -> Vec<u8>,
) -> io::Result<()> {
    let mut word = || arguments.next()?.into_string().ok();
    let (seconds, memory_bytes) = (number(word()), number(word()));
    let (priority, processor_seconds) = (word(), number(word()));
    let (Some(seconds), Some(memory_bytes), Some(priority), Some(processor_seconds)) = (
        seconds,
        memory_bytes,
        priority.as_deref().and_then(Priority::parse),
        processor_seconds,
    ) else {
        return Err(ErrorKind::InvalidInput.into());
    };
    confine(Duration::from_secs(seconds), memory_bytes)?;
    yield_to_others(priority, Duration::from_secs(processor_seconds))?;
    let mut input = Vec::new();
    io::stdin().lock().read_to_end(&mut input)?;
    let answer = work(&input);
    let mut stdout = io::stdout().lock();
    stdout.write_all(&answer)?;
    stdout.flush()
}

fn number(word: Option<String>) -> Option<u64> {
    word?.parse().ok()
}

/// Before there is a second thread: those that compile inherit it.
fn yield_to_others(priority: Priority, processor_time: Duration) -> io::Result<()> {
    match priority {
        Priority::Call => Ok(()),
        Priority::Background => {
            rlimit::let_others_go_first()?;
            Ok(rlimit::bound_processor_time(processor_time)?)
        }
    }
}

/// Before anything of a stranger's is read.
fn confine(time: Duration, memory_bytes: u64) -> io::Result<()> {
    // Whoever waits for it is one thread for as long as it waits.
    set_pdeathsig(Signal::SIGKILL)?;
    let seconds = (time + ORPHAN_GRACE).as_secs();
    alarm::set(u32::try_from(seconds).unwrap_or(u32::MAX));
    // What is written to, reserved address space not counted: stacks, heap, and a guest's memory while it says who
    // it is.
    rlimit::bound_memory(memory_bytes)?;
    // Where memory is scarce it goes before anything that somebody's volume depends on.
    rlimit::end_before_the_host(OomScore::First);
    Ok(())
}
