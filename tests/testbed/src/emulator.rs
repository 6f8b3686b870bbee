//! The ECS emulator as a process.

use std::fmt;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde_json::Value;

/// How long it may take to give its devices back; one that takes longer is killed.
const PATIENCE: Duration = Duration::from_secs(60);

/// A running emulator; it ends, and takes its devices away, when dropped.
#[derive(Debug)]
pub struct Emulator {
    process: Child,
    endpoints: Endpoints,
}

/// All that an emulator said of itself when it was ready: where it is, and which keys it takes.
#[derive(Clone, Debug, Default)]
pub struct Endpoints(Value);

impl Endpoints {
    /// `ecs`, `metadata`, `access_key_id`, …
    pub fn get(&self, name: &str) -> Result<&str> {
        self.0[name]
            .as_str()
            .with_context(|| format!("the emulator names no {name}"))
    }
}

impl fmt::Display for Endpoints {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Emulator {
    /// Starts a command whose last words are the emulator's own; waits until it is ready.
    ///
    /// It ends when its standard input closes, also if whoever started it is killed.
    pub fn start(command: &mut Command) -> Result<Self> {
        command
            .arg("--until-stdin-closes")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped());
        let process = command.spawn().context("cannot run the emulator")?;
        let mut emulator = Self {
            process,
            endpoints: Endpoints::default(),
        };
        let output = emulator.process.stdout.take();
        let output = output.context("the emulator has no output")?;
        let mut line = String::new();
        BufReader::new(output).read_line(&mut line)?;
        let said = serde_json::from_str(&line);
        emulator.endpoints =
            Endpoints(said.context("the emulator did not start; what it said is above")?);
        Ok(emulator)
    }

    /// The process that was started.
    pub fn id(&self) -> u32 {
        self.process.id()
    }

    /// Where it is.
    pub fn endpoints(&self) -> &Endpoints {
        &self.endpoints
    }

    /// Ends it and sees that it ended well.
    pub fn stop(mut self) -> Result<()> {
        drop(self.process.stdin.take());
        let ending = self.process.wait()?;
        ensure!(ending.success(), "the emulator ended badly: {ending}");
        Ok(())
    }
}

impl Drop for Emulator {
    fn drop(&mut self) {
        drop(self.process.stdin.take());
        let until = Instant::now() + PATIENCE;
        while matches!(self.process.try_wait(), Ok(None)) {
            if Instant::now() > until {
                let _ = self.process.kill();
            }
            thread::sleep(Duration::from_millis(5));
        }
    }
}
