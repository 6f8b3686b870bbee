//! A component whose types are not the contract's is told so, by name, before anything of it is used.

use std::fs;

use drivebay_tests::{Node, WatGuest, repository, text};
use wit_parser::Resolve;

const GRANTS: &str = "component = \"guest\"\nflexvolume = \"drivebay/guest\"\ncsi-name = \"guest.example.com\"\n[grants.mounts]\n";
const SHIM: &str = "drivebay~guest/guest";

/// What a contract of somebody's own differs in, and what is said of it.
const DIFFERENT: [(&str, &str, &str, &str); 8] = [
    (
        "identity node",
        "max-volumes: u32",
        "max-volumes: u64",
        "in get-info of drivebay:driver/node@0.1.0, result.ok.max-volumes is u64, and in the contract it is u32",
    ),
    (
        "identity node",
        "get-health: func(volume: volume) -> result<health, error>;",
        "",
        "it exports drivebay:driver/node@0.1.0 without get-health, which the contract has as func(volume: record { id: string, context: list<tuple<string, string>>",
    ),
    (
        "identity controller",
        "        capacity-bytes: u64,\n",
        "",
        "result.ok.capacity-bytes is nothing, and in the contract it is u64",
    ),
    (
        "identity controller",
        "        published-node-ids: list<string>,\n",
        "        published-node-ids: list<string>,\n        color: string,\n",
        "in create-volume of drivebay:driver/controller@0.1.0, result.ok.color is string, and in the contract it is nothing",
    ),
    (
        "identity node",
        "        denied(string),\n",
        "        denied(string),\n        busy(u32),\n",
        "result.err.busy is a case with u32, and in the contract it is nothing",
    ),
    (
        "identity attachment",
        "        read-write,\n",
        "        read-write,\n        nobody,\n",
        "in attach-volume of drivebay:driver/attachment@0.1.0, access.nobody is a case, and in the contract it is nothing",
    ),
    (
        "identity expansion",
        "expand-volume: func(volume: volume, capacity: capacity-range) -> result<u64, error>;",
        "expand-volume: func(volume: volume) -> result<u64, error>;",
        "in expand-volume of drivebay:driver/expansion@0.1.0, the function is func(volume: record",
    ),
    (
        "identity attachment",
        "is-attached: func(volume: volume, node-id: string) -> result<bool, error>;",
        "is-attached: func(volume: volume, node-id: string) -> result<string, error>;",
        "in is-attached of drivebay:driver/attachment@0.1.0, result.ok is string, and in the contract it is bool",
    ),
];

#[track_caller]
fn refuses(node: &Node, arguments: &[&str], words: &str) {
    let output = node.drivebay(arguments).output().expect("drivebay runs");
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said).into_owned();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(
        said.contains("guest.wasm does not fit this host: "),
        "{said}"
    );
    assert!(said.contains(words), "{said}");
}

#[test]
fn a_type_that_differs_is_named_with_interface_function_and_field_wherever_a_component_is_looked_at()
 {
    let node = Node::empty();
    node.add_driver("guest", GRANTS);
    node.install(&[&WatGuest::named("guest").write(node.path("guest.wasm"))]);
    let stored = node.path("state/components/guest.wasm");
    let serving = fs::read_link(&stored).expect("a link");
    for (exports, from, to, words) in DIFFERENT {
        let guest = WatGuest::named("guest").exports(exports).changing(from, to);
        let file = guest.write(node.path("guest.wasm"));
        for command in ["inspect", "install", "compile"] {
            refuses(&node, &[command, text(&file)], words);
        }
        assert_eq!(fs::read_link(&stored).expect("a link"), serving);
    }
}

#[test]
fn one_that_was_put_into_the_store_by_hand_serves_nobody_and_says_why() {
    let node = Node::empty();
    let (_, from, to, words) = DIFFERENT[0];
    node.add_driver("guest", GRANTS);
    node.install(&[&WatGuest::named("guest").write(node.path("guest.wasm"))]);
    let stored = node.path("state/components/guest.wasm");
    fs::remove_file(&stored).expect("installed");
    WatGuest::named("guest").changing(from, to).write(stored);
    refuses(&node, &["check"], words);
    let target = node.pod("web");
    let answer = node.call_driver(SHIM, &["mount", text(&target), "{}"]);
    answer.fails_with(words);
    let by_hand = node.drivebay(&["run", "guest", "get-info"]).output();
    let said = String::from_utf8_lossy(&by_hand.expect("drivebay runs").stderr).into_owned();
    assert!(said.contains(words), "{said}");
    let csi = node.serve("guest");
    let status = csi.node_get_info(drivebay_tests::csi_proto::NodeGetInfoRequest {});
    let message = status.expect_err("it serves nobody").message().to_owned();
    assert!(message.contains(words), "{message}");
}

#[test]
fn a_later_contract_of_the_line_may_have_more_functions_and_one_that_is_imported_is_named() {
    let node = Node::empty();
    node.add_driver("guest", GRANTS);
    let later = WatGuest::named("guest").contract("0.1.7").changing(
        "get-info: func() -> result<node-info, error>;",
        "get-info: func() -> result<node-info, error>;\n    get-color: func() -> result<string, error>;",
    );
    node.install(&[&later.write(node.path("guest.wasm"))]);
    let file = WatGuest::named("guest")
        .imports("log")
        .changing(
            "write: func(level: level, message: string);",
            "write: func(level: level, message: string);\n    flush: func(patience: u32);",
        )
        .core("(import \"drivebay:driver/log@0.1.0\" \"flush\" (func $flush (param i32)))\n")
        .stage("(call $flush (i32.const 1))")
        .write(node.path("guest.wasm"));
    let words = "it imports flush of drivebay:driver/log@0.1.0 as func(patience: u32), which this host does not have";
    refuses(&node, &["inspect", text(&file)], words);
}

#[test]
fn an_author_can_target_each_world_and_begin_a_world_with_the_basic_one() {
    let mut resolve = Resolve::default();
    let (package, _) = resolve
        .push_dir(repository().join("wit"))
        .expect("valid WIT");
    let own = "package test:backend;\nworld backend { include drivebay:driver/basic@0.1.0; import drivebay:driver/https@0.1.0; export drivebay:driver/expansion@0.1.0; }";
    let own = resolve.push_str("backend.wit", own).expect("valid WIT");
    let exports = |package, world| {
        let world = resolve.select_world(&[package], Some(world));
        let world = &resolve.worlds[world.expect("it is there")];
        let names = world.exports.keys();
        let names: Vec<String> = names.map(|name| resolve.name_world_key(name)).collect();
        names
            .join(" ")
            .replace("drivebay:driver/", "")
            .replace("@0.1.0", "")
    };
    for world in [
        "everything",
        "basic",
        "share",
        "provisioned-share",
        "cloud-disk",
        "local",
    ] {
        let exported = exports(package, world);
        assert!(
            exported.contains("identity") && exported.contains("node"),
            "{exported}"
        );
    }
    assert_eq!(exports(package, "basic"), "identity controller node");
    assert_eq!(
        exports(own, "backend"),
        "expansion identity controller node"
    );
}
