//! A component that is tried in a dry run, and what is kept of that between its operations.

use std::path::PathBuf;
use std::process::Output;

use drivebay_tests::{Node, guest, text};
use serde_json::Value;

pub(crate) struct Trial {
    pub(crate) node: Node,
    pub(crate) component: PathBuf,
}

impl Trial {
    pub(crate) fn of(name: &str) -> Self {
        Self {
            node: Node::empty(),
            component: guest(name),
        }
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Output {
        let state = self.node.path("kept");
        let head = ["run", "--component", text(&self.component), "--dry-run"];
        let mut command = self.node.drivebay(&head);
        command.args(["--state", text(&state)]).args(arguments);
        command.output().expect("drivebay runs")
    }

    /// The answer, and the lines that were shown.
    #[track_caller]
    pub(crate) fn answers(&self, arguments: &[&str]) -> (Value, String) {
        let output = self.run(arguments);
        let shown = stderr(&output);
        assert!(output.status.success(), "{shown}");
        (
            serde_json::from_slice(&output.stdout).expect("one object"),
            shown,
        )
    }

    /// What was shown of it.
    #[track_caller]
    pub(crate) fn refuses(&self, arguments: &[&str], words: &str) -> String {
        let output = self.run(arguments);
        let shown = stderr(&output);
        assert_eq!(output.status.code(), Some(1), "{shown}");
        assert!(shown.contains(words), "{shown}");
        shown
    }
}

pub(crate) fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}
