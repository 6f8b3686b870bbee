//! The ECS emulator as a program: built once, started beside whatever needs a cloud.

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::build;
use crate::workspace::Workspace;

/// The program's name.
const PROGRAM: &str = "ecs-emulator";

/// Builds it, optimised as what is measured against it, into target/dist/tests.
pub(crate) fn build(workspace: &Workspace) -> Result<()> {
    build::put(&build::emulator(workspace)?, &program(workspace))
}

/// Where it is.
pub(crate) fn program(workspace: &Workspace) -> PathBuf {
    workspace.target().join("dist/tests").join(PROGRAM)
}

/// A running emulator; it ends, and takes its devices away, when dropped.
pub(crate) struct Running {
    process: Child,
    endpoints: Value,
}

impl Running {
    /// Starts a command whose last words are the emulator's own; waits until it is ready.
    pub(crate) fn start(command: &mut Command) -> Result<Self> {
        command
            .arg("--until-stdin-closes")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped());
        let process = command.spawn().context("cannot run the emulator")?;
        let mut emulator = Self {
            process,
            endpoints: Value::Null,
        };
        let output = emulator.process.stdout.take();
        let output = output.context("the emulator has no output")?;
        let mut line = String::new();
        BufReader::new(output).read_line(&mut line)?;
        emulator.endpoints = serde_json::from_str(&line)
            .context("the emulator did not start; what it said is above")?;
        Ok(emulator)
    }

    /// The process that was started.
    pub(crate) fn id(&self) -> u32 {
        self.process.id()
    }

    /// All it said of itself when it was ready.
    pub(crate) fn endpoints(&self) -> &Value {
        &self.endpoints
    }

    /// `ecs`, `metadata`, `access_key_id`, …
    pub(crate) fn endpoint(&self, name: &str) -> Result<&str> {
        self.endpoints[name]
            .as_str()
            .with_context(|| format!("the emulator names no {name}"))
    }

    /// Ends it and sees that it ended well.
    pub(crate) fn stop(mut self) -> Result<()> {
        drop(self.process.stdin.take());
        let ending = self.process.wait()?;
        ensure!(ending.success(), "the emulator ended badly: {ending}");
        Ok(())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.process.stdin.take());
        let _ = self.process.wait();
    }
}
