//! kubelet's plugin manager with its handler of CSI drivers; tests/kubelet/plugin-manager builds the program.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Stdio};
use std::sync::{Mutex, PoisonError};

use serde_json::Value;

use crate::{Node, eventually, repository, text};

/// One kubelet that watches a directory. Another one on the same directory is this one started again. Ended when
/// dropped.
#[derive(Debug)]
pub struct PluginManager(Mutex<Running>);

#[derive(Debug)]
struct Running {
    process: Child,
    commands: ChildStdin,
    answers: BufReader<ChildStdout>,
}

/// What its handler was asked for, in order, and what came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    /// `register` or `deregister`.
    pub what: String,
    /// The driver's socket.
    pub endpoint: String,
    /// Why it failed; empty where it did not.
    pub error: String,
}

impl PluginManager {
    /// Watches that directory.
    #[track_caller]
    pub fn start(node: &Node, directory: &Path) -> Self {
        let program = repository().join("target/dist/tests/plugin-manager");
        assert!(
            program.exists(),
            "{} is missing; `cargo xtask test --only build-tests` builds it",
            program.display()
        );
        fs::create_dir_all(directory).expect("writable");
        let mut command = node.command(&program);
        command.args(["-directory", text(directory)]);
        command.stdin(Stdio::piped()).stderr(Stdio::inherit());
        let mut process = command.spawn().expect("the program runs");
        Self(Mutex::new(Running {
            commands: process.stdin.take().expect("piped"),
            answers: BufReader::new(process.stdout.take().expect("piped")),
            process,
        }))
    }

    /// Lets registrations fail from now on.
    #[track_caller]
    pub fn refuse(&self, why: &str) {
        assert_eq!(self.command(&format!("refuse {why}")), "ok");
    }

    /// Lets them be.
    #[track_caller]
    pub fn accept(&self) {
        assert_eq!(self.command("accept"), "ok");
    }

    /// What its handler was asked for until now.
    #[track_caller]
    pub fn asked(&self) -> Vec<Asked> {
        let state = self.command("state");
        let events = state["events"].as_array().expect("a list");
        let word = |event: &Value, key: &str| event[key].as_str().expect("text").to_owned();
        events
            .iter()
            .map(|event| Asked {
                what: word(event, "what"),
                endpoint: word(event, "endpoint"),
                error: word(event, "error"),
            })
            .collect()
    }

    /// How many times it has registered a driver.
    #[track_caller]
    pub fn registrations(&self) -> usize {
        let asked = self.asked();
        let went_well = |one: &&Asked| one.what == "register" && one.error.is_empty();
        asked.iter().filter(went_well).count()
    }

    /// The node's name as the driver told it, where the CSINode object has the driver.
    #[track_caller]
    pub fn node_of(&self, csi_name: &str) -> Option<String> {
        Some(self.driver(csi_name)?["node"].as_str()?.to_owned())
    }

    /// How many volumes the CSINode object says that the node takes, where it says so.
    #[track_caller]
    pub fn limit_of(&self, csi_name: &str) -> Option<u64> {
        self.driver(csi_name)?["limit"].as_u64()
    }

    /// Waits until the driver is known, after so many registrations.
    #[track_caller]
    pub fn knows(&self, csi_name: &str, registrations: usize) {
        eventually("kubelet to register the driver", || {
            self.registrations() >= registrations && self.driver(csi_name).is_some()
        });
    }

    /// What it logged as errors.
    #[track_caller]
    pub fn errors(&self) -> Vec<String> {
        let state = self.command("state");
        let lines = state["errors"].as_array().expect("a list").iter();
        lines
            .map(|line| line.as_str().expect("text").to_owned())
            .collect()
    }

    #[track_caller]
    fn driver(&self, csi_name: &str) -> Option<Value> {
        let state = self.command("state");
        let drivers = state["drivers"].as_array().expect("a list");
        drivers.iter().find(|one| one["name"] == csi_name).cloned()
    }

    #[track_caller]
    fn command(&self, command: &str) -> Value {
        let mut running = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        writeln!(running.commands, "{command}").expect("it reads");
        let mut answer = String::new();
        running.answers.read_line(&mut answer).expect("it answers");
        serde_json::from_str(&answer).expect("JSON")
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
