//! Compiled code is trusted only if we made it, and made once, outside `init`.
//!
//! Native code is run as root: whatever is not exactly what the compiler left is refused before it is mapped,
//! and made again where that is possible. Never a crash, and never another component's code.

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};

use drivebay_tests::{Answer, Node, WatGuest, dist, eventually, read, text, write_script};

const GRANTS: &str = "component = \"guest\"\nflexvolume = \"drivebay/guest\"\n[grants.mounts]\n";
const SHIM: &str = "drivebay~guest/guest";

/// Says a sentence when it is asked to stage a volume, so that a call shows whose code ran.
fn saying(words: &str) -> WatGuest {
    WatGuest::named("guest")
        .core(&format!("(data (i32.const 1024) \"{words}\")"))
        .stage(&WatGuest::failing(10, 1024, words.len()))
}

/// A node whose guest says `mine`, compiled.
#[track_caller]
fn node() -> Node {
    let node = Node::empty();
    node.add_driver("guest", GRANTS);
    node.install(&[&saying("mine").write(node.path("guest.wasm"))]);
    node
}

#[track_caller]
fn init(node: &Node) -> Answer {
    node.call_driver(SHIM, &["init"])
}

#[track_caller]
fn mount(node: &Node) -> Answer {
    node.call_driver(SHIM, &["mount", &node.pod("web").to_string_lossy(), "{}"])
}

/// The one compiled file with that extension.
fn compiled(node: &Node, extension: &str) -> PathBuf {
    let files = fs::read_dir(node.path("state/compiled"))
        .expect("there")
        .map(|entry| entry.expect("readable").path());
    let mut matching =
        files.filter(|path| path.extension().is_some_and(|other| other == extension));
    let file = matching.next().expect("compiled");
    assert!(matching.next().is_none(), "more than one");
    file
}

/// Lets the node's compiler count its runs; returns how to read the count.
fn count_compiles(node: &Node) -> impl Fn() -> usize {
    let (compiler, count) = (node.path("state/bin/drivebay"), node.path("compiles"));
    let script = format!(
        "#!/bin/sh\necho >> {}\nexec {} \"$@\"\n",
        count.display(),
        dist("drivebay").display()
    );
    write_script(&compiler, &script);
    move || {
        fs::read_to_string(&count)
            .unwrap_or_default()
            .lines()
            .count()
    }
}

/// Lets the node's compiler count its runs and then wait for a file; returns how to read the count, and the file.
fn hold_compiles(node: &Node) -> (impl Fn() -> usize, PathBuf) {
    let (compiler, may_end) = (node.path("state/bin/drivebay"), node.path("may-end"));
    let compiles = count_compiles(node);
    let counting = read(&compiler);
    let waiting = format!(
        "while [ ! -e {} ]; do sleep 0.05; done\nexec",
        may_end.display()
    );
    write_script(&compiler, &counting.replace("exec", &waiting));
    (compiles, may_end)
}

fn flip_byte(file: &Path, offset: usize) {
    let mut content = fs::read(file).expect("readable");
    content[offset] ^= 0x55;
    fs::write(file, content).expect("writable");
}

#[test]
fn init_without_compiled_code_fails_at_once_and_says_what_to_do() {
    let node = node();
    let compiles = count_compiles(&node);
    fs::remove_dir_all(node.path("state/compiled")).expect("ours");
    init(&node).fails_with("component \"guest\" is not ready on this node; run `drivebay install` or `drivebay compile ");
    assert_eq!(compiles(), 0, "init compiled");
}

#[test]
fn init_needs_neither_the_code_nor_the_compiler() {
    let node = node();
    fs::remove_file(compiled(&node, "cwasm")).expect("ours");
    fs::remove_file(node.path("state/bin/drivebay")).expect("ours");
    init(&node).succeeds();
}

#[test]
fn a_mount_without_compiled_code_compiles_once_for_all_that_wait() {
    let node = node();
    let compiles = count_compiles(&node);
    fs::remove_dir_all(node.path("state/compiled")).expect("ours");
    let pods: Vec<PathBuf> = (0..8)
        .map(|number| node.pod(&format!("web-{number}")))
        .collect();
    let calls = pods.iter().map(|pod| {
        node.callout(SHIM, &["mount", &pod.to_string_lossy(), "{}"])
            .spawn()
            .expect("the shim runs")
    });
    let calls: Vec<_> = calls.collect();
    for call in calls {
        Answer::of(&call.wait_with_output().expect("it ends")).fails_with("mine");
    }
    assert_eq!(compiles(), 1);
    init(&node).succeeds();
}

#[test]
fn a_call_does_not_wait_for_a_long_compile_and_a_later_one_finds_it_done() {
    let node = node();
    node.add_driver("guest", &format!("{GRANTS}[limits]\ndeadline = \"2s\"\n"));
    let (compiles, may_end) = hold_compiles(&node);
    fs::remove_dir_all(node.path("state/compiled")).expect("ours");
    mount(&node).fails_with("component \"guest\" is being compiled for this node, which goes on");
    // The first caller has ended, and its compiler has not.
    mount(&node).fails_with("component \"guest\" is being compiled for this node, which goes on");
    fs::write(&may_end, "").expect("writable");
    eventually("the compile to be done", || {
        init(&node).status() == "Success"
    });
    mount(&node).fails_with("mine");
    assert_eq!(compiles(), 1);
}

#[test]
fn a_refusal_that_nobody_waited_for_is_known_to_later_calls() {
    let node = node();
    let limits = "[limits]\ndeadline = \"2s\"\ncompile-memory = \"1Mi\"\n";
    node.add_driver("guest", &format!("{GRANTS}{limits}"));
    let (compiles, may_end) = hold_compiles(&node);
    fs::remove_dir_all(node.path("state/compiled")).expect("ours");
    mount(&node).fails_with("is being compiled");
    fs::write(&may_end, "").expect("writable");
    eventually("the refusal to be known", || {
        mount(&node).message().contains("as found less than")
    });
    assert_eq!(compiles(), 1);
}

#[test]
fn what_was_inspected_on_a_node_is_not_compiled_again_when_it_is_installed() {
    let node = node();
    let other = saying("other").write(node.path("guest.wasm"));
    fs::remove_dir_all(node.path("state/compiled")).expect("ours");
    let inspected = node.drivebay(&["inspect", text(&other)]).output();
    assert!(inspected.expect("it runs").status.success());
    let code = compiled(&node, "cwasm");
    let made = fs::metadata(&code).expect("kept").modified().expect("told");
    node.install(&[&other]);
    let now = fs::metadata(&code).expect("kept").modified().expect("told");
    assert_eq!(now, made);
    mount(&node).fails_with("other");
}

#[test]
fn a_component_that_is_refused_is_not_tried_again_by_each_call_until_something_changes() {
    let node = node();
    let compiles = count_compiles(&node);
    fs::remove_dir_all(node.path("state/compiled")).expect("ours");
    let link = node.path("state/components/guest.wasm");
    fs::remove_file(&link).expect("installed");
    let broken = WatGuest::named("guest").describe("unreachable");
    broken.write(link.clone());
    let reason = "guest.wasm failed its self-test: ";
    mount(&node).fails_with(reason);
    for _ in 0..3 {
        mount(&node)
            .fails_with(reason)
            .fails_with("`drivebay install` tries again at once");
    }
    assert_eq!(compiles(), 1);
    node.add_driver(
        "guest",
        &format!("{GRANTS}[limits]\ncompile-time = \"50s\"\n"),
    );
    mount(&node).fails_with(reason);
    assert_eq!(compiles(), 2, "it may take another time now");
    saying("mended").write(link);
    mount(&node).fails_with("mended");
    assert_eq!(compiles(), 3);
}

#[test]
fn a_mount_without_code_and_compiler_says_which_program_is_missing() {
    let node = node();
    fs::remove_dir_all(node.path("state/compiled")).expect("ours");
    fs::remove_file(node.path("state/bin/drivebay")).expect("ours");
    mount(&node).fails_with("cannot compile component \"guest\": cannot run ");
}

#[test]
fn flipped_bytes_anywhere_are_refused_and_compiled_again() {
    let node = node();
    let compiles = count_compiles(&node);
    let code = compiled(&node, "cwasm");
    let size = fs::read(&code).expect("readable").len();
    for (round, offset) in [0, 4, 64, size / 4, size / 2, size - size / 4, size - 1]
        .into_iter()
        .enumerate()
    {
        flip_byte(&code, offset);
        mount(&node).fails_with("mine");
        assert_eq!(
            compiles(),
            round + 1,
            "byte {offset} of {size} was not noticed"
        );
    }
    assert!(
        node.log()
            .contains("is refused: its content is not what was compiled"),
        "{}",
        node.log()
    );
    mount(&node).fails_with("mine");
    assert_eq!(compiles(), 7, "sound code was compiled again");
}

#[test]
fn truncated_code_is_refused_and_compiled_again() {
    let node = node();
    let compiles = count_compiles(&node);
    let code = compiled(&node, "cwasm");
    for (round, keep) in [0, 1, 4096].into_iter().enumerate() {
        let content = fs::read(&code).expect("readable");
        fs::write(&code, &content[..keep]).expect("writable");
        mount(&node).fails_with("mine");
        assert_eq!(compiles(), round + 1);
    }
}

#[test]
fn another_components_code_under_this_name_never_runs() {
    let node = node();
    let other = Node::empty();
    other.add_driver("guest", GRANTS);
    other.install(&[&saying("theirs").write(other.path("guest.wasm"))]);
    fs::copy(compiled(&other, "cwasm"), compiled(&node, "cwasm")).expect("writable");
    mount(&node).fails_with("mine");
    fs::copy(compiled(&other, "cwasm"), compiled(&node, "cwasm")).expect("writable");
    fs::copy(compiled(&other, "json"), compiled(&node, "json")).expect("writable");
    init(&node).fails_with("is refused: its manifest is of another component");
    mount(&node).fails_with("mine");
}

#[test]
fn code_of_another_owner_or_that_others_could_write_is_refused() {
    let node = node();
    let compiles = count_compiles(&node);
    let code = compiled(&node, "cwasm");
    chown(&code, Some(1), Some(1)).expect("root");
    mount(&node).fails_with("mine");
    assert_eq!(compiles(), 1);
    fs::set_permissions(&code, fs::Permissions::from_mode(0o620)).expect("ours");
    mount(&node).fails_with("mine");
    assert_eq!(compiles(), 2);
    for reason in [
        "is refused: it belongs to user 1, not to user 0",
        "is refused: its mode 0620 lets others write it; chmod go-w",
    ] {
        assert!(node.log().contains(reason), "{}", node.log());
    }
}

#[test]
fn a_manifest_of_another_owner_or_that_others_could_write_is_refused() {
    let node = node();
    let manifest = compiled(&node, "json");
    chown(&manifest, Some(1), Some(1)).expect("root");
    init(&node).fails_with("is refused: it belongs to user 1, not to user 0");
    chown(&manifest, Some(0), Some(0)).expect("root");
    fs::set_permissions(&manifest, fs::Permissions::from_mode(0o602)).expect("ours");
    init(&node).fails_with("is refused: its mode 0602 lets others write it; chmod go-w");
}

#[test]
fn a_directory_that_others_can_enter_is_refused_with_nothing_loaded_from_it() {
    let node = node();
    let directory = node.path("state/compiled");
    fs::set_permissions(&directory, fs::Permissions::from_mode(0o755)).expect("ours");
    let reason =
        "is refused: the directory belongs to user 0 with mode 0755; it has to be user 0 and 0700";
    init(&node).fails_with(reason);
    mount(&node).fails_with(reason);
    fs::set_permissions(&directory, fs::Permissions::from_mode(0o700)).expect("ours");
    chown(&directory, Some(1), Some(1)).expect("root");
    init(&node).fails_with(
        "is refused: the directory belongs to user 1 with mode 0700; it has to be user 0 and 0700",
    );
}

#[test]
fn a_damaged_manifest_is_refused_and_made_again() {
    let node = node();
    let compiles = count_compiles(&node);
    let manifest = compiled(&node, "json");
    let text = fs::read_to_string(&manifest).expect("readable");
    let (_, digest) = text
        .split_once("\"code_sha256\": \"")
        .expect("it has the code's digest");
    let other_code = text.replace(&digest[..64], &"0".repeat(64));
    for (round, damaged) in ["", "[]", &text[..text.len() / 2]].into_iter().enumerate() {
        fs::write(&manifest, damaged).expect("writable");
        init(&node).fails_with("is refused: its manifest is corrupt");
        mount(&node).fails_with("mine");
        assert_eq!(compiles(), round + 1);
    }
    fs::write(&manifest, other_code).expect("writable");
    mount(&node).fails_with("mine");
    assert_eq!(compiles(), 4);
}
