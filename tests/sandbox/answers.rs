//! What a guest answers is checked where it comes in: what is wrong names guest, export and field, and goes nowhere.

use std::fs;

use drivebay_tests::csi_proto::volume_capability::access_mode::Mode;
use drivebay_tests::csi_proto::{self as proto, volume_content_source};
use drivebay_tests::{Csi, Node, WatGuest, mounted, refused};
use serde_json::{Value, json};
use tonic::{Code, Status};

/// By the endpoint a guest tells a call from its self-test, and lies in calls alone.
const GRANTS: &str = r#"
component = "guest"
csi-name = "guest.example.com"
[grants.mounts]
[grants.https.cloud]
origin = "https://127.0.0.1"
methods = ["GET"]
paths = ["/"]
"#;

const EXPORTS: &str = "identity controller volume-listing volume-health volume-health-listing capacity cloning attachment snapshots snapshot-listing group-snapshots expansion modification node attach-limit accessibility";

/// A guest that exports everything and knows one parameter of volumes, one of classes.
fn guest() -> WatGuest {
    let parameter = |name: &str, scope: &str| json!({"name": name, "scope": scope, "required": false, "default": null, "description": name});
    let parameters = [
        parameter("share", "volume"),
        parameter("type", "storage-class"),
    ];
    WatGuest::named("guest").exports(EXPORTS).answers(
        "identity.describe",
        json!({"name": "guest", "version": "1.0.0", "summary": "A guest.", "parameters": parameters}),
    )
}

fn install(node: &Node, guest: &WatGuest) {
    node.install(&[&guest.write(node.path("guest.wasm"))]);
}

fn volume() -> Value {
    json!({"id": "v-1", "capacity-bytes": 10, "context": [["share", "a"]], "source": null, "accessible-topology": [], "published-node-ids": []})
}

fn snapshot() -> Value {
    json!({"id": "s-1", "source-volume-id": "v-1", "size-bytes": 1, "created-at-seconds": 1, "ready-to-use": true, "group-id": null})
}

/// The same with other fields.
fn with(value: Value, fields: Value) -> Value {
    let (Value::Object(mut value), Value::Object(fields)) = (value, fields) else {
        panic!("records have fields");
    };
    value.extend(fields);
    Value::Object(value)
}

fn ok(value: Value) -> Value {
    json!({ "ok": value })
}

fn creation() -> proto::CreateVolumeRequest {
    proto::CreateVolumeRequest {
        name: "pvc-1".to_owned(),
        capacity_range: Some(proto::CapacityRange {
            required_bytes: 10,
            limit_bytes: 20,
        }),
        volume_capabilities: vec![mounted(Mode::SingleNodeWriter)],
        ..proto::CreateVolumeRequest::default()
    }
}

fn create(csi: &Csi) -> Result<(), Status> {
    csi.create_volume(creation()).map(drop)
}

fn copy(csi: &Csi) -> Result<(), Status> {
    let source = volume_content_source::VolumeSource {
        volume_id: "v-0".to_owned(),
    };
    let source = proto::VolumeContentSource {
        r#type: Some(volume_content_source::Type::Volume(source)),
    };
    csi.create_volume(proto::CreateVolumeRequest {
        volume_content_source: Some(source),
        ..creation()
    })
    .map(drop)
}

fn get(csi: &Csi) -> Result<(), Status> {
    let volume_id = "v-1".to_owned();
    csi.controller_get_volume(proto::ControllerGetVolumeRequest { volume_id })
        .map(drop)
}

fn list(csi: &Csi) -> Result<(), Status> {
    csi.list_volumes(proto::ListVolumesRequest {
        max_entries: 1,
        starting_token: "here".to_owned(),
    })
    .map(drop)
}

fn get_health(csi: &Csi) -> Result<(), Status> {
    csi.controller_get_volume_health(proto::ControllerGetVolumeHealthRequest {
        volume_id: "v-1".to_owned(),
        ..proto::ControllerGetVolumeHealthRequest::default()
    })
    .map(drop)
}

fn list_health(csi: &Csi) -> Result<(), Status> {
    csi.controller_list_volume_health(proto::ControllerListVolumeHealthRequest {
        max_entries: 1,
        ..proto::ControllerListVolumeHealthRequest::default()
    })
    .map(drop)
}

fn attaching() -> proto::ControllerPublishVolumeRequest {
    proto::ControllerPublishVolumeRequest {
        volume_id: "v-1".to_owned(),
        node_id: "node-1".to_owned(),
        volume_capability: Some(mounted(Mode::SingleNodeWriter)),
        volume_context: [("share".to_owned(), "a".to_owned())].into(),
        ..proto::ControllerPublishVolumeRequest::default()
    }
}

fn attach(csi: &Csi) -> Result<(), Status> {
    csi.controller_publish_volume(attaching()).map(drop)
}

fn snap(csi: &Csi) -> Result<(), Status> {
    csi.create_snapshot(proto::CreateSnapshotRequest {
        name: "snap-1".to_owned(),
        source_volume_id: "v-1".to_owned(),
        ..proto::CreateSnapshotRequest::default()
    })
    .map(drop)
}

fn get_snapshot(csi: &Csi) -> Result<(), Status> {
    csi.get_snapshot(proto::GetSnapshotRequest {
        snapshot_id: "s-1".to_owned(),
        ..proto::GetSnapshotRequest::default()
    })
    .map(drop)
}

fn list_snapshots(csi: &Csi) -> Result<(), Status> {
    csi.list_snapshots(proto::ListSnapshotsRequest {
        source_volume_id: "v-1".to_owned(),
        ..proto::ListSnapshotsRequest::default()
    })
    .map(drop)
}

fn snap_group(csi: &Csi) -> Result<(), Status> {
    csi.create_volume_group_snapshot(proto::CreateVolumeGroupSnapshotRequest {
        name: "group-1".to_owned(),
        source_volume_ids: vec!["v-1".to_owned()],
        ..proto::CreateVolumeGroupSnapshotRequest::default()
    })
    .map(drop)
}

fn get_group(csi: &Csi) -> Result<(), Status> {
    csi.get_volume_group_snapshot(proto::GetVolumeGroupSnapshotRequest {
        group_snapshot_id: "g-1".to_owned(),
        snapshot_ids: vec!["s-1".to_owned()],
        ..proto::GetVolumeGroupSnapshotRequest::default()
    })
    .map(drop)
}

fn expand(csi: &Csi) -> Result<(), Status> {
    csi.controller_expand_volume(proto::ControllerExpandVolumeRequest {
        volume_id: "v-1".to_owned(),
        capacity_range: creation().capacity_range,
        ..proto::ControllerExpandVolumeRequest::default()
    })
    .map(drop)
}

fn info(csi: &Csi) -> Result<(), Status> {
    csi.node_get_info(proto::NodeGetInfoRequest {}).map(drop)
}

/// Who asks, which export answers, with which code that ends, and wrong answers: the record, the fields of it that are
/// wrong, and words of the message.
struct Row {
    ask: fn(&Csi) -> Result<(), Status>,
    function: &'static str,
    code: Code,
    wrong: Vec<(Value, &'static str)>,
}

/// What a creation ends with has to be a code after which its caller asks again: something may have been made.
fn rows() -> Vec<Row> {
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

#[test]
fn each_wrong_answer_of_each_export_names_guest_export_and_field_and_is_kept_nowhere() {
    let node = Node::empty();
    node.add_driver("guest", GRANTS);
    install(&node, &guest());
    let csi = node.serve("guest");
    let rows = rows();
    let rounds = rows.iter().map(|row| row.wrong.len()).max();
    for round in 0..rounds.expect("there are some") {
        // One guest for as many exports as there are, because each is compiled.
        let wrong = rows
            .iter()
            .filter_map(|row| Some((row, row.wrong.get(round)?)));
        let wrong: Vec<_> = wrong.collect();
        let spoilt = wrong.iter().fold(guest(), |guest, (row, (answer, _))| {
            guest.answers_if_granted(row.function, ok(answer.clone()))
        });
        install(&node, &spoilt);
        for (row, (_, words)) in wrong {
            let message = refused((row.ask)(&csi), row.code);
            let begin = format!("guest guest 1.0.0 answered {} with a {words}", row.function);
            assert!(message.starts_with(&begin), "{begin}\n{message}");
        }
    }
    // That it was to be attached is known, so that it can be undone; nothing that was answered is.
    for file in node.journal() {
        let kept = fs::read_to_string(&file).unwrap_or_default();
        assert!(
            !kept.contains("smuggled") && !kept.contains("xxxx"),
            "{kept}"
        );
    }
}

#[test]
fn what_a_wrong_answer_left_behind_is_found_and_undone_by_a_version_that_answers_well() {
    let node = Node::empty();
    node.add_driver("guest", GRANTS);
    let spoilt = guest()
        .answers(
            "attachment.attach-volume",
            ok(json!([["a", "1"], ["a", "2"]])),
        )
        .answers(
            "controller.create-volume",
            ok(with(volume(), json!({"capacity-bytes": 1}))),
        );
    install(&node, &spoilt);
    let csi = node.serve("guest");
    refused(create(&csi), Code::Unavailable);
    refused(attach(&csi), Code::Internal);
    let mended = guest()
        .answers("attachment.attach-volume", ok(json!([["serial", "1"]])))
        .answers("attachment.detach-volume", ok(json!(null)))
        .answers("controller.create-volume", ok(volume()))
        .answers("controller.delete-volume", ok(json!(null)));
    install(&node, &mended);
    create(&csi).expect("the same name finds the same volume");
    let attached = csi
        .controller_publish_volume(attaching())
        .expect("attached");
    assert_eq!(attached.publish_context["serial"], "1");
    csi.controller_unpublish_volume(proto::ControllerUnpublishVolumeRequest {
        volume_id: "v-1".to_owned(),
        node_id: "node-1".to_owned(),
        ..proto::ControllerUnpublishVolumeRequest::default()
    })
    .expect("detached");
    csi.delete_volume(proto::DeleteVolumeRequest {
        volume_id: "v-1".to_owned(),
        ..proto::DeleteVolumeRequest::default()
    })
    .expect("deleted");
    assert!(node.journal().is_empty(), "{:?}", node.journal());
}

#[test]
fn a_wrong_place_of_the_node_is_not_registered() {
    let node = Node::empty();
    node.add_driver("guest", GRANTS);
    let placed = |place: Value| {
        let guest = guest()
            .answers("node.get-info", ok(json!({"id": "n-1", "max-volumes": 3})))
            .answers_if_granted("accessibility.get-topology", ok(place));
        install(&node, &guest);
    };
    placed(json!([["topology.kubernetes.io/zone", "a"]]));
    let csi = node.serve_with("guest", &["--max-volumes-per-node", "3"]);
    info(&csi).expect("good");
    for (place, words) in [
        (
            json!([["zone", "a"], ["Zone", "b"]]),
            "twice, in different cases",
        ),
        (json!([["a/b/c", "a"]]), "\"a/b/c\" is no key of a topology"),
        (json!([["zone", ""]]), "\"\" of zone is no value"),
    ] {
        placed(place);
        let message = refused(info(&csi), Code::Internal);
        assert!(
            message.contains("answered accessibility.get-topology with a wrong place: "),
            "{message}"
        );
        assert!(message.contains(words), "{message}");
    }
}

#[test]
fn a_description_that_cannot_be_one_is_refused_before_anything_is_installed() {
    let node = Node::empty();
    let described = |fields: Value| {
        let good = json!({"name": "guest", "version": "1.0.0", "summary": "", "parameters": []});
        WatGuest::named("guest").answers("identity.describe", with(good, fields))
    };
    let parameter = |name: &str| json!({"name": name, "scope": "volume", "required": false, "default": null, "description": ""});
    for (fields, words) in [
        (json!({"name": ""}), "wrong name: it is empty"),
        (
            json!({"name": "a\nb"}),
            "wrong name: \"a\\nb\" holds the character U+000A",
        ),
        (
            json!({"name": "Host Dir!"}),
            "wrong name: \"Host Dir!\" has something else than ASCII letters, digits",
        ),
        (json!({"name": ".."}), "or begins with \".\""),
        (
            json!({"version": "v1"}),
            "wrong version: \"v1\" is none of semantic versioning, such as \"1.2.3\": unexpected character 'v'",
        ),
        (
            json!({"version": "x".repeat(129)}),
            "wrong version, in bytes: there are 129, and 128 may be",
        ),
        (
            json!({"parameters": [parameter("a\u{0}")]}),
            "wrong parameter: \"a\\0\" holds",
        ),
        (
            json!({"parameters": [parameter("a"), parameter("A")]}),
            "describes the parameter \"A\" twice",
        ),
    ] {
        let file = described(fields).write(node.path("guest.wasm"));
        let output = node
            .drivebay(&["install"])
            .arg(&file)
            .output()
            .expect("drivebay runs");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert!(
            said.contains(
                "guest.wasm failed its self-test: the component answered identity.describe with a "
            ),
            "{said}"
        );
        assert!(said.contains(words), "{said}");
    }
}
