//! What a task prints: numbered steps with the time each took, and one verdict at the end.
//!
//! Owns this crate's standard output. Steps are announced before they run, so that a hang names itself. Where
//! several run at once, each line that one of them says begins with its name.

use std::cell::Cell;
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
        let begun = self.begin(what);
        let result = work();
        begun.end(if went_well(&result) { "done" } else { "failed" });
        result
    }

    /// Announces a step that others may run beside; it ends by [`Begun::end`].
    pub(crate) fn begin(&mut self, what: impl Display) -> Begun {
        self.current += 1;
        let place = self.place();
        say(format_args!("{place} {what}"));
        Begun {
            place,
            started: Instant::now(),
        }
    }

    /// Counts a step that is not run, and says why.
    pub(crate) fn leave_out(&mut self, what: impl Display, why: impl Display) {
        self.current += 1;
        say(format_args!("{} {what}: {why}", self.place()));
    }

    fn place(&self) -> String {
        format!("[{}/{}]", self.current, self.total)
    }

    /// Since the task began.
    pub(crate) fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }

    /// The one line that ends a task that went well.
    pub(crate) fn verdict(&self, words: impl Display) {
        say(format_args!(
            "{}: {words} ({})",
            self.task,
            elapsed(self.elapsed())
        ));
    }
}

/// A step under way.
pub(crate) struct Begun {
    place: String,
    started: Instant,
}

impl Begun {
    /// Says how it went, in one word or two, and tells how long it took.
    pub(crate) fn end(self, how: impl Display) -> Duration {
        let took = self.started.elapsed();
        say(format_args!("{} {how} in {}", self.place, elapsed(took)));
        took
    }
}

thread_local! {
    static SPEAKER: Cell<Option<&'static str>> = const { Cell::new(None) };
}

/// Whose name this thread's lines begin with.
pub(crate) fn speaker() -> Option<&'static str> {
    SPEAKER.get()
}

/// From here on this thread's lines begin with a step's name, or with none.
pub(crate) fn speak_for(step: Option<&'static str>) {
    SPEAKER.set(step);
}

/// Prints a line of the task's own.
pub(crate) fn say(line: impl Display) {
    pass_on(&format!("{line}\n"));
}

/// Passes a program's output on. A reader that has gone away is no reason to stop a task half-way.
pub(crate) fn pass_on(text: &str) {
    let text = named(speaker(), text);
    let mut stdout = std::io::stdout().lock();
    let _ = stdout
        .write_all(text.as_bytes())
        .and_then(|()| stdout.flush());
}

/// Whole lines of one step, told apart from another's.
fn named(step: Option<&str>, text: &str) -> String {
    let Some(step) = step else {
        return text.to_owned();
    };
    let lines = text.split_inclusive('\n');
    lines.map(|line| format!("{step} | {line}")).collect()
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
    fn lines_of_steps_that_run_at_once_are_told_apart() {
        assert_eq!(named(None, "one\ntwo\n"), "one\ntwo\n");
        assert_eq!(named(Some("vm"), "one\n\n"), "vm | one\nvm | \n");
    }

    #[test]
    fn failed_step_is_named_in_its_error() {
        let failure = Steps::new("test", 2)
            .run("try", || -> Result<()> { anyhow::bail!("no") })
            .unwrap_err();
        assert_eq!(format!("{failure:#}"), "step [1/2] failed: try: no");
    }
}
