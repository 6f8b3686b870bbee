//! `drivebay run --component FILE --dry-run`: what a component asks is answered from a model, and shown; nothing of this
//! machine is touched, and nobody needs a privilege for it.

use std::fs;
use std::os::unix::fs::chown;

use drivebay_tests::{Node, dist, guest, text};
use serde_json::{Value, json};

use crate::trial::{Trial, stderr};

#[track_caller]
fn shows(shown: &str, line: &str) {
    assert!(
        shown.lines().any(|it| it.starts_with(line)),
        "{line:?} is not in\n{shown}"
    );
}

#[test]
fn operations_are_tried_in_order_and_nothing_of_this_machine_is_touched() {
    let trial = Trial::of("local");
    let create = ["create-volume", "--name", "pvc-1", "--size", "1Gi"];
    let (volume, shown) = trial.answers(&create);
    shows(&shown, "dry run without --grants: ");
    shows(&shown, "mounts.open-directory name=\"pool\" -> directory ");
    shows(&shown, "guest info: making volume ");
    let id = volume["id"].as_str().expect("a string");
    assert_eq!(trial.answers(&create).0, volume);
    trial.refuses(
        &["create-volume", "--name", "pvc-1", "--size", "3Gi"],
        "already-exists: ",
    );

    let (staging, pod) = ("/nonexistent/staging", "/nonexistent/pod");
    let publish = ["publish-volume", id, "--path", pod];
    trial.refuses(&publish, "failed-precondition: ");
    let (attached, _) = trial.answers(&["attach-volume", id, "--node", "n1"]);
    assert_eq!(
        attached,
        json!({ "publish-context": { "claimed-by": "n1" } })
    );
    trial.refuses(&["attach-volume", id, "--node", "n2"], "n1");
    let (_, shown) = trial.answers(&["stage-volume", id, "--path", staging]);
    assert!(
        shown.contains("mounts.bind directory=") && shown.contains("-> done"),
        "{shown}"
    );
    let (_, shown) = trial.answers(&["stage-volume", id, "--path", staging]);
    assert!(
        !shown.contains("mounts.bind"),
        "what is mounted is not asked for: {shown}"
    );
    trial.answers(&publish);
    trial.refuses(&["delete-volume", id], "it is mounted at /nonexistent/");
    trial.answers(&["unpublish-volume", "--path", pod]);
    trial.answers(&["unstage-volume", "--path", staging]);
    trial.refuses(&["delete-volume", id], "it is attached to node n1");
    trial.answers(&["detach-volume", id, "--node", "n1"]);
    for _ in 0..2 {
        assert_eq!(trial.answers(&["delete-volume", id]).0, json!({}));
    }
    trial.refuses(&["get-volume", id], "not-found: ");

    assert!(
        fs::read_dir(trial.node.path("pool"))
            .expect("there")
            .next()
            .is_none()
    );
    assert!(!trial.node.path("state").join("components").exists());
    assert!(Node::mounts_beneath(&trial.node.path("kept")).is_empty());
}

#[test]
fn shares_have_what_was_made_on_them() {
    let trial = Trial::of("nfs");
    let share = [
        "--parameter",
        "server=filer",
        "--parameter",
        "share=/export",
    ];
    let create = ["create-volume", "--name", "pvc-1", "--size", "1Gi"];
    let (volume, shown) = trial.answers(&[&create[..], &share].concat());
    shows(&shown, "mounts.open-remote options=[");
    let id = volume["id"].as_str().expect("a string");
    let context = volume["context"].as_object().expect("an object");
    let pairs = context
        .iter()
        .map(|(key, value)| format!("{key}={}", value.as_str().expect("a string")));
    let pairs: Vec<String> = pairs.collect();
    let parameters = pairs.iter().flat_map(|pair| ["--parameter", pair.as_str()]);
    let parameters: Vec<&str> = parameters.collect();
    let made = fs::read_dir(trial.node.path("kept/shares/filer/export")).expect("there");
    assert!(made.count() > 0, "nothing lies on the share");

    let publish = ["publish-volume", id, "--path", "/nonexistent/pod"];
    let (_, shown) = trial.answers(&[&publish[..], &parameters].concat());
    shows(&shown, "mounts.mount-remote options=[");
    trial.answers(&["unpublish-volume", "--path", "/nonexistent/pod"]);
    let cut = ["create-snapshot", "--name", "snap-1", "--source", id];
    let (snapshot, _) = trial.answers(&cut);
    assert_eq!(snapshot["readiness"], "ready");
    let from = [
        "--from-snapshot",
        snapshot["id"].as_str().expect("a string"),
    ];
    let restore = ["create-volume", "--name", "pvc-2"];
    let (restored, _) = trial.answers(&[&restore[..], &from, &share].concat());
    assert_eq!(restored["source"]["snapshot"], snapshot["id"]);
    trial.answers(&[
        "delete-snapshot",
        snapshot["id"].as_str().expect("a string"),
    ]);
    trial.answers(&["delete-volume", id]);
    trial.refuses(&["get-volume", id], "not-found: ");
}

#[test]
fn a_file_of_grants_counts_as_it_does_on_a_node() {
    let trial = Trial::of("nfs");
    let grants = trial.node.path("nfs.toml");
    let text_of = "component = \"nfs\"\n[grants.mounts]\nfilesystems = [\"nfs\"]\nsources = [\"10.0.0.0/8:/export/**\"]\noptions = [\"vers\", \"hard\"]\n[grants.files]\naccess = \"read-write\"\n";
    fs::write(&grants, text_of).expect("writable");
    let create = |server: &str, more: &[&str]| {
        let granted = ["--grants", text(&grants)];
        let server = format!("server={server}");
        let create = [
            "create-volume",
            "--name",
            "pvc-1",
            "--parameter",
            "share=/export",
        ];
        let arguments = [&granted[..], more, &create, &["--parameter", &server]].concat();
        trial.run(&arguments)
    };
    let refused = create("filer", &[]);
    assert!(
        stderr(&refused).contains("is not granted (grants.mounts.sources"),
        "{}",
        stderr(&refused)
    );
    for (server, more) in [
        ("10.0.0.7", &[][..]),
        ("filer", &["--host", "filer=10.0.0.7"]),
    ] {
        let output = create(server, more);
        assert!(output.status.success(), "{}", stderr(&output));
    }
}

#[test]
fn what_no_operator_would_write_is_not_granted_either() {
    let trial = Trial::of("local");
    let create = ["create-volume", "--name", "pvc-1", "--parameter"];
    let long = format!("pool={}", "x".repeat(81));
    for pool in ["pool=a\nb", &long] {
        trial.refuses(&[&create[..], &[pool]].concat(), "is not granted");
    }
}

#[test]
fn a_secret_is_used_and_never_shown() {
    let trial = Trial::of("smb");
    let (user, password) = (trial.node.path("user"), trial.node.path("password"));
    fs::write(&user, "alice").expect("writable");
    fs::write(&password, "hunter2").expect("writable");
    let publish = ["publish-volume", "v1", "--path", "/nonexistent/pod"];
    let where_it_is = ["--parameter", "server=files", "--parameter", "share=data"];
    let publish = [&publish[..], &where_it_is].concat();
    trial.refuses(&publish, "this call brought no secret \"username\"");
    let secrets = [("username", &user), ("password", &password)];
    let secrets = secrets.map(|(name, file)| format!("{name}={}", file.display()));
    let secrets = ["--secret", &secrets[0], "--secret", &secrets[1]];
    let (_, shown) = trial.answers(&[&secrets[..], &publish].concat());
    shows(&shown, "secret-mounts.mount-remote options=[");
    assert!(shown.contains("path=\"/data\""), "{shown}");
    assert!(
        !shown.contains("hunter2") && !shown.contains("alice"),
        "{shown}"
    );
}

#[test]
fn a_granted_directory_may_begin_with_what_lies_in_another() {
    let trial = Trial::of("local");
    let pool = trial.node.path("pool");
    fs::create_dir(pool.join("music")).expect("writable");
    fs::write(pool.join("music/song"), "la").expect("writable");
    let begins = format!("pool={}", pool.display());
    let begins = ["--directory", begins.as_str()];
    trial.answers(&[&begins[..], &["attach-volume", "music", "--node", "n1"]].concat());
    let stage = ["stage-volume", "music", "--path", "/nonexistent/staging"];
    trial.answers(&[&begins[..], &stage].concat());
    let clone = ["create-volume", "--name", "copy", "--from-volume", "music"];
    let (copy, _) = trial.answers(&clone);
    let directory = copy["context"]["volume"].as_str().expect("a string");
    let copied = trial
        .node
        .path("kept/directories/pool")
        .join(directory)
        .join("song");
    assert_eq!(fs::read_to_string(copied).expect("copied"), "la");
    let entries = fs::read_dir(&pool).expect("there").count();
    assert_eq!(entries, 1, "the directory itself was worked on");
    let (_, shown) = trial.answers(&["stage-volume", "music", "--path", "/nonexistent/staging"]);
    assert!(!shown.contains("mounts.bind"), "it is staged: {shown}");
}

#[test]
fn nobody_needs_a_privilege_for_it() {
    let own = tempfile::Builder::new()
        .prefix("drivebay-test-")
        .tempdir_in("/var/tmp");
    let own = own.expect("a directory");
    let (program, component) = (own.path().join("drivebay"), own.path().join("local.wasm"));
    fs::copy(dist("drivebay"), &program).expect("writable");
    fs::copy(guest("local"), &component).expect("writable");
    chown(own.path(), Some(65_533), Some(65_533)).expect("root");
    let as_nobody = [
        "--reuid",
        "65533",
        "--regid",
        "65533",
        "--clear-groups",
        "--inh-caps=-all",
        "--",
    ];
    let run = [
        text(&program),
        "run",
        "--component",
        text(&component),
        "--dry-run",
    ];
    let create = ["create-volume", "--name", "pvc-1", "--size", "1Gi"];
    let output = Node::run("setpriv", &[&as_nobody[..], &run, &create].concat());
    assert!(output.status.success(), "{}", stderr(&output));
    let volume: Value = serde_json::from_slice(&output.stdout).expect("one object");
    assert_eq!(volume["capacity-bytes"], 1 << 30);
}

#[test]
fn what_there_is_in_a_dry_run_is_said_of_no_other() {
    let trial = Trial::of("local");
    let device = ["--device", "serial-1=1Gi", "get-info"];
    let head = ["run", "--component", text(&trial.component)];
    let mut command = trial.node.drivebay(&head);
    let output = command.args(device).output().expect("drivebay runs");
    assert_eq!(output.status.code(), Some(1));
    let said = stderr(&output);
    assert!(said.contains("add --dry-run, or leave them out"), "{said}");
}
