//! Programs against a watch: the median of many runs, and the most memory one run ever held.

use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

use crate::process::command;

/// Enough that the median stands still within a few percent.
pub(super) const REPETITIONS: usize = 50;

/// One measured thing: calls made one after the other, each of which has to succeed.
pub(super) type Calls<'a> = &'a [Vec<String>];

/// The median time of each contender.
///
/// They take turns, so that whatever slows the machine for a while slows all of them; and all are started
/// the same way, with the same environment and both outputs captured, so that the price of starting a
/// program is in every number alike. The first turn fills caches and does not count.
pub(super) fn medians<const N: usize>(
    contenders: [Calls<'_>; N],
    environment: &[(String, String)],
) -> Result<[Duration; N]> {
    let mut times = [(); N].map(|()| Vec::with_capacity(REPETITIONS));
    for turn in 0..=REPETITIONS {
        for (calls, times) in contenders.iter().zip(&mut times) {
            let mut elapsed = Duration::ZERO;
            for call in *calls {
                elapsed += timed(call, environment)?;
            }
            if turn > 0 {
                times.push(elapsed);
            }
        }
    }
    Ok(times.map(median))
}

/// The middle of at least one.
pub(super) fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}

/// Runs a call without looking at the watch.
pub(super) fn call(call: &[String], environment: &[(String, String)]) -> Result<()> {
    timed(call, environment).map(drop)
}

/// The most memory that a call, or a process it waited for, held at once: KiB.
pub(super) fn peak_memory(call: &[String], environment: &[(String, String)]) -> Result<u64> {
    // A program of its own, because the kernel counts what a process was before it became the call: with us
    // as the parent, our own memory would be the least it ever shows.
    let mut time = vec!["/usr/bin/time".to_owned(), "--format=%M".to_owned()];
    time.extend_from_slice(call);
    let output = prepared(&time, environment)?.output()?;
    let said = String::from_utf8_lossy(&output.stderr);
    let last = said.lines().last().unwrap_or_default();
    last.parse()
        .with_context(|| format!("/usr/bin/time says {said:?}"))
}

/// Runs a call, which has to succeed, and tells how long it took.
pub(super) fn timed(call: &[String], environment: &[(String, String)]) -> Result<Duration> {
    let mut command = prepared(call, environment)?;
    let started = Instant::now();
    let output = command.output();
    let elapsed = started.elapsed();
    let output = output.with_context(|| format!("cannot start {}", call.join(" ")))?;
    let said = String::from_utf8_lossy(&output.stdout);
    let worked = output.status.success() && (said.is_empty() || said.contains("\"Success\""));
    ensure!(worked, "{} answered {said:?}", call.join(" "));
    Ok(elapsed)
}

fn prepared(call: &[String], environment: &[(String, String)]) -> Result<Command> {
    let [program, arguments @ ..] = call else {
        bail!("a call needs a program");
    };
    let mut command = command(program);
    let environment = environment.iter().map(|(name, value)| (name, value));
    command.args(arguments).env_clear().envs(environment);
    Ok(command)
}
