//! A component is tried before it is installed: what only reads is called once, with nothing granted. One that breaks down
//! gets neither into the store nor into the place of the version before.

use std::fs;

use drivebay_tests::{Node, WatGuest, text};
use serde_json::{Value, json};

const GRANTS: &str = "component = \"guest\"\nflexvolume = \"drivebay/guest\"\n[grants.mounts]\n";

const LIST_VOLUMES: &str = "drivebay:driver/volume-listing@0.1.0#list-volumes";
const GET_INFO: &str = "drivebay:driver/node@0.1.0#get-info";

const FOR_EVER: &str = "(loop $on (br $on))";
const ALL_MEMORY: &str =
    "(loop $more (br_if $more (i32.ne (memory.grow (i32.const 64)) (i32.const -1)))) unreachable";

fn guest() -> WatGuest {
    WatGuest::named("guest").exports("identity volume-listing node")
}

/// One that does this when it is asked for its volumes, which it has a maximum and perhaps a token for.
fn listing(body: &str) -> WatGuest {
    guest().core(&format!(
        "(func (export \"{LIST_VOLUMES}\") (param i32 i32 i32 i32) (result i32) {body} (i32.const 64))"
    ))
}

/// One that does this when it is asked which node it is on.
fn on_a_node(body: &str) -> WatGuest {
    guest().core(&format!(
        "(func (export \"{GET_INFO}\") (result i32) {body} (i32.const 64))"
    ))
}

/// What `drivebay install` says against it.
#[track_caller]
fn refusal(node: &Node, guest: &WatGuest) -> String {
    let file = guest.write(node.path("guest.wasm"));
    let output = node
        .drivebay(&["install", text(&file)])
        .output()
        .expect("drivebay runs");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{said}");
    said
}

/// How many files of compiled code are kept.
fn kept(node: &Node) -> usize {
    fs::read_dir(node.path("state/compiled")).map_or(0, |files| files.count())
}

#[test]
fn a_component_that_breaks_down_when_something_is_read_is_refused_by_that_functions_name() {
    let node = Node::empty();
    node.add_driver("guest", GRANTS);
    for (guest, words) in [
        (
            listing("unreachable"),
            "guest guest 1.0.0 failed in list-volumes: wasm trap: wasm `unreachable` instruction executed",
        ),
        (
            on_a_node("unreachable"),
            "guest guest 1.0.0 failed in get-info: wasm trap: wasm `unreachable` instruction executed",
        ),
        (
            listing(FOR_EVER),
            "guest guest 1.0.0 was not done with volume-listing.list-volumes when all that a self-test asks had taken ",
        ),
        (
            on_a_node(ALL_MEMORY),
            "guest guest 1.0.0 failed in get-info: it wanted more than 65536 KiB of memory",
        ),
    ] {
        let said = refusal(&node, &guest);
        let expected = format!("guest.wasm failed its self-test: {words}");
        assert!(said.contains(&expected), "{expected}\n{said}");
        assert!(!node.path("state/components/guest.wasm").exists());
        assert_eq!(kept(&node), 0);
    }
}

#[test]
fn an_answer_that_no_caller_may_believe_is_found_before_there_is_a_caller() {
    let node = Node::empty();
    node.add_driver("guest", GRANTS);
    let volume = |id: &str| json!({"id": id, "capacity-bytes": 1, "context": [], "source": null, "accessible-topology": [], "published-node-ids": []});
    let answer = |function: &str, answer: Value| guest().answers(function, json!({"ok": answer}));
    for (guest, words) in [
        (
            answer(
                "volume-listing.list-volumes",
                json!({"volumes": [volume("a"), volume("b")], "next-token": null}),
            ),
            "guest guest 1.0.0 answered volume-listing.list-volumes with a wrong volumes: there are 2, and 1 may be",
        ),
        (
            answer("node.get-info", json!({"id": "a\nb", "max-volumes": 1})),
            "guest guest 1.0.0 answered node.get-info with a wrong id: ",
        ),
    ] {
        let said = refusal(&node, &guest);
        assert!(said.contains(words), "{words}\n{said}");
        assert_eq!(kept(&node), 0);
    }
}

#[test]
fn an_error_and_an_answer_that_can_be_believed_are_both_good() {
    let node = Node::empty();
    node.add_driver("guest", GRANTS);
    let informed = guest().answers(
        "node.get-info",
        json!({"ok": {"id": "node-1", "max-volumes": 3}}),
    );
    for (version, guest) in [("1.0.0", informed), ("1.0.1", guest())] {
        let file = guest.version(version).write(node.path("guest.wasm"));
        node.install(&[&file]);
        assert!(node.path("state/components/guest.wasm").exists());
    }
    assert_eq!(kept(&node), 4, "code and manifest of two versions");
}

#[test]
fn a_version_that_breaks_down_leaves_the_one_before_in_its_place() {
    let node = Node::empty();
    node.add_driver("guest", GRANTS);
    node.install(&[&guest().write(node.path("guest.wasm"))]);
    let link = node.path("state/components/guest.wasm");
    let before = fs::read_link(&link).expect("installed");
    refusal(&node, &listing("unreachable").version("2.0.0"));
    assert_eq!(fs::read_link(&link).expect("installed"), before);
    assert_eq!(kept(&node), 2);
}

#[test]
fn whoever_compiles_or_looks_at_a_component_hears_of_it_too() {
    let node = Node::empty();
    let file = listing("unreachable").write(node.path("guest.wasm"));
    for command in ["inspect", "compile"] {
        let output = node
            .drivebay(&[command, text(&file)])
            .output()
            .expect("drivebay runs");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(1), "{command}: {said}");
        assert!(said.contains("failed in list-volumes"), "{command}: {said}");
    }
}
