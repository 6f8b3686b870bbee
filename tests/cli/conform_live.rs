//! `drivebay conform FILE --live`: real servers are asked, here a cloud of the test's own, and nothing stays there.

use std::fs;
use std::path::PathBuf;
use std::process::Output;
use std::thread;

use drivebay_tests::{
    ApplianceServer, Cloud, INSTANCE, KEY, Node, PASSWORD, TOKEN, USERNAME, WORDS, WebServer,
    guest, text,
};
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
    let output = trial.granted(&["volume-is-made", "create-repeats"]);
    let report = report(&output);
    let disks = trial.cloud.disks();
    let [disk] = &disks[..] else {
        panic!("{disks:?}");
    };
    let left = report["left-behind"][0].as_str().expect("a text");
    let begins = format!("volume {}: denied: ", disk["id"]);
    assert!(left.starts_with(&begins), "{left}");
    assert_eq!(with_outcome(&report, "kept").len(), 1);
    // Who cannot delete had better make no more.
    let untried = with_outcome(&report, "untried").concat();
    let said = "\"create-repeats\": \"what an earlier rule made was left behind";
    assert!(untried.starts_with(said), "{untried}");
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

/// `appliance`, and what it may speak to.
struct ApplianceTrial {
    node: Node,
    arguments: Vec<String>,
}

impl ApplianceTrial {
    /// By that driver's file.
    fn granting(grants: &str) -> Self {
        let node = Node::empty();
        fs::create_dir_all(node.path("exports/exported")).expect("writable");
        let file = node.path("appliance.toml");
        fs::write(&file, grants).expect("writable");
        let exports = format!("pool={}", text(&node.path("exports")));
        let mut arguments = vec!["--grants".to_owned(), text(&file).to_owned()];
        arguments.extend(["--directory".to_owned(), exports]);
        for (name, word) in [
            ("username", USERNAME),
            ("password", PASSWORD),
            ("token", TOKEN),
            ("key", KEY),
        ] {
            let file = node.path(name);
            fs::write(&file, word).expect("writable");
            arguments.extend(["--secret".to_owned(), format!("{name}={}", text(&file))]);
        }
        Self { node, arguments }
    }

    /// At a server of which only the port is its own.
    fn at(server: &WebServer, more: &str) -> Self {
        let usual = ApplianceServer::with_volumes();
        let own = format!("127.0.0.1:{}\"", server.port());
        let grants = usual.grants("/pool".as_ref());
        let grants = grants.replace(&format!("127.0.0.1:{}\"", usual.port()), &own);
        Self::granting(&(grants + more))
    }

    fn conform(&self, more: &[&str]) -> Output {
        let component = guest("appliance");
        let head = ["conform", text(&component), "--live"];
        let mut command = self.node.drivebay(&head);
        command.args(&self.arguments).args(more);
        command.output().expect("drivebay runs")
    }

    fn report(&self) -> Value {
        let output = self.conform(&["--output", "json"]);
        let report = report(&output);
        let is_good = report["conforms"].as_bool().expect("told");
        assert_eq!(output.status.success(), is_good);
        report
    }
}

#[test]
fn an_appliance_with_accounts_keeps_all_promises_and_no_secret_is_told() {
    let server = ApplianceServer::with_volumes();
    let trial = ApplianceTrial::granting(&server.grants("/pool".as_ref()));
    let report = trial.report();
    conforms(&report);
    for line in with_outcome(&report, "inapplicable") {
        assert!(line.contains("does not export"), "{line}");
    }
    assert_eq!(server.names(), Vec::<String>::new());
    for word in WORDS {
        assert!(!report.to_string().contains(word), "{report}");
    }
}

/// Nobody is asked again and again who does not answer, nor is more left behind than one volume.
#[track_caller]
fn ends_with_the_first_rule(trial: &ApplianceTrial, condition: &str, words: &str) {
    let report = trial.report();
    let broken = with_outcome(&report, "broken");
    let [broken] = &broken[..] else {
        panic!("{broken:?}");
    };
    let begins = format!("\"volume-is-made\": \"create-volume failed with {condition}: ");
    assert!(broken.starts_with(&begins), "{broken}");
    assert!(broken.contains(words), "{broken}");
    assert_eq!(with_outcome(&report, "kept"), Vec::<String>::new());
    assert!(!with_outcome(&report, "untried").is_empty());
    let left = report["left-behind"].as_array().expect("a list");
    assert_eq!(left.len(), 1, "{left:?}");
    let left = left[0].as_str().expect("a text");
    assert!(
        left.starts_with("perhaps a volume named \"conform-"),
        "{left}"
    );
}

#[test]
fn a_server_that_hangs_is_told_and_waited_for_only_once() {
    let server = WebServer::plain(|_, _| {
        loop {
            thread::park();
        }
    });
    let trial = ApplianceTrial::at(&server, "[limits]\ndeadline = \"2s\"\n");
    ends_with_the_first_rule(&trial, "unavailable", "endpoint appliance");
}

#[test]
fn a_server_that_answers_garbage_is_told() {
    let server = WebServer::answering("\x15\x03\x01 this is no HTTP\r\n\r\n");
    let trial = ApplianceTrial::at(&server, "");
    ends_with_the_first_rule(&trial, "unavailable", "endpoint appliance");
    let server = WebServer::plain(|_, wire| {
        let text = "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n<h1>Hi</h";
        wire.write_all(text.as_bytes()).is_ok()
    });
    let trial = ApplianceTrial::at(&server, "");
    ends_with_the_first_rule(&trial, "internal", "describes a volume as");
}

#[test]
fn grants_that_lead_nowhere_are_told() {
    let (server, there) = (ApplianceServer::with_volumes(), "/pool".as_ref());
    let granted = server.grants(there);
    let nobody = format!("127.0.0.1:{}", server.port());
    // Nobody listens on a port that is reserved.
    let trial = ApplianceTrial::granting(&granted.replace(&nobody, "127.0.0.1:1"));
    ends_with_the_first_rule(&trial, "unavailable", "127.0.0.1:1");
    for (grants, words) in [
        (
            granted.replace("[grants.https.appliance]", "[grants.https.applianse]"),
            "appliance",
        ),
        ("component = ".to_owned(), "appliance.toml"),
    ] {
        let output = ApplianceTrial::granting(&grants).conform(&[]);
        assert_eq!(output.status.code(), Some(1), "{grants}");
        let said = stderr(&output);
        assert!(said.contains(words), "{said}");
    }
    let missing = ["--live", "--grants", "/nonexistent/appliance.toml"];
    let node = Node::empty();
    let component = guest("appliance");
    let mut command = node.drivebay(&["conform", text(&component)]);
    let output = command.args(missing).output().expect("drivebay runs");
    assert_eq!(output.status.code(), Some(1));
    let said = stderr(&output);
    assert!(said.contains("/nonexistent/appliance.toml"), "{said}");
}
