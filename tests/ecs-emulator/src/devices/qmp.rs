//! QEMU's monitor: one command at a time, events in between.
//!
//! QEMU greets whoever is connected first, and takes `qmp_capabilities` once; a port inside a virtual machine
//! may have been opened before. So the greeting is not waited for, and being told twice is no failure.

use std::io::{BufRead, BufReader, Read, Write};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

/// A virtual machine without hardware acceleration may take long to let go of a disk.
const PATIENCE: Duration = Duration::from_secs(60);

/// A monitor that takes commands.
pub(super) struct Monitor {
    commands: Box<dyn Write + Send>,
    messages: Receiver<Value>,
    /// Events that came while an answer was waited for.
    events: Vec<Value>,
    last_id: u64,
}

impl std::fmt::Debug for Monitor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Monitor")
            .field("last_id", &self.last_id)
            .finish_non_exhaustive()
    }
}

impl Monitor {
    /// Begins to talk over these streams, which are read by a thread of their own from now on.
    pub(super) fn open(
        answers: impl Read + Send + 'static,
        commands: impl Write + Send + 'static,
    ) -> Result<Self> {
        let (sender, messages) = mpsc::channel();
        thread::spawn(move || {
            for line in BufReader::new(answers).lines().map_while(Result::ok) {
                let Ok(message) = serde_json::from_str(&line) else {
                    continue;
                };
                if sender.send(message).is_err() {
                    return;
                }
            }
        });
        let mut monitor = Self {
            commands: Box::new(commands),
            messages,
            events: Vec::new(),
            last_id: 0,
        };
        let answer = monitor.ask("qmp_capabilities", &json!({}))?;
        match answer["error"]["class"].as_str() {
            None | Some("CommandNotFound") => Ok(monitor),
            Some(_) => bail!("QEMU does not take commands: {answer}"),
        }
    }

    /// Runs a command that has to succeed.
    pub(super) fn run(&mut self, command: &str, arguments: &Value) -> Result<Value> {
        let answer = self.ask(command, arguments)?;
        match answer.get("return") {
            Some(value) => Ok(value.clone()),
            None => bail!(
                "QEMU refused {command} {arguments}: {}",
                answer["error"]["desc"]
            ),
        }
    }

    fn ask(&mut self, command: &str, arguments: &Value) -> Result<Value> {
        self.last_id += 1;
        let id = self.last_id;
        let message = json!({ "execute": command, "arguments": arguments, "id": id });
        self.commands.write_all(format!("{message}\n").as_bytes())?;
        self.commands.flush()?;
        let until = Instant::now() + PATIENCE;
        loop {
            let message = self
                .next(until)
                .with_context(|| format!("no answer to {command}"))?;
            if message["id"] == id {
                return Ok(message);
            }
            if message.get("event").is_some() {
                self.events.push(message);
            }
        }
    }

    /// Waits until a device that was told to go has gone.
    pub(super) fn wait_for_deletion(&mut self, device: &str) -> Result<()> {
        let until = Instant::now() + PATIENCE;
        let gone =
            |event: &Value| event["event"] == "DEVICE_DELETED" && event["data"]["device"] == device;
        loop {
            let before = self.events.len();
            self.events.retain(|event| !gone(event));
            if self.events.len() < before {
                return Ok(());
            }
            let message = self.next(until);
            self.events
                .push(message.with_context(|| format!("{device} does not go"))?);
        }
    }

    fn next(&mut self, until: Instant) -> Result<Value> {
        let left = until.saturating_duration_since(Instant::now());
        self.messages.recv_timeout(left).context("QEMU is silent")
    }
}
