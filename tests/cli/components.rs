//! The component store: a swap takes effect with the next call, a bad one never, and whoever attached detaches.

use std::fs;
use std::os::unix::fs::MetadataExt;

use drivebay_tests::{Answer, Node, WatGuest, eventually, send, text};
use nix::sys::signal::Signal;
use nix::unistd::Pid;

const GRANTS: &str = "component = \"guest\"\nflexvolume = \"drivebay/guest\"\n[grants.mounts]\n[limits]\ncpu = \"60s\"\n";
const SHIM: &str = "drivebay~guest/guest";

/// A version of the guest that names itself in whatever it is asked to do.
fn version(number: u32) -> WatGuest {
    let fail = WatGuest::failing(10, 1024, "this is version 1".len());
    WatGuest::named("guest")
        .version(&format!("{number}.0.0"))
        .core(&format!(
            "(data (i32.const 1024) \"this is version {number}\")"
        ))
        .attaches(&fail)
        .stage(&fail)
}

#[track_caller]
fn node() -> Node {
    let node = Node::empty();
    node.add_driver("guest", GRANTS);
    install(&node, &version(1));
    node
}

#[track_caller]
fn install(node: &Node, guest: &WatGuest) {
    node.install(&[&guest.write(node.path("guest.wasm"))]);
}

const OPTIONS: &str = r#"{"kubernetes.io/pvOrVolumeName":"data"}"#;

/// The current version, as a call-out meets it.
#[track_caller]
fn current(node: &Node) -> Answer {
    node.call_driver(
        SHIM,
        &[
            "mountdevice",
            &node.pod("staging").to_string_lossy(),
            "",
            OPTIONS,
        ],
    )
}

fn kept(node: &Node) -> usize {
    fs::read_dir(node.path("state/components/sha256"))
        .expect("there")
        .count()
}

#[test]
fn a_new_version_serves_the_next_call_and_the_old_one_is_kept() {
    let node = node();
    current(&node).fails_with("this is version 1");
    install(&node, &version(2));
    current(&node).fails_with("this is version 2");
    assert_eq!(kept(&node), 2);
    install(&node, &version(1));
    current(&node).fails_with("this is version 1");
    assert_eq!(kept(&node), 2);
}

#[test]
fn a_broken_new_version_leaves_the_old_one_serving_and_says_so() {
    let node = node();
    let file = node.path("guest.wasm");
    for (what, component) in [
        (
            "traps when asked who it is",
            version(2).describe("unreachable").component(),
        ),
        (
            "of another contract",
            version(2).contract("0.2.0").component(),
        ),
        ("truncated", version(2).component()[..500].to_vec()),
        ("empty", Vec::new()),
    ] {
        fs::write(&file, component).expect("writable");
        let output = node
            .drivebay(&["install", &file.to_string_lossy()])
            .output()
            .expect("drivebay runs");
        assert_eq!(output.status.code(), Some(1), "{what}");
        assert!(
            String::from_utf8_lossy(&output.stderr).contains("guest.wasm"),
            "{what}"
        );
        current(&node).fails_with("this is version 1");
    }
    assert_eq!(kept(&node), 1);
}

#[test]
fn a_volume_is_detached_by_the_version_that_attached_it() {
    let node = node();
    node.call_driver(SHIM, &["attach", OPTIONS, "node-1"])
        .succeeds();
    install(&node, &version(2));
    node.call_driver(
        SHIM,
        &[
            "attach",
            r#"{"kubernetes.io/pvOrVolumeName":"other"}"#,
            "node-1",
        ],
    )
    .succeeds();
    node.call_driver(SHIM, &["detach", "data", "node-1"])
        .fails_with("this is version 1");
    node.call_driver(SHIM, &["detach", "other", "node-1"])
        .fails_with("this is version 2");
    node.call_driver(SHIM, &["detach", "unheard-of", "node-1"])
        .fails_with("this is version 2");
}

#[test]
fn a_version_that_is_gone_is_replaced_by_the_current_one_to_detach() {
    let node = node();
    node.call_driver(SHIM, &["attach", OPTIONS, "node-1"])
        .succeeds();
    fs::remove_dir_all(node.path("state/components")).expect("ours");
    install(&node, &version(2));
    node.call_driver(SHIM, &["detach", "data", "node-1"])
        .fails_with("this is version 2");
    assert!(
        node.log()
            .contains("the version that made the volume cannot be used"),
        "{}",
        node.log()
    );
}

/// As after an upgrade of the host, which trusts no code that an earlier one compiled.
#[test]
fn a_version_that_this_host_refuses_is_replaced_by_the_current_one_to_detach() {
    let node = node();
    node.call_driver(SHIM, &["attach", OPTIONS, "node-1"])
        .succeeds();
    let store = fs::read_dir(node.path("state/components/sha256")).expect("there");
    for old in store.flatten() {
        fs::write(old.path(), "no component").expect("ours");
    }
    fs::remove_dir_all(node.path("state/compiled")).expect("ours");
    install(&node, &version(2));
    node.call_driver(SHIM, &["detach", "data", "node-1"])
        .fails_with("this is version 2");
    assert!(
        node.log()
            .contains("the version that made the volume cannot be used"),
        "{}",
        node.log()
    );
}

/// As after an upgrade of the host: what an earlier one compiled is not for this one to run, and lies there under its name.
#[test]
fn a_version_whose_code_another_host_compiled_is_compiled_anew_to_detach() {
    let node = node();
    node.call_driver(SHIM, &["attach", OPTIONS, "node-1"])
        .succeeds();
    for entry in fs::read_dir(node.path("state/compiled")).expect("there") {
        let file = entry.expect("readable").path();
        let name = text(&file).replace("wasmtime-", "wasmtime-0.");
        assert_ne!(name, text(&file), "its name says by what it was compiled");
        fs::rename(&file, name).expect("ours");
    }
    install(&node, &version(2));
    node.call_driver(SHIM, &["detach", "data", "node-1"])
        .fails_with("this is version 1");
}

#[test]
fn a_call_in_flight_finishes_on_the_version_it_began_with() {
    // A second or so of work, in the midst of which it is stopped.
    let busy = "(loop $on (global.set $n (i32.add (global.get $n) (i32.const 1))) (br_if $on (i32.lt_u (global.get $n) (i32.const 500000000))))";
    let fail = WatGuest::failing(10, 1024, 7);
    let guest = version(1)
        .core("(global $n (mut i32) (i32.const 0))")
        .stage(&format!("{busy} {fail}"));
    let node = node();
    install(&node, &guest);
    let staging = node.pod("staging");
    let call = node
        .callout(
            SHIM,
            &["mountdevice", &staging.to_string_lossy(), "", OPTIONS],
        )
        .spawn()
        .expect("the shim runs");
    let shim = Pid::from_raw(call.id().cast_signed());
    let code = node.path("state/compiled");
    let maps = || fs::read_to_string(format!("/proc/{shim}/maps")).unwrap_or_default();
    eventually("the first version's code", || maps().contains(text(&code)));
    send(shim, Signal::SIGSTOP);
    install(&node, &version(2));
    send(shim, Signal::SIGCONT);
    let answer = Answer::of(&call.wait_with_output().expect("it ends"));
    answer.is(r#"{"status":"Failure","message":"this is"}"#);
    current(&node).fails_with("this is version 2");
}

#[test]
fn only_a_required_digest_may_serve() {
    let node = node();
    let require = format!(
        "component = \"guest\"\nflexvolume = \"drivebay/guest\"\nrequire = {{ sha256 = [\"{}\"] }}\n[grants.mounts]\n",
        "0".repeat(64)
    );
    node.add_driver("guest", &require);
    for arguments in [
        &["init"][..],
        &[
            "mountdevice",
            &node.pod("staging").to_string_lossy(),
            "",
            OPTIONS,
        ],
    ] {
        node.call_driver(SHIM, arguments)
            .fails_with(", which require.sha256 of driver guest does not list");
    }
    let link = fs::read_link(node.path("state/components/guest.wasm")).expect("a link");
    let digest = link
        .file_stem()
        .expect("named")
        .to_string_lossy()
        .into_owned();
    node.add_driver("guest", &require.replace(&"0".repeat(64), &digest));
    node.call_driver(SHIM, &["init"]).succeeds();
}

#[test]
fn a_link_that_lies_about_its_digest_serves_nothing_but_what_was_compiled() {
    // The store is root's; still, a file that was changed in place is not taken for what its name says.
    let node = node();
    let kept = fs::read_dir(node.path("state/components/sha256"))
        .expect("there")
        .next()
        .expect("one")
        .expect("readable")
        .path();
    fs::write(&kept, version(2).component()).expect("writable");
    fs::remove_dir_all(node.path("state/compiled")).expect("ours");
    let answer = current(&node);
    assert_eq!(answer.status(), "Failure");
    assert!(
        !answer.message().contains("this is version 2"),
        "{}",
        answer.text
    );
}

#[test]
fn a_file_dropped_into_the_store_is_compiled_by_the_first_call_that_needs_it() {
    let node = node();
    let file = node.path("state/components/guest.wasm");
    fs::remove_file(&file).expect("ours");
    fs::write(&file, version(2).component()).expect("writable");
    node.call_driver(SHIM, &["init"])
        .fails_with("component \"guest\" is not ready on this node");
    current(&node).fails_with("this is version 2");
    node.call_driver(SHIM, &["init"]).succeeds();
}

#[test]
fn a_driver_without_component_says_where_one_is_expected() {
    let node = node();
    fs::remove_dir_all(node.path("state/components")).expect("ours");
    for arguments in [
        &["init"][..],
        &[
            "mountdevice",
            &node.pod("staging").to_string_lossy(),
            "",
            OPTIONS,
        ],
    ] {
        node.call_driver(SHIM, arguments)
            .fails_with("there is no component \"guest\" in ");
    }
}

#[test]
fn installing_twice_changes_nothing() {
    let node = node();
    let compiled = || {
        let files = fs::read_dir(node.path("state/compiled")).expect("there");
        let files = files.map(|file| file.expect("readable"));
        let mut files: Vec<_> = files
            .map(|file| (file.file_name(), file.metadata().expect("there").ino()))
            .collect();
        files.sort();
        files
    };
    let before = compiled();
    install(&node, &version(1));
    assert_eq!((kept(&node), compiled()), (1, before), "compiled again");
    current(&node).fails_with("this is version 1");
}
