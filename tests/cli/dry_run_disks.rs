//! Disks and clouds in a dry run: what a server answers stands on a tape, a volume's disk shows once it is attached, and
//! signatures are made by a key that is nobody's.

use std::fs;

use drivebay_tests::text;
use serde_json::{Value, json};

use crate::trial::Trial;

const GIB: u64 = 1 << 30;

/// A component that is tried against a tape.
struct TapeTrial {
    trial: Trial,
    tape: String,
}

impl TapeTrial {
    fn of(name: &str, tape: &[Value]) -> Self {
        let trial = Trial::of(name);
        let file = trial.node.path("tape.jsonl");
        let lines: Vec<String> = tape.iter().map(Value::to_string).collect();
        fs::write(&file, lines.join("\n")).expect("writable");
        let tape = text(&file).to_owned();
        Self { trial, tape }
    }

    fn with_tape<'a>(&'a self, arguments: &[&'a str]) -> Vec<&'a str> {
        [&["--http", &self.tape], arguments].concat()
    }

    #[track_caller]
    fn answers(&self, arguments: &[&str]) -> (Value, String) {
        self.trial.answers(&self.with_tape(arguments))
    }

    #[track_caller]
    fn refuses(&self, arguments: &[&str], words: &str) -> String {
        self.trial.refuses(&self.with_tape(arguments), words)
    }
}

fn line(request: Value, body: Value) -> Value {
    json!({ "request": request, "response": { "body": body } })
}

/// The imaginary cloud's disk `d-1`.
fn disk(state: &str, gigabytes: u64) -> Value {
    let node = (state == "attached").then_some("n1");
    json!({
        "id": "d-1", "gigabytes": gigabytes, "type": "standard", "zone": "a", "serial": "serial-of-d-1",
        "state": state, "node": node, "snapshot": null,
    })
}

#[test]
fn a_disks_life_from_its_cloud_to_a_pod() {
    let trial = TapeTrial::of(
        "cloud-disk",
        &[
            line(
                json!({ "method": "POST", "path": "/disks", "json": { "gigabytes": 1 } }),
                disk("available", 1),
            ),
            line(
                json!({ "method": "POST", "path": "/disks/d-1/attachment" }),
                disk("attached", 1),
            ),
            line(
                json!({ "method": "GET", "path": "/disks/d-1" }),
                disk("attached", 1),
            ),
            line(
                json!({ "method": "PATCH", "path": "/disks/d-1" }),
                disk("attached", 2),
            ),
            line(json!({ "method": "DELETE" }), Value::Null),
        ],
    );
    let (volume, shown) = trial.answers(&["create-volume", "--name", "pvc-1", "--size", "1Gi"]);
    assert_eq!(
        (&volume["id"], &volume["capacity-bytes"]),
        (&json!("d-1"), &json!(GIB))
    );
    assert!(
        shown.contains("signing.open-key name=\"access-key\" -> signing-key"),
        "{shown}"
    );
    assert!(shown.contains("signing.sign "), "{shown}");

    let (staging, pod) = ("/nonexistent/staging", "/nonexistent/pod");
    let stage = ["stage-volume", "d-1", "--path", staging];
    let unattached = ["--publish-context", "serial=serial-of-d-1"];
    trial.refuses(&[&stage[..], &unattached].concat(), "serial-of-d-1");
    trial.answers(&["attach-volume", "d-1", "--node", "n1"]);
    let (_, shown) = trial.answers(&stage);
    assert!(
        shown.contains("block-devices.ensure-filesystem device="),
        "{shown}"
    );
    trial.answers(&["publish-volume", "d-1", "--path", pod]);
    let expand = ["expand-volume", "d-1", "--size", "2Gi"];
    assert_eq!(
        trial.answers(&expand).0,
        json!({ "capacity-bytes": 2 * GIB })
    );
    let fill = ["expand-on-node", "d-1", "--size", "2Gi"];
    assert_eq!(trial.answers(&fill).0, json!({ "grown": "filesystem" }));
    trial.refuses(
        &["expand-on-node", "d-1", "--size", "3Gi"],
        "must have 3221225472 first",
    );
    trial.answers(&["unpublish-volume", "--path", pod]);
    trial.answers(&["unstage-volume", "--path", staging]);
    trial.answers(&["detach-volume", "d-1", "--node", "n1"]);
}

#[test]
fn what_the_tape_lacks_is_said_as_it_would_be_written() {
    let trial = TapeTrial::of("alicloud-disk", &[]);
    let create = ["create-volume", "--name", "pvc-1", "--size", "20Gi"];
    let zone = ["--parameter", "zoneId=region-1-a"];
    let shown = trial.refuses(
        &[&create[..], &zone].concat(),
        "no line of --http FILE answers",
    );
    let proposed = shown.lines().find(|line| line.starts_with("{\"request\""));
    let proposed: Value = serde_json::from_str(proposed.expect("a line")).expect("JSON");
    assert_eq!(
        proposed["request"]["headers"]["x-acs-action"],
        "DescribeDisks"
    );
    let said = proposed.to_string();
    assert!(
        !said.contains("signature") && !said.contains("authorization"),
        "{said}"
    );
}

#[test]
fn a_disk_of_a_real_cloud_is_made_on_a_tape() {
    let action = |name: &str, query: Value| json!({ "endpoint": "ecs", "headers": { "x-acs-action": name }, "query": query });
    let made = json!({
        "DiskId": "d-bp1made", "Status": "Available", "Category": "cloud_essd", "PerformanceLevel": "PL1",
        "Size": 20, "ZoneId": "region-1-a", "CreationTime": "2026-01-01T00:00:00Z",
    });
    let trial = TapeTrial::of(
        "alicloud-disk",
        &[
            line(
                action("DescribeDisks", json!({ "DiskIds": "[\"d-bp1made\"]" })),
                json!({ "Disks": { "Disk": [made] } }),
            ),
            line(
                action("DescribeDisks", json!({ "Tag.1.Value": "pvc-1" })),
                json!({ "Disks": { "Disk": [] } }),
            ),
            line(
                action("CreateDisk", json!({ "Size": "20", "ClientToken": "*" })),
                json!({ "DiskId": "d-bp1made" }),
            ),
        ],
    );
    let create = ["create-volume", "--name", "pvc-1", "--size", "20Gi"];
    let class = [
        "--parameter",
        "zoneId=region-1-a",
        "--parameter",
        "type=cloud_essd",
    ];
    let (volume, shown) = trial.answers(&[&create[..], &class].concat());
    assert_eq!(volume["id"], "d-bp1made");
    assert_eq!(volume["capacity-bytes"], 20 * GIB);
    assert!(shown.contains("https.authority endpoint="), "{shown}");
}

#[test]
fn a_disk_that_is_said_to_be_there_is() {
    let trial = TapeTrial::of("cloud-disk", &[]);
    let stage = [
        "stage-volume",
        "d-1",
        "--path",
        "/nonexistent/device",
        "--block",
    ];
    let context = ["--publish-context", "serial=serial-of-d-1"];
    let there = ["--device", "serial-of-d-1=4Gi"];
    let (_, shown) = trial.answers(&[&there[..], &stage, &context].concat());
    assert!(shown.contains("block-devices.bind device="), "{shown}");
}

#[test]
fn a_tape_that_is_wrong_is_named_with_its_line() {
    let trial = TapeTrial::of(
        "cloud-disk",
        &[line(json!({}), Value::Null), json!({ "request": {} })],
    );
    trial.refuses(
        &["get-info"],
        "line 2 of the tape is wrong: missing field `response`",
    );
}
