//! `drivebay conform FILE --live`: real servers are asked, here a cloud of the test's own, and nothing stays there.

use std::fs;
use std::path::PathBuf;
use std::process::Output;

use drivebay_tests::{Cloud, INSTANCE, Node, guest, text};
use serde_json::{Value, json};

use crate::conform::{conforms, with_outcome};
use crate::trial::stderr;

/// `alicloud-disk`, and a cloud that it may speak to.
struct Trial {
    node: Node,
    cloud: Cloud,
    grants: PathBuf,
}

impl Trial {
    fn new() -> Self {
        Self::with("")
    }

    /// With more in the driver's file.
    fn with(more: &str) -> Self {
        let (node, cloud) = (Node::empty(), Cloud::start_with(&[]));
        let grants = node.path("alicloud-disk.toml");
        let text = cloud.grants(&cloud.key_in_files());
        fs::write(&grants, format!("{text}\n{more}")).expect("writable");
        Self {
            node,
            cloud,
            grants,
        }
    }

    fn conform(&self, arguments: &[&str]) -> Output {
        let component = guest("alicloud-disk");
        let head = ["conform", text(&component), "--live", "--output", "json"];
        // The zone has no others that ECS cuts groups of.
        let kind = ["--parameter", "type=cloud_essd"];
        let subject = ["--size", "20Gi", "--node", INSTANCE, kind[0], kind[1]];
        let mut command = self.node.drivebay(&head);
        command.args(subject).args(arguments);
        command.output().expect("drivebay runs")
    }

    fn granted(&self, rules: &[&str]) -> Output {
        let mut arguments = vec!["--grants", text(&self.grants)];
        for rule in rules {
            arguments.extend(["--rule", rule]);
        }
        self.conform(&arguments)
    }

    #[track_caller]
    fn is_empty(&self) {
        let (disks, snapshots) = (self.cloud.disks(), self.cloud.snapshots());
        assert_eq!((disks, snapshots), (Vec::new(), Vec::new()));
    }
}

#[track_caller]
fn report(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{}", stderr(output)))
}

#[test]
fn a_driver_of_a_cloud_keeps_all_promises_and_leaves_nothing_there() {
    let trial = Trial::new();
    let change = ["--mutable-parameter", "diskTags/conform=1"];
    let grants = ["--grants", text(&trial.grants)];
    let output = trial.conform(&[grants, change].concat());
    let report = report(&output);
    conforms(&report);
    let inapplicable = with_outcome(&report, "inapplicable");
    assert_eq!(inapplicable.len(), 1, "{inapplicable:?}");
    assert!(inapplicable[0].starts_with("\"copies-say-of-what\": "));
    assert!(output.status.success());
    assert!(trial.cloud.requests("AttachDisk") > 0);
    assert!(trial.cloud.requests("CreateSnapshot") > 0);
    assert!(trial.cloud.requests("CreateSnapshotGroup") > 0);
    assert!(trial.cloud.requests("TagResources") > 0);
    trial.is_empty();
}

#[test]
fn what_a_cloud_does_wrong_breaks_the_rule_that_it_is_about_and_leaves_nothing() {
    let trial = Trial::new();
    trial.cloud.fault(&json!({
        "action": "DeleteDisk", "kind": "error-before", "status": 403, "code": "Forbidden.RAM", "skip": 1,
    }));
    let output = trial.granted(&["delete-repeats", "delete-deletes"]);
    let report = report(&output);
    let broken = with_outcome(&report, "broken").concat();
    let said = "\"delete-repeats\": \"delete-volume for the second time failed with denied: ";
    assert!(broken.starts_with(said), "{broken}");
    let kept = with_outcome(&report, "kept").concat();
    assert!(kept.starts_with("\"delete-deletes\": "), "{kept}");
    assert_eq!(output.status.code(), Some(1));
    trial.is_empty();
}

#[test]
fn a_disk_of_which_the_cloud_never_told_is_found_and_deleted() {
    let trial = Trial::with("[limits]\ndeadline = \"4s\"\n");
    trial
        .cloud
        .fault(&json!({ "action": "CreateDisk", "kind": "lost-reply", "times": 99 }));
    trial.cloud.fault(&json!({
        "action": "DescribeDisks", "kind": "error-before", "skip": 1, "times": 3,
    }));
    let output = trial.granted(&["volume-is-made"]);
    let report = report(&output);
    assert!(trial.cloud.requests("CreateDisk") > 0);
    assert_eq!(report["left-behind"], json!([]));
    trial.is_empty();
}

#[test]
fn what_cannot_be_deleted_is_told() {
    let trial = Trial::new();
    trial.cloud.fault(&json!({
        "action": "DeleteDisk", "kind": "error-before", "status": 403, "code": "Forbidden.RAM", "times": 99,
    }));
    let output = trial.granted(&["volume-is-made"]);
    let report = report(&output);
    let disks = trial.cloud.disks();
    let [disk] = &disks[..] else {
        panic!("{disks:?}");
    };
    let left = report["left-behind"][0].as_str().expect("a text");
    let begins = format!("volume {}: denied: ", disk["id"]);
    assert!(left.starts_with(&begins), "{left}");
    assert_eq!(with_outcome(&report, "kept").len(), 1);
    assert_eq!(report["conforms"], false);
    assert_eq!(output.status.code(), Some(1));
}

#[test]
fn each_run_has_names_of_its_own() {
    let trial = Trial::new();
    let names = || {
        let said = stderr(&trial.granted(&["volume-is-made"]));
        let named = said.split_once("names that begin with ").expect("told").1;
        named.trim().to_owned()
    };
    let (first, second) = (names(), names());
    assert!(first.starts_with("conform-"), "{first}");
    assert_ne!(first, second);
    let requests = trial.cloud.last_requests();
    let asked = Value::from(requests).to_string();
    for name in [first, second] {
        assert!(asked.contains(&format!("{name}made")), "{name}: {asked}");
    }
}

#[test]
fn nobody_is_asked_whom_no_file_of_grants_names() {
    let trial = Trial::new();
    let output = trial.conform(&[]);
    assert_eq!(output.status.code(), Some(1));
    let said = stderr(&output);
    let words = "--live asks real servers, and needs --grants FILE, which says which";
    assert!(said.contains(words), "{said}");
    let output = trial.conform(&["--grants", text(&trial.grants), "--host", "a=127.0.0.1"]);
    assert_eq!(output.status.code(), Some(1));
    let said = stderr(&output);
    let words = "--host and --http say what servers answer, and with --live they answer themselves";
    assert!(said.contains(words), "{said}");
    assert_eq!(trial.cloud.requests("CreateDisk"), 0);
}
