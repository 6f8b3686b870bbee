//! What each export can answer that is wrong.

use drivebay_tests::Csi;
use serde_json::{Value, json};
use tonic::{Code, Status};

use super::asks::{
    attach, copy, create, expand, get, get_group, get_health, get_snapshot, info, list,
    list_health, list_snapshots, snap, snap_group,
};
use super::records::{snapshot, volume, with};

/// Who asks, which export answers, with which code that ends, and wrong answers: the record, the fields of it that are
/// wrong, and words of the message.
pub(super) struct Row {
    pub(super) ask: fn(&Csi) -> Result<(), Status>,
    pub(super) function: &'static str,
    pub(super) code: Code,
    pub(super) wrong: Vec<(Value, &'static str)>,
}

/// What a creation ends with has to be a code after which its caller asks again: something may have been made.
pub(super) fn rows() -> Vec<Row> {
    let large = "x".repeat(1 << 20);
    let page = |of: &str, items: Value, token: Value| json!({of: items, "next-token": token});
    let group = |fields: Value| {
        with(
            json!({"id": "g-1", "snapshots": [snapshot()], "created-at-seconds": 1}),
            fields,
        )
    };
    let row = |ask, function, code, wrong| Row {
        ask,
        function,
        code,
        wrong,
    };
    let made = |fields: Value| with(volume(), fields);
    let sick = |severity: &str, reason: &str| json!({"severity": severity, "reason": reason, "message": "m"});
    vec![
        row(
            create,
            "controller.create-volume",
            Code::Unavailable,
            vec![
                (
                    made(json!({"context": [["share", large]]})),
                    "wrong context: it has 1048581 bytes",
                ),
                (
                    made(json!({"context": [["share", "a\u{0}"]]})),
                    "wrong context: \"a\\0\" holds the character U+0000",
                ),
                (
                    made(json!({"context": [["sha\nre", "a"]]})),
                    "wrong context: \"sha\\nre\" holds the character U+000A",
                ),
                (
                    made(json!({"context": [["share", "a"], ["share", "b"]]})),
                    "wrong context: it has the key \"share\" twice",
                ),
                (
                    made(json!({"context": [["shared", "a"]]})),
                    "wrong context: it has the key \"shared\", which identity.describe does not know",
                ),
                (
                    made(json!({"capacity-bytes": 9})),
                    "wrong capacity-bytes: 9 bytes are less than the 10",
                ),
                (
                    made(json!({"capacity-bytes": 21})),
                    "wrong capacity-bytes: 21 bytes are more than the 20",
                ),
                (
                    made(json!({"id": "x".repeat(129)})),
                    "wrong id: it has 129 bytes",
                ),
                (
                    made(json!({"accessible-topology": [[["zone", "a b"]]]})),
                    "wrong accessible-topology: \"a b\" of zone is no value",
                ),
            ],
        ),
        row(
            copy,
            "cloning.clone-volume",
            Code::Unavailable,
            vec![
                (
                    volume(),
                    "wrong source: it is not what the volume was to begin with",
                ),
                (
                    made(json!({"source": {"volume": "v-1"}})),
                    "wrong source: it is not",
                ),
                (
                    made(json!({"source": {"volume": "v-0"}, "id": ""})),
                    "wrong id: it has 0 bytes",
                ),
            ],
        ),
        row(
            get,
            "controller.get-volume",
            Code::Internal,
            vec![
                (
                    made(json!({"id": "v-2"})),
                    "wrong id: it is \"v-2\", and \"v-1\" was asked for",
                ),
                (
                    made(json!({"published-node-ids": ["a\nb"]})),
                    "wrong published-node-ids: \"a\\nb\" holds",
                ),
                (
                    made(json!({"capacity-bytes": u64::MAX})),
                    "wrong capacity-bytes: ",
                ),
            ],
        ),
        row(
            list,
            "volume-listing.list-volumes",
            Code::Internal,
            vec![
                (
                    page("volumes", json!([volume(), volume()]), json!(null)),
                    "wrong volumes: there are 2, and 1 may be",
                ),
                (
                    page("volumes", json!([]), json!("here")),
                    "wrong next-token: it is the token that was asked with",
                ),
                (
                    page("volumes", json!([]), json!("x".repeat(1025))),
                    "wrong next-token, in bytes: there are 1025",
                ),
                (
                    page(
                        "volumes",
                        json!([made(json!({"context": [["", ""]]}))]),
                        json!(null),
                    ),
                    "wrong context: it has an empty key",
                ),
            ],
        ),
        row(
            get_health,
            "volume-health.get-volume-health",
            Code::Internal,
            vec![
                (
                    json!([sick("bad", "DiskLocked")]),
                    "wrong severity: \"bad\" is none that this host knows",
                ),
                (
                    json!([sick("degraded", "disk locked")]),
                    "wrong reason: \"disk locked\" is no word in CamelCase",
                ),
                (
                    json!([sick("degraded", "Locked"), sick("degraded", "Locked")]),
                    "wrong conditions: degraded Locked is there twice",
                ),
            ],
        ),
        row(
            list_health,
            "volume-health-listing.list-volume-health",
            Code::Internal,
            vec![
                (
                    page(
                        "volumes",
                        json!([{"id": "a\nb", "conditions": []}]),
                        json!(null),
                    ),
                    "wrong id: \"a\\nb\" holds",
                ),
                (
                    page(
                        "volumes",
                        json!([{"id": "a", "conditions": []}, {"id": "b", "conditions": []}]),
                        json!(null),
                    ),
                    "wrong volumes: there are 2, and 1 may be",
                ),
            ],
        ),
        row(
            attach,
            "attachment.attach-volume",
            Code::Internal,
            vec![
                (
                    json!([["serial", large]]),
                    "wrong publish context: it has 1048582 bytes",
                ),
                (
                    json!([["smuggled", "a"], ["smuggled", "b"]]),
                    "wrong publish context: it has the key \"smuggled\" twice",
                ),
                (
                    json!([["drivebay.dev/read-only", "true"]]),
                    "wrong publish context: the key \"drivebay.dev/read-only\" is the host's own",
                ),
            ],
        ),
        row(
            snap,
            "snapshots.create-snapshot",
            Code::Unavailable,
            vec![
                (
                    with(snapshot(), json!({"source-volume-id": "v-2"})),
                    "wrong source-volume-id: it is \"v-2\"",
                ),
                (
                    with(snapshot(), json!({"created-at-seconds": u64::MAX})),
                    "wrong created-at-seconds: ",
                ),
                (
                    with(snapshot(), json!({"id": "s\u{202e}1"})),
                    "wrong id: \"s\\u{202e}1\" holds the character U+202E",
                ),
            ],
        ),
        row(
            get_snapshot,
            "snapshots.get-snapshot",
            Code::Internal,
            vec![(
                with(snapshot(), json!({"id": "s-2"})),
                "wrong id: it is \"s-2\"",
            )],
        ),
        row(
            list_snapshots,
            "snapshot-listing.list-snapshots",
            Code::Internal,
            vec![(
                page(
                    "snapshots",
                    json!([with(snapshot(), json!({"source-volume-id": "v-2"}))]),
                    json!(null),
                ),
                "wrong source-volume-id: it is \"v-2\"",
            )],
        ),
        row(
            snap_group,
            "group-snapshots.create-group-snapshot",
            Code::Unavailable,
            vec![
                (
                    group(json!({"snapshots": []})),
                    "wrong snapshots: none is of volume \"v-1\"",
                ),
                (
                    group(json!({"snapshots": [snapshot(), snapshot()]})),
                    "wrong snapshots: \"s-1\" is there twice",
                ),
                (group(json!({"id": "g\t1"})), "wrong id: \"g\\t1\" holds"),
            ],
        ),
        row(
            get_group,
            "group-snapshots.get-group-snapshot",
            Code::Internal,
            vec![(group(json!({"id": "g-2"})), "wrong id: it is \"g-2\"")],
        ),
        row(
            expand,
            "expansion.expand-volume",
            Code::Unavailable,
            vec![
                (json!(9), "wrong size: 9 bytes are less than the 10"),
                (json!(21), "wrong size: 21 bytes are more than the 20"),
            ],
        ),
        row(
            info,
            "node.get-info",
            Code::Internal,
            vec![
                (
                    json!({"id": "x".repeat(193), "max-volumes": 1}),
                    "wrong id: it has 193 bytes",
                ),
                (
                    json!({"id": "a\rb", "max-volumes": 1}),
                    "wrong id: \"a\\rb\" holds",
                ),
            ],
        ),
    ]
}
