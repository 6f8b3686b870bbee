//! The one place of this crate that starts programs.

use std::ffi::OsStr;
use std::process::{Command, Stdio};

/// A command to add arguments to, without standard input.
#[expect(
    clippy::disallowed_methods,
    reason = "whatever stands on this crate calls from outside"
)]
pub(crate) fn command(program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(program);
    command.stdin(Stdio::null());
    command
}
