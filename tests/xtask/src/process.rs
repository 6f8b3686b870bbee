//! The one place that starts programs.
//!
//! Owns how a program's output is shown and kept: what a failed command said last is part of its error, so
//! that a verdict never sends anyone looking for a log. It decides nothing about what to run.

use std::ffi::OsStr;
use std::io::{BufRead, BufReader, Read};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

use crate::steps;

/// How many last lines of a failed command its error repeats.
const TAIL_LINES: usize = 30;

/// What happens to a command's output while it runs; it is kept in any case.
#[derive(Clone, Copy)]
pub(crate) enum Echo {
    /// Every line appears as it comes.
    Live,
    /// Nothing appears unless the command fails.
    Silent,
}

/// A command to add arguments to, without standard input: CI has none, and nothing here asks questions.
#[expect(
    clippy::disallowed_methods,
    reason = "tasks are programs run in order; this is where they start"
)]
pub(crate) fn command(program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(program);
    command.stdin(Stdio::null());
    command
}

/// Runs a command to its end and returns what it printed on both streams, in order.
///
/// A command that fails or cannot be started is an error that ends with the tail of its output.
pub(crate) fn run(command: &mut Command, echo: Echo) -> Result<String> {
    let (code, output) = finish(command, echo)?;
    if code == Some(0) {
        return Ok(output);
    }
    let ending = code.map_or("was killed by a signal".to_owned(), |code| {
        format!("exited with {code}")
    });
    bail!(
        "{} {ending}; its last words:\n{}",
        spelled(command),
        tail(&output)
    );
}

/// Runs a command to its end, whatever that is: its exit code, if it had one, and its output.
pub(crate) fn finish(command: &mut Command, echo: Echo) -> Result<(Option<i32>, String)> {
    let (reader, writer) = std::io::pipe()?;
    command.stdout(writer.try_clone()?).stderr(writer);
    let mut child = command
        .spawn()
        .with_context(|| format!("cannot start {}", spelled(command)))?;
    // The command still holds the pipe's writing end; without this the reader would never see its end.
    command.stdout(Stdio::null()).stderr(Stdio::null());
    let output = collect(reader, echo)?;
    Ok((child.wait()?.code(), output))
}

/// Standard output alone, for answers that are parsed; standard error is left where it was.
pub(crate) fn answer(command: &mut Command) -> Result<String> {
    Ok(String::from_utf8(bytes(command)?)?)
}

/// The same of what is no text.
pub(crate) fn bytes(command: &mut Command) -> Result<Vec<u8>> {
    command.stderr(Stdio::piped());
    let output = command
        .output()
        .with_context(|| format!("cannot start {}", spelled(command)))?;
    if !output.status.success() {
        bail!(
            "{} failed:\n{}",
            spelled(command),
            tail(&String::from_utf8_lossy(&output.stderr))
        );
    }
    Ok(output.stdout)
}

/// Reads to the end, line by line, showing the lines if asked to.
pub(crate) fn collect(reader: impl Read, echo: Echo) -> Result<String> {
    let mut reader = BufReader::new(reader);
    let (mut line, mut output) = (Vec::new(), String::new());
    while reader.read_until(b'\n', &mut line)? > 0 {
        let text = String::from_utf8_lossy(&line);
        if matches!(echo, Echo::Live) {
            steps::pass_on(&text);
        }
        output.push_str(&text);
        line.clear();
    }
    Ok(output)
}

/// The end of a long output, which is where programs say what went wrong.
pub(crate) fn tail(output: &str) -> String {
    let lines: Vec<&str> = output.lines().collect();
    lines[lines.len().saturating_sub(TAIL_LINES)..].join("\n")
}

fn spelled(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    let words: Vec<_> = words.map(|word| word.to_string_lossy()).collect();
    format!("`{}`", words.join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tail_keeps_the_last_lines() {
        let output: String = (0..100).map(|line| format!("{line}\n")).collect();
        let tail = tail(&output);
        assert!(tail.starts_with("70\n") && tail.ends_with("\n99"));
    }

    #[test]
    fn failure_repeats_both_streams_in_order() {
        let failure = run(
            command("sh").args(["-c", "echo one; echo two >&2; exit 3"]),
            Echo::Silent,
        );
        let message = failure.unwrap_err().to_string();
        assert!(
            message.contains("exited with 3") && message.ends_with("one\ntwo"),
            "{message}"
        );
    }
}
