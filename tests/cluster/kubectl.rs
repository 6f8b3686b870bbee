//! `kubectl` as the cluster's administrator types it, and the node's own shell.

use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use drivebay_tests::repository;
use serde_json::Value;

/// How long anything may take that a cluster does in seconds, on a machine that does other things besides.
pub(crate) const PATIENCE: Duration = Duration::from_secs(300);

/// How often a state is asked for that somebody else brings about.
const PAUSE: Duration = Duration::from_millis(300);

/// The cluster's directory.
pub(crate) fn place(name: &str) -> PathBuf {
    repository().join("target/cluster").join(name)
}

/// A command on the node: in its network and among its mounts, with its programs on the path.
#[expect(
    clippy::disallowed_methods,
    reason = "the one place where these tests start programs"
)]
pub(crate) fn on_node(words: &[&str]) -> Command {
    let enter = place("enter");
    assert!(
        place("run").exists() && enter.exists(),
        "no cluster runs; `cargo xtask cluster --keep` starts one, and `cargo xtask test --only cluster` one for these tests alone"
    );
    let mut command = Command::new(enter);
    command.args(words).stdin(Stdio::null());
    command
}

/// What a command on the node said.
#[track_caller]
pub(crate) fn node_says(words: &[&str]) -> String {
    succeeded(words, on_node(words).output().expect("it starts"))
}

/// Whether a command on the node ends well.
pub(crate) fn node_agrees(words: &[&str]) -> bool {
    let output = on_node(words).output();
    output.is_ok_and(|output| output.status.success())
}

/// The node's files, as seen from outside: by the root of the cluster's first process.
#[track_caller]
pub(crate) fn node_root() -> PathBuf {
    let holder = std::fs::read_to_string(place("run/holder")).expect("a cluster runs");
    let id = holder.split(' ').next().expect("a number").to_owned();
    PathBuf::from("/proc").join(id).join("root")
}

/// What `kubectl` said, with everything that it warned of.
#[track_caller]
pub(crate) fn kubectl(arguments: &[&str]) -> String {
    let words = [&["kubectl"], arguments].concat();
    succeeded(&words, on_node(&words).output().expect("kubectl starts"))
}

/// What `kubectl` said that may fail: because it is tried again, or because it has to.
pub(crate) fn try_kubectl(arguments: &[&str]) -> Result<String, String> {
    let words = [&["kubectl"], arguments].concat();
    let output = on_node(&words).output().expect("kubectl starts");
    let said = both(&output);
    if output.status.success() {
        Ok(said)
    } else {
        Err(said)
    }
}

/// What `kubectl` said of objects that it read from its input.
pub(crate) fn kubectl_with(arguments: &[&str], objects: &[Value]) -> Result<String, String> {
    let words = [&["kubectl"], arguments, &["-f", "-"]].concat();
    let mut kubectl = on_node(&words);
    kubectl
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = kubectl.spawn().expect("kubectl starts");
    let mut input = child.stdin.take().expect("it has one");
    let list = serde_json::json!({ "apiVersion": "v1", "kind": "List", "items": objects });
    // One that is not content with the first words may end before it has read the last.
    let _ = input.write_all(list.to_string().as_bytes());
    drop(input);
    let output = child.wait_with_output().expect("ours");
    let said = both(&output);
    if output.status.success() {
        Ok(said)
    } else {
        Err(said)
    }
}

/// `kubectl get -o json`.
#[track_caller]
pub(crate) fn get(arguments: &[&str]) -> Value {
    try_get(arguments).expect("it is there")
}

/// The same, of something that may not be there.
pub(crate) fn try_get(arguments: &[&str]) -> Option<Value> {
    let words = [&["kubectl", "get", "--output", "json"], arguments].concat();
    let output = on_node(&words).output().expect("kubectl starts");
    serde_json::from_slice(&output.stdout).ok()
}

/// Waits until there is an answer, and says what the cluster said if there never is one.
#[track_caller]
pub(crate) fn until<T>(what: &str, mut answer: impl FnMut() -> Option<T>) -> T {
    let limit = Instant::now() + PATIENCE;
    loop {
        if let Some(answer) = answer() {
            return answer;
        }
        assert!(
            Instant::now() < limit,
            "waited {} s for {what}\n{}",
            PATIENCE.as_secs(),
            report()
        );
        thread::sleep(PAUSE);
    }
}

/// The same for something that is so or not.
#[track_caller]
pub(crate) fn eventually(what: &str, mut is_so: impl FnMut() -> bool) {
    until(what, || is_so().then_some(()));
}

/// What a person would look at first.
pub(crate) fn report() -> String {
    let ask = |arguments: &[&str]| {
        let said = try_kubectl(arguments).unwrap_or_else(|said| said);
        let lines: Vec<&str> = said.lines().collect();
        let last = lines[lines.len().saturating_sub(40)..].join("\n");
        format!("--- kubectl {}\n{last}\n", arguments.join(" "))
    };
    let everywhere = "--all-namespaces";
    [
        ask(&["get", "pods,pvc,volumesnapshots", everywhere, "-o", "wide"]),
        ask(&["get", "pv,volumeattachments"]),
        ask(&[
            "get",
            "events",
            everywhere,
            "--sort-by=.lastTimestamp",
            "--field-selector=reason!=MissingClusterDNS",
        ]),
        ask(&["logs", "-n", "drivebay", "daemonset/drivebay-node"]),
        ask(&[
            "logs",
            "-n",
            "drivebay-controller",
            "--all-containers",
            "--tail=15",
            "-l",
            "app.kubernetes.io/name=drivebay",
        ]),
    ]
    .concat()
}

#[track_caller]
fn succeeded(words: &[&str], output: Output) -> String {
    let said = both(&output);
    assert!(
        output.status.success(),
        "{} failed:\n{said}",
        words.join(" ")
    );
    said
}

fn both(output: &Output) -> String {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    text(&output.stdout) + &text(&output.stderr)
}
