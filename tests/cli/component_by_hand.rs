//! `drivebay run --component FILE`: a component runs without being installed, with what a file of grants says, and leaves
//! nothing but what it was told to.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::Output;

use drivebay_tests::{Node, dist, guest, text};
use serde_json::{Value, json};

use crate::trial::stderr;

/// A node on which nothing is installed, with a pool.
struct Bench {
    node: Node,
    grants: PathBuf,
}

impl Bench {
    fn new() -> Self {
        let node = Node::empty();
        let grants = node.path("local.toml");
        fs::write(&grants, node.local_grants()).expect("writable");
        fs::create_dir(node.path("tmp")).expect("writable");
        Self { node, grants }
    }

    fn run(&self, arguments: &[&str]) -> Output {
        let component = guest("local");
        let head = ["run", "--component", text(&component)];
        let mut command = self.node.drivebay(&head);
        command.env("TMPDIR", self.node.path("tmp")).args(arguments);
        command.output().expect("drivebay runs")
    }

    #[track_caller]
    fn answers(&self, arguments: &[&str]) -> Value {
        answer(&self.run(&[&["--grants", text(&self.grants)], arguments].concat()))
    }

    #[track_caller]
    fn refuses(&self, arguments: &[&str], words: &str) {
        let output = self.run(arguments);
        let said = stderr(&output);
        assert!(!output.status.success() && said.contains(words), "{said}");
    }

    fn is_untouched(&self) {
        for directory in ["state", "run"] {
            let entries = fs::read_dir(self.node.path(directory));
            let is_empty = entries.map_or(true, |mut entries| entries.next().is_none());
            assert!(is_empty, "something was put into {directory}");
        }
    }

    fn left_behind(&self) -> usize {
        fs::read_dir(self.node.path("tmp")).expect("there").count()
    }
}

#[track_caller]
fn answer(output: &Output) -> Value {
    assert!(output.status.success(), "{}", stderr(output));
    serde_json::from_slice(&output.stdout).expect("one object")
}

#[test]
fn a_volumes_life_without_a_driver() {
    let bench = Bench::new();
    let state = bench.node.path("kept");
    let (staging, pod) = (bench.node.pod("staging"), bench.node.path("pods/web"));
    let kept = |arguments: &[&str]| {
        let state = ["--state", text(&state)];
        bench.answers(&[&state[..], arguments].concat())
    };
    let volume = kept(&["create-volume", "--name", "pvc-1", "--size", "1Gi"]);
    let id = volume["id"].as_str().expect("a string");
    kept(&["attach-volume", id, "--node", "n1"]);
    kept(&["stage-volume", id, "--path", text(&staging)]);
    kept(&["publish-volume", id, "--path", text(&pod)]);
    Node::holds_one_mount(&pod);
    kept(&["unpublish-volume", "--path", text(&pod)]);
    kept(&["unstage-volume", "--path", text(&staging)]);
    kept(&["detach-volume", id, "--node", "n1"]);
    assert_eq!(kept(&["delete-volume", id]), json!({}));
    assert!(Node::mounts_beneath(&bench.node.path("pods")).is_empty());
    bench.is_untouched();
}

#[test]
fn what_the_guest_logs_is_shown_and_the_answer_stands_alone() {
    let bench = Bench::new();
    let grants = ["--grants", text(&bench.grants)];
    let create = ["create-volume", "--name", "pvc-1", "--size", "1Gi"];
    let output = bench.run(&[&grants[..], &create].concat());
    assert!(answer(&output)["id"].is_string());
    let said = stderr(&output);
    assert!(said.starts_with("guest info: making volume "), "{said}");
    assert_eq!(bench.left_behind(), 0, "a directory of the run was left");
    bench.is_untouched();
}

#[test]
fn what_is_attached_or_mounted_can_be_undone_by_what_is_kept_then() {
    let bench = Bench::new();
    fs::create_dir(bench.node.path("pool/v1")).expect("writable");
    let grants = ["--grants", text(&bench.grants)];
    let attach = ["attach-volume", "v1", "--node", "n1"];
    let output = bench.run(&[&grants[..], &attach].concat());
    let said = stderr(&output);
    assert!(
        output.status.success() && bench.left_behind() == 1,
        "{said}"
    );
    let (_, state) = said
        .trim_end()
        .rsplit_once("--state ")
        .expect("it is named");
    let detach = ["--state", state, "detach-volume", "v1", "--node", "n1"];
    bench.answers(&detach);
    assert!(
        Path::new(state).is_dir(),
        "what a caller names is the caller's"
    );
    let is_attached = ["is-attached", "v1", "--node", "n1"];
    assert_eq!(bench.answers(&is_attached), json!({ "attached": false }));
}

#[test]
fn what_kubelet_and_the_provisioner_add_is_taken_as_they_mean_it() {
    let bench = Bench::new();
    let parameters = [
        "csi.storage.k8s.io/pvc/name=data",
        "csi.storage.k8s.io/pvc/namespace=shop",
        "csi.storage.k8s.io/pv/name=pvc-1",
        "pool=pool",
    ];
    let options = parameters.iter().flat_map(|it| ["--parameter", *it]);
    let create = ["create-volume", "--name", "pvc-1", "--size", "1Gi"];
    let arguments: Vec<&str> = create.into_iter().chain(options).collect();
    let volume = bench.answers(&arguments);
    let id = volume["id"].as_str().expect("a string");

    let written = [
        "csi.storage.k8s.io/pod.name=web",
        "csi.storage.k8s.io/ephemeral=false",
        "storage.kubernetes.io/csiProvisionerIdentity=1-2-local",
        "kubernetes.io/pvOrVolumeName=pvc-1",
        "kubernetes.io/readwrite=ro",
    ];
    let state = bench.node.path("kept");
    let kept = |arguments: &[&str]| {
        let state = ["--state", text(&state)];
        bench.answers(&[&state[..], arguments].concat())
    };
    let staging = bench.node.pod("staging");
    let stage = ["stage-volume", id, "--path", text(&staging)];
    let options = written.iter().flat_map(|it| ["--parameter", *it]);
    kept(&stage.into_iter().chain(options).collect::<Vec<_>>());
    let line = Node::mount_lines_beneath(&staging).concat();
    assert!(line.contains(" ro"), "{line}");
    kept(&["unstage-volume", "--path", text(&staging)]);

    let secret = ["--parameter", "kubernetes.io/secret/key=aHVudGVyMg=="];
    let attach = ["attach-volume", id, "--node", "n1"];
    let grants = ["--grants", text(&bench.grants)];
    bench.refuses(
        &[&grants[..], &attach, &secret].concat(),
        "--secret key=FILE",
    );
}

#[test]
fn what_it_may_use_has_to_be_said() {
    let bench = Bench::new();
    bench.refuses(&["get-info"], "needs --grants FILE");
    bench.refuses(
        &["--grants", "/nonexistent", "get-info"],
        "cannot read /nonexistent",
    );
    let none = bench.node.path("none.toml");
    fs::write(&none, "component = \"local\"\n").expect("writable");
    bench.refuses(&["--grants", text(&none), "get-info"], "[grants.mounts]");
    fs::write(&none, "component = \"local\"\ngrant = 1\n").expect("writable");
    bench.refuses(&["--grants", text(&none), "get-info"], "grant");
    let both = bench
        .node
        .drivebay(&["run", "local", "--component", "x", "get-info"])
        .output();
    assert_eq!(both.expect("drivebay runs").status.code(), Some(2));
    let neither = bench.node.drivebay(&["run", "get-info"]).output();
    assert_eq!(neither.expect("drivebay runs").status.code(), Some(2));
}

/// Somebody without privileges, who has no other files than these.
const PERSON: u32 = 65_533;

/// What a person does who has a machine and is nobody's administrator on it: a filesystem of his own in a namespace of his
/// own, granted as a directory, and a volume of it at a path of his own.
const IN_A_NAMESPACE: &str = r#"
set -e
mount -t tmpfs pool "$1/pool"
mkdir "$1/pool/v1"
echo hello >"$1/pool/v1/greeting"
run() { top=$1; shift; "$top/drivebay" run --component "$top/local.wasm" --grants "$top/local.toml" --state "$top/kept" "$@"; }
run "$1" attach-volume v1 --node n1
run "$1" stage-volume v1 --path "$1/staging"
run "$1" publish-volume v1 --path "$1/pod"
cat "$1/pod/greeting"
run "$1" unpublish-volume --path "$1/pod"
run "$1" unstage-volume --path "$1/staging"
"#;

#[test]
fn a_person_without_privileges_mounts_in_a_namespace_of_his_own() {
    let own = tempfile::Builder::new()
        .prefix("drivebay-test-")
        .tempdir_in("/var/tmp");
    let own = own.expect("a directory");
    let top = own.path();
    for name in ["pool", "staging"] {
        fs::create_dir(top.join(name)).expect("writable");
    }
    fs::copy(dist("drivebay"), top.join("drivebay")).expect("writable");
    fs::copy(guest("local"), top.join("local.wasm")).expect("writable");
    let grants = format!(
        "component = \"local\"\n[grants.mounts]\ndirectories = {{ pool = \"{}/pool\" }}\n[grants.files]\naccess = \"read-write\"\n",
        text(top)
    );
    fs::write(top.join("local.toml"), grants).expect("writable");
    for entry in fs::read_dir(top).expect("there") {
        chown(entry.expect("readable").path(), Some(PERSON), Some(PERSON)).expect("root");
    }
    fs::set_permissions(top, Permissions::from_mode(0o755)).expect("ours");
    chown(top, Some(PERSON), Some(PERSON)).expect("root");
    let person = PERSON.to_string();
    let become_one = [
        "--reuid",
        &person,
        "--regid",
        &person,
        "--clear-groups",
        "--",
    ];
    let apart = ["unshare", "--user", "--map-root-user", "--mount"];
    let as_a_person = |script: &str| {
        let shell = ["sh", "-c", script, "sh", text(top)];
        Node::run("setpriv", &[&become_one[..], &apart, &shell].concat())
    };
    let may = as_a_person("true");
    if !may.status.success() {
        // Where the kernel lets nobody make a namespace there is nothing to try.
        let said = stderr(&may);
        assert!(said.starts_with("unshare: "), "{said}");
        return;
    }
    let output = as_a_person(IN_A_NAMESPACE);
    let (told, said) = (String::from_utf8_lossy(&output.stdout), stderr(&output));
    assert!(
        output.status.success() && told.contains("hello"),
        "{told}\n{said}"
    );
}
