//! What commands print. Whoever reads it may have enough before the end, as `head` has: that is no failure, and the
//! command does all the same what it was asked to.

use std::fmt;
use std::io::{self, ErrorKind, Write};
use std::sync::OnceLock;

/// Why something did not arrive that somebody still wanted to read, as on a full disk.
static LOST: OnceLock<io::Error> = OnceLock::new();

/// A line; `println!` would panic where nobody reads it.
macro_rules! say {
    ($($text:tt)*) => {
        $crate::commands::output::line(format_args!($($text)*))
    };
}

/// A line for a person beside what is printed, on stderr; where nobody reads it, nothing is lost.
macro_rules! aside {
    ($($text:tt)*) => {
        $crate::commands::output::beside(format_args!($($text)*))
    };
}

pub(super) fn line(text: fmt::Arguments<'_>) {
    note(writeln!(io::stdout(), "{text}"));
}

pub(super) fn beside(text: fmt::Arguments<'_>) {
    let _ = writeln!(io::stderr(), "{text}");
}

/// Lines that have their ends.
pub(super) fn lines(text: &str) {
    note(io::stdout().write_all(text.as_bytes()));
}

/// What of all that was printed by now was lost.
pub(super) fn lost() -> Option<&'static io::Error> {
    note(io::stdout().flush());
    LOST.get()
}

fn note(written: io::Result<()>) {
    if let Err(error) = written
        && error.kind() != ErrorKind::BrokenPipe
    {
        let _ = LOST.set(error);
    }
}
