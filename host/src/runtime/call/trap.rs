//! A guest that trapped: which one, where, on what, and what it said last.
//!
//! The answer has one sentence of it. The log has one line more, with a short trace and the end of what was written to
//! standard error; every part of it is bounded, because all of it is the guest's to choose.

use super::trace::{LineSource, trace};
use crate::broker::CallReport;
use crate::error::{DriverError, GuestText};
use crate::runtime::guest::Guest;
use crate::runtime::limiter::LimitError;
use crate::runtime::state::State;

/// What the library says of a guest that returned without giving back what it was lent.
const NOT_GIVEN_BACK: &str = "borrow handles still remain at the end of the call";

impl Guest {
    /// What is said of it, and logged with its trace.
    pub(super) fn trap_error(
        &self,
        export: &str,
        error: &wasmtime::Error,
        state: &State,
        report: CallReport,
    ) -> DriverError {
        let description = &self.manifest.description;
        let who = match description.name.as_str() {
            // It is being asked.
            "" => format!("the component failed in {export}"),
            name => format!("guest {name} {} failed in {export}", description.version),
        };
        let cause = GuestText::sentence(&error.root_cause().to_string());
        let written = state.stderr.text();
        let trace = trace(error, &self.lines);
        tracing::error!(
            guest.export = export,
            error = cause.as_str(),
            trace,
            stderr = end_of(&written).as_str(),
            "guest failed"
        );
        match error.downcast_ref::<LimitError>() {
            Some(LimitError::AllGuests(limit)) => DriverError::overloaded(who).caused_by(*limit),
            Some(limit @ LimitError::Cpu(_)) => {
                DriverError::internal(who).caused_by(*limit).from_guest()
            }
            // The guest was only not given the time to pass it on.
            Some(limit @ (LimitError::Deadline(_) | LimitError::Sleep(_))) => {
                match report.unanswered {
                    Some(fault) => DriverError::from(fault),
                    None => DriverError::unavailable(who).caused_by(*limit).from_guest(),
                }
            }
            None if state.limiter.refused() => {
                let bound = self.limits.memory_bytes >> 10;
                DriverError::internal(format!(
                    "{who}: it wanted more than {bound} KiB of memory (limits.memory)"
                ))
                .from_guest()
            }
            None if &*cause == NOT_GIVEN_BACK => {
                DriverError::internal(not_given_back(&who, export)).from_guest()
            }
            None => {
                let last = last_words(&written).or(report.last_error);
                let last = last.map_or_else(String::new, |last| format!("; it said last: {last}"));
                let place = match &self.lines {
                    LineSource::Untold => String::new(),
                    // Whoever runs a component by hand has no log to look into.
                    #[cfg(feature = "compiler")]
                    LineSource::Component(_) => {
                        format!("; trace: {}", GuestText::sentence(&trace))
                    }
                };
                DriverError::internal(format!("{who}: {cause}{last}{place}")).from_guest()
            }
        }
    }
}

/// The contract lends a guest nothing but the target of `stage-volume`.
fn not_given_back(who: &str, export: &str) -> String {
    let lent = match export {
        "stage-volume" => "the borrowed target that stage-volume is called with",
        _ => "a borrowed handle",
    };
    format!(
        "{who}: it returned while it still held {lent}; its code has to drop the handle before it returns, on every path \
         (in C its …_target_drop_borrow, in Go its Drop; Rust, Python and JavaScript do it themselves)"
    )
}

/// What JavaScript's engine says when it gives up after it has said why.
const NO_REASON: &str = "Redirecting call to abort() to mozalloc_abort";

/// The end of what was written, in one line: runtimes say last why they gave up.
fn end_of(written: &str) -> GuestText {
    const LONGEST: usize = 900;
    let written = written.trim();
    let from = written.ceil_char_boundary(written.len().saturating_sub(LONGEST));
    GuestText::sentence(&written[from..])
}

/// The line that says why, as languages' runtimes write it: Rust's is beneath the place of the panic, Go's is followed
/// by a trace, Python's and JavaScript's come last.
fn last_words(written: &str) -> Option<GuestText> {
    let lines: Vec<&str> = written
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty() && *line != NO_REASON)
        .collect();
    let said = |line: &&&str| line.starts_with("panic: ") || line.starts_with("fatal error: ");
    if let Some(panic) = lines.iter().find(said) {
        return Some(GuestText::sentence(panic));
    }
    let place = lines.iter().rposition(|line| line.contains("panicked at "));
    let words = match place {
        Some(at) => lines[at..]
            .iter()
            .take(2)
            .copied()
            .collect::<Vec<_>>()
            .join(" "),
        None => (*lines.last()?).to_owned(),
    };
    Some(GuestText::sentence(&words))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_that_says_why_is_found_among_what_runtimes_write() {
        for (written, expected) in [
            (
                "\nthread '<unnamed>' (1) panicked at src/lib.rs:7:5:\nno such share\nnote: run with `RUST_BACKTRACE=1` environment variable to display a backtrace\n",
                "thread '<unnamed>' (1) panicked at src/lib.rs:7:5: no such share",
            ),
            (
                "Traceback (most recent call last):\n  File \"app.py\", line 3, in stage\nValueError: no such share\n",
                "ValueError: no such share",
            ),
            (
                "starting\npanic: no such share\n\ngoroutine 1 [running]:\nmain.stage()\n\t/x/main.go:5 +0x2\n",
                "panic: no such share",
            ),
            (
                "TypeError: invalid variant\nRedirecting call to abort() to mozalloc_abort\n\n",
                "TypeError: invalid variant",
            ),
            ("one\ntwo", "two"),
        ] {
            assert_eq!(last_words(written).expect("said"), *expected);
        }
        assert_eq!(last_words(" \n\n"), None);
    }

    #[test]
    fn the_end_of_much_is_bounded_and_one_line() {
        let end = end_of(&"ä\n".repeat(5000));
        assert!(end.len() <= 1024 && !end.contains('\n'), "{end}");
        assert_eq!(end_of(" a\nb \n").as_str(), r"a\nb");
    }
}
