//! Components and configuration that are missing, damaged or wrong after everything once worked.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use drivebay_tests::{Node, Volume, guest, text};

/// What stays possible whatever became of the component: taking a volume away.
#[track_caller]
fn teardown_of_a_pod_works(node: &Node, volume: &Volume<'_>) {
    let pod = node.path("pods/web");
    volume.unmount(&pod).succeeds();
    Node::holds_no_mount(&pod);
}

fn with_a_pod(node: &Node) -> Volume<'_> {
    let volume = Volume::new(node, "v1", &[]).staged();
    volume.mount(&node.pod("web")).succeeds();
    volume
}

#[test]
fn a_missing_component_is_named_and_a_pod_can_still_go() {
    let node = Node::with_local("v1");
    let volume = with_a_pod(&node);
    let link = node.path("state/components/local.wasm");
    let target = fs::read_link(&link).expect("a link");
    fs::remove_file(&link).expect("there");
    node.unchanged_by(|| {
        let words = "there is no component \"local\"";
        node.call(&["init"]).fails_with(words);
        volume.attach().fails_with(words);
        volume.mount(&node.path("pods/db")).fails_with(words);
    });
    teardown_of_a_pod_works(&node, &volume);
    std::os::unix::fs::symlink(target, &link).expect("writable");
    volume.mount(&node.path("pods/db")).succeeds();
}

#[test]
fn a_component_that_was_damaged_after_it_was_compiled_is_not_read_again() {
    let node = Node::with_local("v1");
    let kept = fs::read_dir(node.path("state/components/sha256"))
        .expect("there")
        .flatten();
    for file in kept {
        fs::write(file.path(), "gone").expect("writable");
    }
    with_a_pod(&node);
}

#[test]
fn a_broken_component_put_in_by_hand_is_refused() {
    let node = Node::with_local("v1");
    let volume = with_a_pod(&node);
    let link = node.path("state/components/local.wasm");
    let whole = fs::read(guest("local")).expect("built");
    fs::remove_file(&link).expect("there");
    for broken in [
        &b""[..],
        b"#!/bin/sh\n",
        b"\0asm\x01\0\0\0",
        &whole[..whole.len() / 2],
    ] {
        fs::write(&link, broken).expect("writable");
        node.unchanged_by(|| {
            node.call(&["init"])
                .fails_with("component \"local\" is not ready on this node");
            volume.attach().fails_with("component \"local\"");
            volume
                .mount(&node.path("pods/db"))
                .fails_with("component \"local\"");
        });
    }
    teardown_of_a_pod_works(&node, &volume);
}

#[test]
fn an_install_of_something_broken_leaves_the_old_one_serving() {
    let node = Node::with_local("v1");
    let before = fs::read_link(node.path("state/components/local.wasm")).expect("a link");
    let broken = node.path("local.wasm");
    let whole = fs::read(guest("local")).expect("built");
    for content in [&b""[..], b"\0asm\x01\0\0\0", &whole[..whole.len() / 2]] {
        fs::write(&broken, content).expect("writable");
        let output = node
            .drivebay(&["install", text(&broken)])
            .output()
            .expect("drivebay runs");
        assert!(!output.status.success());
        let reason = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(
            reason.contains("local.wasm is not a WebAssembly component"),
            "{reason}"
        );
    }
    assert_eq!(
        fs::read_link(node.path("state/components/local.wasm")).expect("a link"),
        before
    );
    with_a_pod(&node);
}

#[test]
fn compiled_code_that_is_lost_is_made_again_by_the_first_call_that_needs_it() {
    let node = Node::with_local("v1");
    let volume = Volume::new(&node, "v1", &[]);
    fs::remove_dir_all(node.path("state/compiled")).expect("there");
    // `init` holds up all of kubelet, so it never compiles.
    node.unchanged_by(|| node.call(&["init"]).fails_with("run `drivebay install`"));
    volume.attach().succeeds();
    node.call(&["init"]).succeeds();
}

#[test]
fn a_missing_configuration_names_the_directory() {
    let node = Node::with_local("v1");
    fs::rename(node.path("etc"), node.path("gone")).expect("ours");
    node.unchanged_by(|| {
        let directory = node.path("etc/drivers.d");
        node.call(&["init"])
            .fails_with(&format!("cannot read {}", directory.display()));
    });
}

#[test]
fn a_driver_without_a_grants_file_is_named() {
    let node = Node::with_local("v1");
    fs::remove_file(node.path("etc/drivers.d/local.toml")).expect("there");
    node.unchanged_by(|| {
        node.call(&["init"])
            .fails_with("serves flexvolume = \"drivebay/local\"")
    });
}

#[test]
fn a_wrong_grants_file_names_the_file_the_key_and_what_is_right() {
    let node = Node::with_local("v1");
    let volume = Volume::new(&node, "v1", &[]);
    let good = node.local_grants();
    let wrong = [
        (
            format!("{good}[grants.mount]\n"),
            "unknown key \"grants.mount\"; did you mean \"grants.mounts\"?",
        ),
        (
            format!("{good}[grants.network]\n"),
            "unknown key \"grants.network\"",
        ),
        (
            good.replace("read-write", "write"),
            "grants.files.access is \"write\"",
        ),
        (
            good.replace("component = \"local\"", "component = 7"),
            "component must be a string",
        ),
        (format!("{good}\n\"half"), "is not valid TOML"),
        (String::new(), "component is missing"),
    ];
    node.unchanged_by(|| {
        for (grants, words) in &wrong {
            node.add_driver("local", grants);
            for answer in [node.call(&["init"]), volume.attach()] {
                let answer = answer.fails_with(words);
                assert!(
                    answer.message().contains("/etc/drivers.d/local.toml"),
                    "{}",
                    answer.text
                );
            }
        }
        node.add_driver("local", &good);
    });
}

#[test]
fn a_grants_file_that_others_could_write_is_not_trusted() {
    let node = Node::with_local("v1");
    let file = node.path("etc/drivers.d/local.toml");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o666)).expect("ours");
    node.unchanged_by(|| {
        node.call(&["init"])
            .fails_with("is not trusted: its mode 0666")
    });
    fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).expect("ours");
    std::os::unix::fs::chown(&file, Some(65534), None).expect("root");
    node.unchanged_by(|| node.call(&["init"]).fails_with("it belongs to user 65534"));
}

#[test]
fn a_typo_in_one_drivers_file_does_not_stop_the_others() {
    let node = Node::with_local("v1");
    let volume = with_a_pod(&node);
    node.add_driver("a-neighbour", "component = ");
    node.call(&["init"]).succeeds();
    volume.mount(&node.path("pods/db")).succeeds();
    teardown_of_a_pod_works(&node, &volume);
}

#[test]
fn two_files_that_serve_one_name_are_both_named() {
    let node = Node::with_local("v1");
    node.add_driver("copy", &node.local_grants());
    node.unchanged_by(|| {
        let answer = node
            .call(&["init"])
            .fails_with("both serve FlexVolume drivebay/local");
        assert!(answer.message().contains("copy.toml"), "{}", answer.text);
    });
}

#[test]
fn a_component_that_is_not_the_required_one_is_refused() {
    let node = Node::with_local("v1");
    let digest = "0".repeat(64);
    let grants = format!(
        "{}[require]\nsha256 = [\"{digest}\"]\n",
        node.local_grants()
    );
    node.add_driver("local", &grants);
    node.unchanged_by(|| {
        node.call(&["init"])
            .fails_with("which require.sha256 of driver local does not list")
    });
}

#[test]
fn an_interface_that_is_not_granted_is_named_with_the_line_that_grants_it() {
    let node = Node::with_local("v1");
    let volume = Volume::new(&node, "v1", &[]);
    let with_files = node.local_grants();
    let without = with_files.replace("[grants.files]\naccess = \"read-write\"\n", "");
    assert_ne!(without, with_files);
    node.add_driver("local", &without);
    node.unchanged_by(|| volume.attach().fails_with("[grants.files]"));
}
