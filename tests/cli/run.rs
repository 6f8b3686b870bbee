//! `drivebay run`: each operation by hand, one JSON object, or the condition and exit code 1.

use std::fs;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::Path;
use std::process::Output;

use drivebay_tests::{
    ApplianceServer, Node, PASSWORD, USERNAME, WORDS, WatGuest, guest, pod_options, text,
    untold_beneath,
};
use nix::sys::stat::{Mode, SFlag, mknod};
use serde_json::{Value, json};

const GIB: u64 = 1 << 30;

/// Major 7, minor 255: a loop device, if it were one.
const NUMBER: u64 = 0x7ff;

fn run(node: &Node, driver: &str, arguments: &[&str]) -> Output {
    let mut command = node.drivebay(&["run", driver]);
    command.args(arguments).output().expect("drivebay runs")
}

/// One object on stdout and nothing on stderr.
#[track_caller]
fn succeeds(node: &Node, arguments: &[&str]) -> Value {
    answers(&run(node, "local", arguments))
}

#[track_caller]
fn answers(output: &Output) -> Value {
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && stderr.is_empty(), "{stderr}");
    serde_json::from_slice(&output.stdout).expect("one object")
}

/// Nothing on stdout, the condition and its reason on stderr.
#[track_caller]
fn fails(node: &Node, arguments: &[&str], words: &str) {
    refuses(&run(node, "local", arguments), words);
}

#[track_caller]
fn refuses(output: &Output, words: &str) {
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    assert!(output.stdout.is_empty());
    assert!(stderr.contains(words), "{stderr:?} does not say {words:?}");
}

#[track_caller]
fn create(node: &Node, name: &str) -> String {
    let volume = succeeds(node, &["create-volume", "--name", name, "--size", "1Gi"]);
    volume["id"].as_str().expect("a string").to_owned()
}

#[test]
fn a_volumes_life_by_hand() {
    let node = Node::with_local("v1");
    let id = create(&node, "pvc-1");
    let volume = succeeds(&node, &["get-volume", &id]);
    assert_eq!(volume["capacity-bytes"], GIB);
    assert_eq!(volume["nodes"], json!([]));
    let context = |key: &str| format!("{key}={}", volume["context"][key].as_str().expect("there"));
    let (pool, directory) = (context("pool"), context("volume"));
    let named = ["--parameter", &pool, "--parameter", &directory];
    let with = |arguments: &[&str]| succeeds(&node, &[arguments, &named].concat());
    let (staging, pod) = (node.pod("staging"), node.path("pods/web"));

    assert_eq!(with(&["validate-volume", &id]), json!({}));
    assert_eq!(
        with(&["attach-volume", &id, "--node", "n1"]),
        json!({ "publish-context": { "claimed-by": "n1" } })
    );
    assert_eq!(
        with(&["is-attached", &id, "--node", "n1"]),
        json!({ "attached": true })
    );
    assert_eq!(
        with(&["stage-volume", &id, "--path", text(&staging)]),
        json!({})
    );
    assert_eq!(
        with(&["publish-volume", &id, "--path", text(&pod)]),
        json!({})
    );
    Node::holds_one_mount(&pod);
    assert_eq!(with(&["get-health", &id]), json!({ "health": "ok" }));
    assert_eq!(
        with(&["expand-volume", &id, "--size", "2Gi"]),
        json!({ "capacity-bytes": 2 * GIB })
    );
    assert_eq!(
        succeeds(&node, &["expand-on-node", &id, "--size", "2Gi"]),
        json!({ "grown": "nothing" })
    );

    assert_eq!(
        succeeds(&node, &["unpublish-volume", "--path", text(&pod)]),
        json!({})
    );
    assert!(!pod.exists(), "the target was left");
    succeeds(&node, &["unstage-volume", "--path", text(&staging)]);
    succeeds(&node, &["detach-volume", &id, "--node", "n1"]);
    assert_eq!(
        with(&["is-attached", &id, "--node", "n1"]),
        json!({ "attached": false })
    );
    for _ in 0..2 {
        assert_eq!(succeeds(&node, &["delete-volume", &id]), json!({}));
    }
    fails(&node, &["get-volume", &id], "not-found: ");
    node.is_clean();
}

#[test]
fn making_a_volume_again_finds_it() {
    let node = Node::with_local("v1");
    assert_eq!(create(&node, "pvc-1"), create(&node, "pvc-1"));
    fails(
        &node,
        &["create-volume", "--name", "pvc-1", "--size", "3Gi"],
        "already-exists: ",
    );
}

#[test]
fn a_volume_may_start_with_the_content_of_another() {
    let node = Node::with_local("v1");
    let source = create(&node, "one");
    let directory = source.strip_prefix("pool/").expect("in the pool");
    fs::write(node.path("pool").join(directory).join("greeting"), "hello").expect("writable");
    let arguments = ["create-volume", "--name", "two", "--from-volume", &source];
    let copy = succeeds(&node, &arguments);
    assert_eq!(copy["source"], json!({ "volume": source }));
    let directory = copy["context"]["volume"].as_str().expect("a string");
    let copied = node.path("pool").join(directory).join("greeting");
    assert_eq!(fs::read_to_string(copied).expect("copied"), "hello");
}

#[test]
fn volumes_are_listed_in_pages() {
    let node = Node::with_local("v1");
    let ids = ["a", "b", "c"].map(|name| create(&node, name));
    let first = succeeds(&node, &["list-volumes", "--max", "2"]);
    let token = first["next-token"].as_str().expect("more to come");
    let second = succeeds(&node, &["list-volumes", "--max", "2", "--token", token]);
    assert_eq!(second.get("next-token"), None);
    let pages = [&first, &second].map(|page| page["volumes"].as_array().expect("a list").clone());
    let mut listed: Vec<Value> = pages.concat().iter().map(|v| v["id"].clone()).collect();
    listed.sort_by_key(Value::to_string);
    assert_eq!(listed, ids);
    fails(&node, &["list-volumes", "--token", "x"], "in-progress: ");
}

#[test]
fn a_volume_in_use_on_this_node_is_not_deleted_and_the_place_is_named() {
    let node = Node::with_local("v1");
    let id = create(&node, "pvc-1");
    succeeds(&node, &["attach-volume", &id, "--node", "n1"]);
    fails(
        &node,
        &["delete-volume", &id],
        "failed-precondition: cannot delete volume",
    );
    fails(&node, &["delete-volume", &id], "it is attached to node n1");
    let staging = node.pod("staging");
    succeeds(&node, &["stage-volume", &id, "--path", text(&staging)]);
    let words = format!("it is mounted at {}", staging.display());
    fails(&node, &["delete-volume", &id], &words);

    // Another machine may have detached it: what this one noted is no word against the backend's.
    fs::remove_dir_all(node.path("pool/.drivebay/")).expect("writable");
    fails(&node, &["delete-volume", &id], &words);
    succeeds(&node, &["unstage-volume", "--path", text(&staging)]);
    fails(
        &node,
        &["delete-volume", &id],
        "it was not made by this driver",
    );
}

#[test]
fn a_volume_that_a_pod_has_under_another_key_is_not_deleted_either() {
    let node = Node::with_local("v1");
    let id = create(&node, "pvc-1");
    let line = "flexvolume = \"drivebay/local\"";
    let grants = node.local_grants();
    let grants = grants.replace(line, &format!("{line}\nflexvolume-attach = \"on-mount\""));
    node.add_driver("local", &grants);
    let pod = node.pod("web");
    let mount = ["mount", text(&pod), &pod_options(&id, &[])];
    node.call(&mount).succeeds();
    let words = format!("cannot delete volume {id:?}: it is mounted at");
    fails(&node, &["delete-volume", &id], &words);
    node.call(&["unmount", text(&pod)]).succeeds();
    succeeds(&node, &["delete-volume", &id]);
    node.is_clean();
}

#[test]
fn parameters_are_checked_by_where_they_stand() {
    let node = Node::with_local("v1");
    let create = [
        "create-volume",
        "--name",
        "a",
        "--size",
        "1Gi",
        "--parameter",
    ];
    let with = |parameter| [&create[..], &[parameter]].concat();
    assert_eq!(
        succeeds(&node, &with("POOL=pool"))["context"]["pool"],
        "pool"
    );
    // Known in a volume, not in a StorageClass.
    fails(
        &node,
        &with("volume=v1"),
        "invalid-argument: driver local has no creation parameter \"volume\"; did you mean \"pool\"?",
    );
    fails(&node, &with("readOnly=true"), "no creation parameter");
    fails(
        &node,
        &[&with("pool=pool")[..], &["--parameter", "Pool=pool"]].concat(),
        "given twice",
    );
    fails(
        &node,
        &["available-capacity", "--parameter", "volume=v1"],
        "no creation parameter",
    );
    assert!(succeeds(&node, &["available-capacity"])["available-bytes"].is_u64());
}

#[test]
fn what_a_component_does_not_export_is_unsupported_and_named() {
    let node = Node::with_local("v1");
    for (arguments, interface) in [
        (
            &["create-snapshot", "--name", "s", "--source", "v1"][..],
            "snapshots",
        ),
        (&["delete-snapshot", "s"], "snapshots"),
        (&["get-snapshot", "s"], "snapshots"),
        (&["list-snapshots", "--source", "v1"], "snapshot-listing"),
        (
            &["create-group-snapshot", "--name", "g", "--source", "v1"],
            "group-snapshots",
        ),
        (&["delete-group-snapshot", "g"], "group-snapshots"),
        (&["get-group-snapshot", "g"], "group-snapshots"),
        (
            &["create-volume", "--name", "a", "--from-snapshot", "s"],
            "snapshots",
        ),
        (
            &["modify-volume", "v1", "--parameter", "a=b"],
            "modification",
        ),
        (&["get-volume-health", "v1"], "volume-health"),
    ] {
        let words = format!("its component does not export {interface}");
        fails(&node, arguments, &words);
    }
    let node = Node::with_nfs("5s");
    for (arguments, interface) in [
        (&["list-volumes"][..], "volume-listing"),
        (&["list-volume-health"], "volume-health-listing"),
        (&["attach-volume", "a", "--node", "n"], "attachment"),
        (&["detach-volume", "a", "--node", "n"], "attachment"),
        (&["is-attached", "a", "--node", "n"], "attachment"),
    ] {
        let output = run(&node, "nfs", arguments);
        refuses(&output, "drivebay: unsupported: driver nfs cannot ");
        refuses(&output, &format!("does not export {interface}"));
    }
    node.is_clean();
}

#[test]
fn sizes_and_names_that_make_no_sense_are_refused() {
    let node = Node::with_local("v1");
    for size in ["20G", "-1", "1.5Gi", ""] {
        let arguments = ["create-volume", "--name", "a", "--size", size];
        let output = run(&node, "local", &arguments);
        assert_eq!(output.status.code(), Some(2), "{size:?}");
    }
    let range = ["--size", "2Gi", "--limit", "1Gi"];
    fails(
        &node,
        &[&["create-volume", "--name", "a"], &range[..]].concat(),
        "invalid-argument: the limit of 1073741824 bytes is less",
    );
    fails(&node, &["create-volume", "--name", ""], "has 0 bytes");
    fails(
        &node,
        &["stage-volume", "v1", "--path", "a/../b"],
        "invalid-argument: ",
    );
}

#[test]
fn a_driver_without_a_file_is_named_and_other_files_are_not_read() {
    let node = Node::with_local("v1");
    node.add_driver("broken", "component =");
    refuses(&run(&node, "nobody", &["get-info"]), "no driver nobody");
    refuses(&run(&node, "../local", &["get-info"]), "no driver ../local");
    refuses(&run(&node, "broken", &["get-info"]), "not valid TOML");
    assert_eq!(
        succeeds(&node, &["get-info"]),
        json!({ "place": {}, "max-volumes": 0 })
    );
}

#[test]
fn a_raw_device_is_staged_as_a_file_and_published_as_one() {
    let node = Node::empty();
    let grants = "component = \"raw\"\n[grants.mounts]\n";
    node.add_driver("raw", grants);
    node.install(&[&WatGuest::named("raw").write(node.path("raw.wasm"))]);
    let raw = |arguments: &[&str]| run(&node, "raw", arguments);
    // The guest would have put its disk there. Nobody opens this one, so that its number need not exist.
    let (staging, disk) = (node.pod("staging"), node.path("pool/disk"));
    let device = staging.join("device");
    mknod(&disk, SFlag::S_IFBLK, Mode::S_IRUSR, NUMBER).expect("root");
    fs::write(&device, "").expect("writable");
    bind(&disk, &device);
    let stage = ["stage-volume", "d-1", "--path", text(&staging), "--block"];
    for _ in 0..2 {
        answers(&raw(&stage));
    }
    Node::holds_one_mount(&device);

    let pod = node.path("pods/device-of-web");
    let publish = ["publish-volume", "d-1", "--path", text(&pod)];
    node.unchanged_by(|| {
        refuses(
            &raw(&publish),
            "failed-precondition: the volume is staged at",
        )
    });
    for _ in 0..2 {
        answers(&raw(&[&publish[..], &["--block"]].concat()));
    }
    Node::holds_one_mount(&pod);
    let metadata = fs::metadata(&pod).expect("published");
    assert!(metadata.file_type().is_block_device() && metadata.rdev() == NUMBER);

    for _ in 0..2 {
        answers(&raw(&["unpublish-volume", "--path", text(&pod)]));
        assert!(!pod.exists());
    }
    for _ in 0..2 {
        answers(&raw(&["unstage-volume", "--path", text(&staging)]));
        assert!(!device.exists() && staging.is_dir());
    }
    assert!(disk.exists());
    node.is_clean();
}

fn bind(from: &Path, onto: &Path) {
    let none = None::<&str>;
    nix::mount::mount(Some(from), onto, none, nix::mount::MsFlags::MS_BIND, none).expect("root");
}

#[test]
fn an_operator_hands_secrets_over_in_files() {
    let appliance = ApplianceServer::start(|| ());
    let node = Node::empty();
    node.add_driver("appliance", &appliance.grants(&node.path("pool")));
    node.install(&[&guest("appliance")]);
    let (user, password) = (node.path("user"), node.path("password"));
    fs::write(&user, format!("{USERNAME}\n")).expect("writable");
    fs::write(&password, PASSWORD).expect("writable");
    let secret = |name: &str, file: &Path| format!("{name}={}", file.display());
    let (user, word) = (secret("username", &user), secret("password", &password));
    let create = |secrets: &[&str]| {
        let options = secrets.iter().flat_map(|secret| ["--secret", *secret]);
        let arguments: Vec<&str> = ["create-volume", "--name", "pvc-1"]
            .into_iter()
            .chain(options)
            .collect();
        run(&node, "appliance", &arguments)
    };
    assert_eq!(answers(&create(&[&user, &word]))["id"], "v1");
    assert!(appliance.heard()[0].ends_with(&ApplianceServer::administrator()));
    refuses(
        &create(&[&user]),
        "not-found: this call brought no secret \"password\"",
    );
    refuses(
        &create(&[&user, "password=/nonexistent"]),
        "cannot use /nonexistent as secret \"password\"",
    );
    for file in [node.path("state"), node.path("run")] {
        untold_beneath(&file, &WORDS);
    }
    let check = node.drivebay(&["check"]).output().expect("drivebay runs");
    let said = String::from_utf8(check.stdout).expect("UTF-8");
    for line in [
        "  secret     key: signing hmac-sha256",
        "  secret     password: basic authentication password at appliance",
        "  secret     token: header authorization at appliance",
    ] {
        assert!(said.lines().any(|other| other == line), "{said}");
    }
}
