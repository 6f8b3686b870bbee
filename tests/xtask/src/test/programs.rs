//! The programs of all tests of the host's workspace, built in one go and run by themselves.
//!
//! cargo settles the features of what packages share for those packages that it is told of at once: built package by
//! package, forty crates would be built again for each. And a step that runs programs waits for no other's cargo.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde_json::Value;

use super::counts::Counts;
use super::steps::{all, cargo, live, rust};
use crate::process::{answer, command};
use crate::steps::say;
use crate::workspace::Workspace;

/// All that is tested.
const BUILD: [&str; 23] = [
    "test",
    "--no-run",
    "--lib",
    "--bin",
    "drivebay",
    "--bin",
    "xtask",
    "--bin",
    "ecs-emulator",
    "--test",
    "*",
    "--package",
    "drivebay",
    "--package",
    "drivebay-ecs-emulator",
    "--package",
    "drivebay-line-above",
    "--package",
    "drivebay-line-below",
    "--package",
    "drivebay-tests",
    "--package",
    "xtask",
];

/// Tests of one target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Program {
    /// The package's directory, in which cargo would start it too.
    pub(super) directory: PathBuf,
    /// The target's name.
    pub(super) name: String,
    pub(super) path: String,
}

/// Builds them all and says which there are.
pub(super) fn build(workspace: &Workspace) -> Result<Vec<Program>> {
    live(cargo(workspace.root()).args(BUILD))?;
    // All is built by now, so that nobody waits for what is not shown.
    let mut list = cargo(workspace.root());
    list.args(BUILD).args(["--message-format", "json"]);
    Ok(listed(&answer(&mut list)?))
}

/// From cargo's messages, one a line.
fn listed(messages: &str) -> Vec<Program> {
    let messages = messages
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let tests = messages.filter(|message| message["profile"]["test"] == true);
    tests
        .filter_map(|message| {
            let text = |value: &Value| value.as_str().map(str::to_owned);
            let manifest = text(&message["manifest_path"])?;
            Some(Program {
                directory: Path::new(&manifest).parent()?.to_owned(),
                name: text(&message["target"]["name"])?,
                path: text(&message["executable"])?,
            })
        })
        .collect()
}

/// Runs those that were chosen, whichever of them fails.
pub(super) fn run(
    programs: &[Program],
    chosen: impl Fn(&Program) -> bool,
    arguments: &[&str],
) -> Result<Counts> {
    let chosen: Vec<&Program> = programs.iter().filter(|program| chosen(program)).collect();
    // None at all would be a pass that says nothing.
    chosen.first().context("there are no such tests")?;
    all(chosen.into_iter().map(|program| {
        let directory = program.directory.display();
        say(format_args!("     Running {} of {directory}", program.name));
        let mut tests = command(&program.path);
        rust(tests.current_dir(&program.directory).args(arguments))
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_that_test_are_told_from_what_else_was_built() {
        let message = |test: bool, executable: &str| {
            format!(
                r#"{{"manifest_path":"/a/tests/Cargo.toml","target":{{"name":"vm"}},"profile":{{"test":{test}}},"executable":{executable}}}"#
            )
        };
        let messages = [
            message(true, r#""/a/target/vm-1""#),
            message(false, r#""/a/target/vm""#),
            message(true, "null"),
            "not a message".to_owned(),
        ];
        let program = Program {
            directory: "/a/tests".into(),
            name: "vm".to_owned(),
            path: "/a/target/vm-1".to_owned(),
        };
        assert_eq!(listed(&messages.join("\n")), [program]);
    }

    #[test]
    fn no_tests_at_all_are_no_pass() {
        assert!(run(&[], |_| true, &[]).is_err());
    }
}
