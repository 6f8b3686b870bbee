//! `drivebay status` of versions: for people, and as JSON, whose fields are promised.

use std::collections::BTreeSet;
use std::fs;

use drivebay_tests::csi_proto::NodePublishVolumeRequest;
use drivebay_tests::csi_proto::volume_capability::access_mode::Mode;
use drivebay_tests::{Csi, Node, mounted, read, repository, text};
use serde_json::{Value, json};

use super::delivery::{
    GRANTS, deliver, digest, node, said, status, succeeds, take_up, version, whole_status,
};

/// Fields by path: `drivers[].active.since`.
fn fields(value: &Value, path: &str, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(fields_of) => {
            for (name, value) in fields_of {
                let path = match path {
                    "" => name.clone(),
                    path => format!("{path}.{name}"),
                };
                let path = match value.is_array() {
                    true => path + "[]",
                    false => path,
                };
                fields(value, &path, found);
                found.insert(path);
            }
        }
        Value::Array(values) => {
            for value in values {
                fields(value, path, found);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// The names in the first column of the guide's table.
fn documented() -> BTreeSet<String> {
    let guide = read(&repository().join("deploy/watching.md"));
    let section = guide.split("\n## Status as JSON\n").nth(1);
    let section = section.expect("the guide has it").split("\n#").next();
    let rows = section.expect("text").lines();
    let cells = rows.filter_map(|row| row.strip_prefix("| ")?.split(" | ").next());
    let names = cells.flat_map(|cell| cell.split('`').skip(1).step_by(2));
    names.map(str::to_owned).collect()
}

/// Has the process load what serves.
#[track_caller]
fn call(node: &Node, csi: &Csi) {
    let request = NodePublishVolumeRequest {
        volume_id: "volume-1".to_owned(),
        target_path: text(&node.pod("web").join("mount")).to_owned(),
        volume_capability: Some(mounted(Mode::MultiNodeMultiWriter)),
        ..NodePublishVolumeRequest::default()
    };
    csi.node_publish_volume(request).expect_err("it fails");
}

fn is_rfc3339(moment: &Value) -> bool {
    let moment = moment.as_str().unwrap_or_default();
    let shape: String = moment
        .chars()
        .map(|c| if c.is_ascii_digit() { '0' } else { c })
        .collect();
    shape == "0000-00-00T00:00:00Z"
}

/// Sees everything there is to see, one after the other.
#[test]
fn every_field_is_documented_and_every_documented_field_is_printed() {
    let node = node();
    let mut printed = BTreeSet::new();
    let mut look = || fields(&whole_status(&node), "", &mut printed);
    deliver(&node, &version(1));
    deliver(&node, &version(2));
    succeeds(&node, &["rollback", "guest"]);
    look();
    let csi = node.serve("guest");
    call(&node, &csi);
    look();
    assert!(csi.stop());
    deliver(&node, &version(3));
    look();
    let held = version(4).write(node.path("source/guest.wasm"));
    let told = Node::run("sha256sum", &[text(&held)]).stdout;
    let held = String::from_utf8_lossy(&told[..64]).into_owned();
    let rules = format!("[versions]\nheld = [\"{held}\"]\nactivate-within = \"1000h\"\n");
    node.add_driver("guest", &format!("{GRANTS}{rules}"));
    take_up(&node);
    look();
    deliver(&node, &version(5));
    look();
    fs::write(node.path("source/guest.wasm"), "no component").expect("writable");
    take_up(&node);
    look();
    let documented = documented();
    let difference: Vec<&String> = printed.symmetric_difference(&documented).collect();
    assert!(difference.is_empty(), "{difference:#?}");
}

#[test]
fn before_anything_is_taken_up_the_component_in_the_store_is_active() {
    let node = node();
    let none = status(&node);
    assert_eq!(
        (&none["ready"], &none["active"]),
        (&json!(false), &Value::Null)
    );
    let reason = none["reason"].as_str().expect("a reason");
    assert!(
        reason.contains("there is no component \"guest\""),
        "{reason}"
    );
    node.install(&[&version(1).write(node.path("guest.wasm"))]);
    let installed = status(&node);
    assert_eq!(
        (&installed["ready"], &installed["reason"]),
        (&json!(true), &Value::Null)
    );
    let source = text(&node.path("state/components/guest.wasm")).to_owned();
    let active = &installed["active"];
    assert_eq!(active["source"], Value::String(source));
    assert_eq!(
        (&active["since"], &active["version"]),
        (&Value::Null, &json!("1.0.0"))
    );
    assert_eq!(digest(active).len(), 64);
    // Compiled code is what a driver needs to be ready.
    fs::remove_dir_all(node.path("state/compiled")).expect("there");
    let uncompiled = status(&node);
    assert_eq!(uncompiled["ready"], false);
    assert_eq!(digest(&uncompiled["active"]), digest(active));
}

#[test]
fn an_activated_version_has_its_source_and_its_moment_in_utc() {
    let node = node();
    deliver(&node, &version(1));
    deliver(&node, &version(2));
    let driver = status(&node);
    assert_eq!(
        driver["active"]["source"],
        text(&node.path("source/guest.wasm"))
    );
    assert!(is_rfc3339(&driver["active"]["since"]), "{driver}");
    assert!(is_rfc3339(&driver["previous"][0]["since"]), "{driver}");
}

#[test]
fn what_is_wrong_with_one_driver_is_its_reason_and_no_other_drivers_concern() {
    let node = node();
    deliver(&node, &version(1));
    node.add_driver("broken", "component = \"guest\"\ncomponents = \"guest\"\n");
    node.add_driver("later", "component = \"guest\"\n[grants.mounts]\n");
    node.add_driver("corrupt", "component = \"guest\"\n[grants.mounts]\n");
    let record = |name: &str| node.path("state/versions").join(format!("{name}.json"));
    fs::write(record("later"), r#"{"format":99,"active":[]}"#).expect("writable");
    fs::write(record("corrupt"), r#"{"format":1,"acti"#).expect("writable");
    let status = whole_status(&node);
    let drivers = status["drivers"].as_array().expect("a list");
    let names: Vec<&str> = drivers
        .iter()
        .filter_map(|it| it["name"].as_str())
        .collect();
    assert_eq!(names, ["broken", "corrupt", "guest", "later"]);
    for (driver, reason) in drivers.iter().zip([
        Some("unknown key \"components\""),
        Some("corrupt.json is corrupt"),
        None,
        Some("was written by a later version of Drivebay"),
    ]) {
        assert_eq!(driver["ready"], reason.is_none(), "{driver}");
        let told = driver["reason"].as_str();
        assert_eq!(told.is_some(), reason.is_some(), "{driver}");
        assert!(
            told.unwrap_or_default()
                .contains(reason.unwrap_or_default()),
            "{driver}"
        );
    }
    let lines = succeeds(&node, &["status"]);
    assert!(lines.contains("driver guest: ready\n"), "{lines}");
    assert!(lines.contains("driver broken: not ready: "), "{lines}");
}

#[test]
fn a_version_that_was_refused_is_told_with_its_step_and_the_old_one_stays() {
    let node = node();
    deliver(&node, &version(1));
    fs::write(node.path("source/guest.wasm"), "no component").expect("writable");
    take_up(&node);
    let driver = status(&node);
    let refused = &driver["refused"][0];
    assert_eq!(refused["step"], "check");
    assert_eq!(refused["source"], text(&node.path("source/guest.wasm")));
    assert!(is_rfc3339(&refused["since"]), "{refused}");
    assert_eq!(
        (&driver["ready"], &driver["active"]["version"]),
        (&json!(true), &json!("1.0.0"))
    );
}

#[test]
fn people_read_each_version_on_a_line_of_its_own() {
    let node = node();
    deliver(&node, &version(1));
    deliver(&node, &version(2));
    let second = digest(&status(&node)["active"]);
    succeeds(&node, &["rollback", "guest"]);
    let text = succeeds(&node, &["status"]);
    let short = &second[..12];
    let lines: Vec<&str> = text.lines().collect();
    let [driver, active, rejected, nobody] = lines.as_slice() else {
        panic!("{text}");
    };
    assert_eq!(*driver, "driver guest: ready");
    assert!(active.starts_with("  active     1.0.0 (sha256 "), "{text}");
    let expected = format!("  rejected   2.0.0 (sha256 {short}) by operator since ");
    assert!(rejected.starts_with(&expected), "{text}");
    assert!(
        rejected.ends_with(": rolled back by `drivebay rollback`"),
        "{text}"
    );
    assert_eq!(*nobody, "no process serves drivers here");
}

#[test]
fn a_process_tells_what_it_has_really_loaded_and_not_what_serves_by_now() {
    let node = node();
    deliver(&node, &version(1));
    let first = digest(&status(&node)["active"]);
    let csi = node.serve("guest");
    let loaded = || whole_status(&node)["processes"][0]["drivers"][0]["loaded"].clone();
    assert_eq!(loaded(), json!([]));
    call(&node, &csi);
    let one = json!([{ "sha256": first, "version": "1.0.0" }]);
    assert_eq!(loaded(), one);
    deliver(&node, &version(2));
    assert_eq!(loaded(), one, "no call came since");
    call(&node, &csi);
    let two = loaded();
    let versions = two.as_array().expect("a list").iter();
    let versions: BTreeSet<&str> = versions.filter_map(|it| it["version"].as_str()).collect();
    assert_eq!(versions, BTreeSet::from(["1.0.0", "2.0.0"]));
    let process = &whole_status(&node)["processes"][0];
    assert_eq!(
        (&process["answers"], &process["pid"]),
        (&json!(true), &json!(csi.process().as_raw()))
    );
    let lines = succeeds(&node, &["status"]);
    let short = &first[..12];
    let line = lines.lines().find(|line| line.starts_with("  loaded "));
    let line = line.expect("it is told");
    assert!(line.contains(&format!("1.0.0 (sha256 {short})")), "{line}");
    assert!(line.contains("2.0.0 (sha256 "), "{line}");
    assert!(csi.stop());
}

#[test]
fn where_nothing_is_configured_and_nobody_serves_there_is_nothing_to_show() {
    let node = Node::empty();
    node.add_driver("guest", GRANTS);
    fs::remove_file(node.path("etc/drivers.d/guest.toml")).expect("there");
    let (told, ended_well) = said(&node, &["status"]);
    assert!(
        !ended_well && told.contains("no driver is configured"),
        "{told}"
    );
}
