//! What a guest answers is checked where it comes in: what is wrong names guest, export and field, and goes nowhere.

mod asks;
mod records;
mod wrong;

use std::fs;

use drivebay_tests::{Node, WatGuest, csi_proto as proto, refused};
use serde_json::{Value, json};
use tonic::Code;

use asks::{attach, attaching, create, info};
use records::{ok, volume, with};
use wrong::rows;

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
