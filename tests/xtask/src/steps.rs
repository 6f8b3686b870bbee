//! What a task prints: numbered steps with the time each took, and one verdict at the end.
//!
//! Owns this crate's standard output. Steps are announced before they run, so that a hang names itself.

use std::fmt::Display;
use std::io::Write;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

/// A task under way.
pub(crate) struct Steps {
    task: &'static str,
    total: usize,
    current: usize,
    started: Instant,
}

impl Steps {
    /// A task of `total` steps; more may come with [`Steps::another`].
    pub(crate) fn new(task: &'static str, total: usize) -> Self {
        Self {
            task,
            total,
            current: 0,
            started: Instant::now(),
        }
    }

    /// Runs a step that was found to be needed only now.
    pub(crate) fn another<T>(
        &mut self,
        what: impl Display,
        work: impl FnOnce() -> Result<T>,
    ) -> Result<T> {
        self.total += 1;
        self.run(what, work)
    }

    /// Runs one step between its announcement and its time; its error is named after it.
    pub(crate) fn run<T>(
        &mut self,
        what: impl Display,
        work: impl FnOnce() -> Result<T>,
    ) -> Result<T> {
        let result = self.weigh(&what, work, Result::is_ok);
        result.with_context(|| format!("step {} failed: {what}", self.place()))
    }

    /// As [`Steps::run`], for work that tells by more than an error whether it went well.
    pub(crate) fn weigh<T>(
        &mut self,
        what: impl Display,
        work: impl FnOnce() -> T,
        went_well: fn(&T) -> bool,
    ) -> T {
        self.current += 1;
        let place = self.place();
        say(format_args!("{place} {what}"));
        let started = Instant::now();
        let result = work();
        let word = if went_well(&result) { "done" } else { "failed" };
        say(format_args!(
            "{place} {word} in {}",
            elapsed(started.elapsed())
        ));
        result
    }

    /// Counts a step that is not run, and says why.
    pub(crate) fn leave_out(&mut self, what: impl Display, why: impl Display) {
        self.current += 1;
        say(format_args!("{} {what}: {why}", self.place()));
    }

    fn place(&self) -> String {
        format!("[{}/{}]", self.current, self.total)
    }

    /// The one line that ends a task that went well.
    pub(crate) fn verdict(&self, words: impl Display) {
        say(format_args!(
            "{}: {words} ({})",
            self.task,
            elapsed(self.started.elapsed())
        ));
    }
}

/// Prints a line of the task's own.
pub(crate) fn say(line: impl Display) {
    pass_on(&format!("{line}\n"));
}

/// Passes a program's output on. A reader that has gone away is no reason to stop a task half-way.
pub(crate) fn pass_on(text: &str) {
    let mut stdout = std::io::stdout().lock();
    let _ = stdout
        .write_all(text.as_bytes())
        .and_then(|()| stdout.flush());
}

/// A duration as people say it: `4.2 s`, `3 min 07 s`.
pub(crate) fn elapsed(duration: Duration) -> String {
    match duration.as_secs() {
        0..60 => format!("{:.1} s", duration.as_secs_f64()),
        seconds => format!("{} min {:02} s", seconds / 60, seconds % 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_read_as_people_say_them() {
        assert_eq!(elapsed(Duration::from_millis(4210)), "4.2 s");
        assert_eq!(elapsed(Duration::from_secs(187)), "3 min 07 s");
    }

    #[test]
    fn failed_step_is_named_in_its_error() {
        let failure = Steps::new("test", 2)
            .run("try", || -> Result<()> { anyhow::bail!("no") })
            .unwrap_err();
        assert_eq!(format!("{failure:#}"), "step [1/2] failed: try: no");
    }
}
