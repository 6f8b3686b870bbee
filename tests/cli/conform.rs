//! `drivebay conform FILE`: components that keep the contract's promises pass, and one that breaks one is told which.

use std::fs;
use std::process::Output;

use drivebay_tests::{Node, guest, text};
use serde_json::Value;

use crate::trial::stderr;

/// In `faulty`, over which the name of the rule is written that is to be broken.
const MARK: &[u8] = b"broken: nothing";

/// What can change of `faulty`'s volumes.
const CHANGE: [&str; 2] = ["--mutable-parameter", "speed=1"];

/// A component that is checked, and where it lies.
struct Trial {
    node: Node,
}

impl Trial {
    fn new() -> Self {
        Self {
            node: Node::empty(),
        }
    }

    fn conform(&self, component: &str, arguments: &[&str]) -> Output {
        let mut command = self.node.drivebay(&["conform", component]);
        command.args(arguments).output().expect("drivebay runs")
    }

    /// Of a component in `target/dist`.
    fn report(&self, name: &str, arguments: &[&str]) -> Value {
        let component = guest(name);
        let json = [&["--output", "json"][..], arguments].concat();
        let output = self.conform(text(&component), &json);
        serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{}", stderr(&output)))
    }

    /// `faulty`, which breaks that rule.
    fn faulty(&self, rule: &str) -> String {
        let mut component = fs::read(guest("faulty")).expect("it was built");
        let at: Vec<usize> = component
            .windows(MARK.len())
            .enumerate()
            .filter_map(|(at, bytes)| (bytes == MARK).then_some(at))
            .collect();
        let [at] = at[..] else {
            panic!("the mark is there {} times", at.len());
        };
        let name = at + b"broken: ".len();
        component[name..name + 32].copy_from_slice(format!("{rule:32}").as_bytes());
        let path = self.node.path(&format!("faulty-{rule}.wasm"));
        fs::write(&path, component).expect("writable");
        text(&path).to_owned()
    }
}

pub(crate) fn with_outcome(report: &Value, outcome: &str) -> Vec<String> {
    let rules = report["rules"].as_array().expect("a list");
    let rules = rules.iter().filter(|rule| rule["outcome"] == outcome);
    let line = |rule: &Value| format!("{}: {}", rule["rule"], rule["reason"]);
    rules.map(line).collect()
}

#[track_caller]
pub(crate) fn conforms(report: &Value) {
    let broken = with_outcome(report, "broken");
    let untried = with_outcome(report, "untried");
    assert_eq!((broken, untried), (Vec::new(), Vec::new()));
    assert_eq!(report["conforms"], true);
}

#[test]
fn each_rule_is_broken_by_a_component_that_breaks_it_alone() {
    let trial = Trial::new();
    let sound = trial.report("faulty", &CHANGE);
    conforms(&sound);
    let rules = sound["rules"].as_array().expect("a list");
    let mut failures = Vec::new();
    for rule in rules {
        let name = rule["rule"].as_str().expect("a text");
        assert_eq!(rule["outcome"], "kept", "{name} does not apply to `faulty`");
        let arguments = [&CHANGE[..], &["--output", "json"]].concat();
        let output = trial.conform(&trial.faulty(name), &arguments);
        let report: Value = serde_json::from_slice(&output.stdout).expect("one object");
        let broken = with_outcome(&report, "broken");
        let is_it = |line: &String| line.starts_with(&format!("\"{name}\": "));
        if output.status.code() != Some(1) || broken.len() != 1 || !broken.iter().all(is_it) {
            failures.push(format!("{name}: {broken:#?}"));
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

#[test]
fn the_examples_and_the_drivers_here_keep_all_promises() {
    let trial = Trial::new();
    conforms(&trial.report("local", &[]));
    let share = [
        "--parameter",
        "server=filer",
        "--parameter",
        "share=/export",
    ];
    conforms(&trial.report("nfs", &share));
    let there = ["--volume", "v1", "--volume-parameter", "server=files"];
    let share = ["--volume-parameter", "share=data"];
    let secrets = ["username", "password"].map(|name| {
        let file = trial.node.path(name);
        fs::write(&file, "hunter2").expect("writable");
        format!("{name}={}", text(&file))
    });
    let secrets = ["--secret", &secrets[0], "--secret", &secrets[1]];
    conforms(&trial.report("smb", &[&there[..], &share, &secrets].concat()));
}

#[test]
fn people_read_what_happened_and_why_it_matters() {
    let trial = Trial::new();
    let component = trial.faulty("delete-repeats");
    let output = trial.conform(
        &component,
        &["--rule", "delete-repeats", "--rule", "volume-mounts"],
    );
    assert_eq!(output.status.code(), Some(1));
    let told = String::from_utf8(output.stdout).expect("UTF-8");
    for words in [
        "broken        delete-repeats: delete-volume of a volume that is gone succeeds\n",
        "delete-volume for the second time failed with not-found: no volume ",
        "why: external-provisioner repeats the call until it succeeds",
        "kept          volume-mounts: ",
        ": 1 rules kept, 1 broken, 0 untried, 0 do not apply\n",
    ] {
        assert!(told.contains(words), "{words:?} is not in\n{told}");
    }
}

#[test]
fn programs_for_tests_read_junits_document() {
    let trial = Trial::new();
    let component = trial.faulty("delete-repeats");
    let output = trial.conform(
        &component,
        &["--output", "junit", "--rule", "delete-repeats"],
    );
    let told = String::from_utf8(output.stdout).expect("UTF-8");
    assert!(
        told.contains("tests=\"1\" failures=\"1\" errors=\"0\" skipped=\"0\""),
        "{told}"
    );
    assert!(
        told.contains("<testcase classname=\"conform\" name=\"delete-repeats\">"),
        "{told}"
    );
}

#[test]
fn what_cannot_be_tried_is_no_success() {
    let trial = Trial::new();
    let report = trial.report("cloud-disk", &["--rule", "create-repeats"]);
    let untried = with_outcome(&report, "untried").concat();
    assert!(
        untried.contains("no line of --http FILE answers a request"),
        "{untried}"
    );
    assert_eq!(report["conforms"], false);
    let output = trial.conform(text(&guest("cloud-disk")), &["--rule", "create-repeats"]);
    assert_eq!(output.status.code(), Some(1));
    let report = trial.report("faulty", &["--rule", "modify-repeats"]);
    let untried = with_outcome(&report, "untried").concat();
    assert!(
        untried.contains("--mutable-parameter KEY=VALUE"),
        "{untried}"
    );
}

#[test]
fn a_rule_that_there_is_not_is_refused_with_those_that_there_are() {
    let trial = Trial::new();
    let output = trial.conform(text(&guest("local")), &["--rule", "no-such"]);
    assert_eq!(output.status.code(), Some(1));
    let said = stderr(&output);
    assert!(
        said.contains("there is no rule \"no-such\"; there are volume-is-made, "),
        "{said}"
    );
}
