//! What an operator decides about versions: `rollback` and `activate`, and what they leave behind.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use drivebay_tests::{Node, text};
use serde_json::Value;

use super::delivery::{GRANTS, deliver, digest, node, said, status, succeeds, take_up, version};

/// The version that answers a call-out.
#[track_caller]
fn serves(node: &Node, number: u32) {
    let options = r#"{"kubernetes.io/pvOrVolumeName":"data"}"#;
    let staging = node.pod("staging");
    let arguments = ["mountdevice", text(&staging), "", options];
    node.call_driver("drivebay~guest/guest", &arguments)
        .fails_with(&format!("this is version {number}"));
}

#[track_caller]
fn refuses(node: &Node, arguments: &[&str], reason: &str) {
    let before = record(node);
    let (said, ended_well) = said(node, arguments);
    assert!(!ended_well, "{arguments:?}: {said}");
    assert!(said.contains(reason), "{arguments:?}: {said}");
    assert_eq!(record(node), before, "a refusal changes nothing");
}

fn record(node: &Node) -> Option<Vec<u8>> {
    fs::read(node.path("state/versions/guest.json")).ok()
}

#[test]
fn a_rollback_serves_the_next_call_and_the_source_does_not_bring_the_version_back() {
    let node = node();
    deliver(&node, &version(1));
    deliver(&node, &version(2));
    serves(&node, 2);
    let bad = digest(&status(&node)["active"]);
    let told = succeeds(&node, &["rollback", "guest"]);
    assert!(
        told.contains("1.0.0") && told.contains("before: 2.0.0"),
        "{told}"
    );
    serves(&node, 1);
    take_up(&node);
    serves(&node, 1);
    let driver = status(&node);
    assert_eq!(driver["active"]["version"], "1.0.0");
    assert_eq!(driver["previous"], Value::Array(Vec::new()));
    let rejected = &driver["rejected"][0];
    assert_eq!(
        (digest(rejected), &rejected["by"]),
        (bad, &"operator".into())
    );
    assert_eq!(rejected["reason"], "rolled back by `drivebay rollback`");
    // Another version in the source is not what was rejected.
    deliver(&node, &version(3));
    serves(&node, 3);
}

#[test]
fn a_rollback_goes_to_the_version_that_is_named_among_those_that_served() {
    let node = node();
    for number in [1, 2, 3] {
        deliver(&node, &version(number));
    }
    let first = digest(&status(&node)["previous"][1]);
    let to = format!("sha256:{first}");
    succeeds(&node, &["rollback", "guest", "--to", &to]);
    serves(&node, 1);
    // The second served before, and is still one to go back to; the third is not.
    succeeds(&node, &["rollback", "guest"]);
    serves(&node, 2);
    refuses(&node, &["rollback", "guest"], "no version served before");
}

#[test]
fn a_version_that_was_rolled_back_serves_again_when_it_is_named() {
    let node = node();
    deliver(&node, &version(1));
    deliver(&node, &version(2));
    let second = digest(&status(&node)["active"]);
    succeeds(&node, &["rollback", "guest"]);
    succeeds(&node, &["activate", "guest", &second[..8]]);
    serves(&node, 2);
    take_up(&node);
    serves(&node, 2);
    succeeds(&node, &["rollback", "guest"]);
    serves(&node, 1);
}

#[test]
fn what_serves_in_place_of_the_offered_version_stays_until_something_else_is_offered() {
    let node = node();
    deliver(&node, &version(1));
    let first = digest(&status(&node)["active"]);
    deliver(&node, &version(2));
    succeeds(&node, &["activate", "guest", &first]);
    take_up(&node);
    serves(&node, 1);
    let rejected = &status(&node)["rejected"][0];
    assert_eq!(rejected["version"], "2.0.0");
}

#[test]
fn a_version_that_waits_serves_when_it_is_named_and_can_be_gone_back_from() {
    let node = node();
    deliver(&node, &version(1));
    let file = version(2).write(node.path("source/guest.wasm"));
    let told = Node::run("sha256sum", &[text(&file)]).stdout;
    let second = String::from_utf8_lossy(&told[..64]).into_owned();
    node.add_driver(
        "guest",
        &format!("{GRANTS}[versions]\nheld = [\"{second}\"]\n"),
    );
    take_up(&node);
    serves(&node, 1);
    assert_eq!(digest(&status(&node)["held"][0]), second);
    succeeds(&node, &["activate", "guest", &second]);
    serves(&node, 2);
    let driver = status(&node);
    assert_eq!(driver["held"], Value::Array(Vec::new()));
    assert_eq!(
        driver["rejected"],
        Value::Array(Vec::new()),
        "its source offers it no more"
    );
    succeeds(&node, &["rollback", "guest"]);
    serves(&node, 1);
}

#[test]
fn compiled_code_that_is_gone_is_made_again_from_the_kept_component() {
    let node = node();
    deliver(&node, &version(1));
    deliver(&node, &version(2));
    fs::remove_dir_all(node.path("state/compiled")).expect("there");
    succeeds(&node, &["rollback", "guest"]);
    serves(&node, 1);
}

#[test]
fn what_cannot_be_done_is_refused_with_what_is_known() {
    let node = node();
    refuses(&node, &["rollback", "guest"], "nothing was activated yet");
    refuses(&node, &["rollback", "other"], "no driver other");
    deliver(&node, &version(1));
    refuses(&node, &["rollback", "guest"], "no version served before");
    deliver(&node, &version(2));
    let driver = status(&node);
    let (active, previous) = (digest(&driver["active"]), digest(&driver["previous"][0]));
    refuses(&node, &["activate", "guest", &active], "serves already");
    refuses(
        &node,
        &["rollback", "guest", "--to", &active],
        "serves already",
    );
    refuses(&node, &["activate", "guest", &active[..7]], "is no digest");
    refuses(&node, &["activate", "guest", "no digest"], "is no digest");
    refuses(
        &node,
        &["activate", "guest", &"f".repeat(64)],
        "(1.0.0, previous)",
    );
    refuses(
        &node,
        &["rollback", "guest", "--to", &"f".repeat(64)],
        &previous[..12],
    );

    let kept = node
        .path("state/components/sha256")
        .join(format!("{previous}.wasm"));
    let bytes = fs::read(&kept).expect("kept");
    fs::remove_file(&kept).expect("ours");
    refuses(&node, &["rollback", "guest"], "no longer in the store");
    fs::write(&kept, version(3).component()).expect("ours");
    refuses(
        &node,
        &["rollback", "guest"],
        "no longer the component that it was",
    );
    fs::write(&kept, bytes).expect("ours");
    succeeds(&node, &["rollback", "guest"]);
}

#[test]
fn what_begins_as_two_versions_do_is_refused_with_both() {
    let node = node();
    deliver(&node, &version(1));
    let kept = node.path("state/components/sha256");
    let digests = [
        format!("0123456789{}", "a".repeat(54)),
        format!("0123456789{}", "b".repeat(54)),
    ];
    for digest in &digests {
        symlink(Path::new("/dev/null"), kept.join(format!("{digest}.wasm"))).expect("ours");
    }
    for digest in &digests {
        refuses(&node, &["activate", "guest", "01234567"], digest);
    }
}

#[test]
fn the_drivers_file_has_the_last_word() {
    let node = node();
    deliver(&node, &version(1));
    deliver(&node, &version(2));
    let driver = status(&node);
    let (active, previous) = (digest(&driver["active"]), digest(&driver["previous"][0]));
    for (rules, reason) in [
        (
            format!("[versions]\nrejected = [\"{previous}\"]\n"),
            "versions.rejected; take it out there first",
        ),
        (
            format!("[versions]\nactive = \"{active}\"\n"),
            "and no other version; change it there",
        ),
        (
            format!("[require]\nsha256 = [\"{active}\"]\n"),
            "which require.sha256 of driver guest does not list",
        ),
    ] {
        node.add_driver("guest", &format!("{GRANTS}{rules}"));
        refuses(&node, &["rollback", "guest"], reason);
        refuses(&node, &["activate", "guest", &previous], reason);
        serves(&node, 2);
    }
}

#[test]
fn a_version_that_asks_for_what_is_no_longer_granted_does_not_come_back() {
    let node = node();
    let asking = version(1).core(
        r#"(import "drivebay:driver/mounts@0.1.0" "open-directory" (func $open (param i32 i32 i32)))"#,
    );
    deliver(&node, &asking);
    deliver(&node, &version(2));
    node.add_driver("guest", &GRANTS.replace("[grants.mounts]\n", ""));
    refuses(&node, &["rollback", "guest"], "which is not granted");
}

#[test]
fn each_change_is_one_line_of_the_log() {
    let node = node();
    deliver(&node, &version(1));
    deliver(&node, &version(2));
    let driver = status(&node);
    succeeds(&node, &["rollback", "guest"]);
    let log = fs::read_to_string(node.path("log/run.log")).expect("there");
    let lines: Vec<&str> = log.lines().collect();
    let [line] = lines.as_slice() else {
        panic!("one line: {log}");
    };
    for part in [
        "driver.name=guest".to_owned(),
        "component.version=\"1.0.0\"".to_owned(),
        format!("component.sha256=\"{}\"", digest(&driver["previous"][0])),
        format!("previous.sha256=\"{}\"", digest(&driver["active"])),
        "guest.wasm".to_owned(),
    ] {
        assert!(line.contains(&part), "{part}: {line}");
    }
}
