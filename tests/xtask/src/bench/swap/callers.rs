//! Callers that go on while versions come, and what they saw.

use std::io::{Read, Write};
use std::process::{Child, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::bench::csi::Caller;

/// They call until [`Calling::end`], and are killed where that never comes.
pub(super) struct Calling(Child);

/// What they saw of one part.
pub(super) struct Seen {
    pub(super) calls: u64,
    pub(super) failed: u64,
    /// The first failure, for people.
    pub(super) why: Option<String>,
    /// What 99 of 100 calls took at most.
    pub(super) p99: Duration,
}

/// Of all parts, by their names.
pub(super) struct Told(Value);

impl Calling {
    /// That many, each with a pause after each call; the calls are made by turns.
    pub(super) fn start(
        caller: &Caller,
        callers: usize,
        pause: Duration,
        calls: &[Value],
    ) -> Result<Self> {
        let mut attend = caller.attend(callers, pause, calls);
        attend.stdin(Stdio::piped()).stdout(Stdio::piped());
        Ok(Self(attend.spawn().context("cannot start the callers")?))
    }

    /// What goes on from now on, by that name.
    pub(super) fn part(&self, name: &str) -> Result<()> {
        let mut lines = self.0.stdin.as_ref().context("nobody listens")?;
        writeln!(lines, "{name}").context("the callers have ended")
    }

    /// What all of them saw.
    pub(super) fn end(mut self) -> Result<Told> {
        drop(self.0.stdin.take());
        let mut text = String::new();
        let answers = self.0.stdout.as_mut().context("nothing is told")?;
        answers.read_to_string(&mut text)?;
        ensure!(self.0.wait()?.success(), "the callers failed");
        Ok(Told(serde_json::from_str(&text)?))
    }
}

impl Drop for Calling {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Told {
    /// Of the part of that name, in which somebody called.
    pub(super) fn part(&self, name: &str) -> Result<Seen> {
        let part = &self.0[name];
        let number = |key: &str| {
            part[key]
                .as_u64()
                .with_context(|| format!("no {key} of {name}"))
        };
        Ok(Seen {
            calls: number("calls")?,
            failed: number("failed")?,
            why: part["why"].as_str().map(str::to_owned),
            p99: Duration::from_nanos(number("p99")?),
        })
    }
}
