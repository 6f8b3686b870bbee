//! What is told of a guest that trapped: its functions, and, where a person runs it by hand and it has them, the lines of
//! its source.

use std::path::PathBuf;
use std::process::Output;

use drivebay_tests::{HOSTILE_GRANTS, Node, WatGuest, hostile_node, mount_hostile, text};

/// Traps two functions deep when it is asked to stage a volume.
fn trapping() -> WatGuest {
    WatGuest::named("hostile")
        .core(
            "(func $pick-share
                unreachable ;; the trap
            )
            (func $prepare
                (call $pick-share) ;; the call
            )",
        )
        .stage("(call $prepare)")
}

/// The same, with lines.
fn with_lines() -> WatGuest {
    trapping().source("shelf/backend.wat")
}

/// Runs it by hand, on a node that does not know it.
#[track_caller]
fn run_by_hand(guest: &WatGuest, arguments: &[&str]) -> Output {
    let node = Node::empty();
    let component = guest.write(node.path("hostile.wasm"));
    let run = ["run", "--component", text(&component), "--dry-run"];
    let stage = ["stage-volume", "v1", "--path", "/anywhere"];
    let mut command = node.drivebay(&[&run[..], arguments, &stage].concat());
    let output = command.output().expect("drivebay runs");
    assert!(!output.status.success(), "it did not trap");
    output
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn place(guest: &WatGuest, function: &str, words: &str) -> String {
    format!("{function} (backend.wat:{}, 0x", guest.line_of(words))
}

#[test]
fn a_component_that_is_run_by_hand_names_functions_and_lines() {
    let guest = with_lines();
    let answer = said(&run_by_hand(&guest, &[]));
    let inner = format!("; trace: {}", place(&guest, "pick-share", ";; the trap"));
    let outer = format!(" < {}", place(&guest, "prepare", ";; the call"));
    assert!(
        answer.contains(&inner) && answer.contains(&outer),
        "{answer}"
    );
    let output = run_by_hand(&guest, &["--json"]);
    let answer = String::from_utf8_lossy(&output.stdout);
    assert!(answer.contains(&inner), "{answer}");
}

#[test]
fn a_broken_promise_names_them_too() {
    let node = Node::empty();
    let guest = with_lines();
    let component = guest.write(node.path("hostile.wasm"));
    let conform = ["conform", text(&component), "--volume", "v1"];
    let output = node.drivebay(&conform).output().expect("drivebay runs");
    let report = String::from_utf8_lossy(&output.stdout);
    let place = place(&guest, "pick-share", ";; the trap");
    assert!(report.contains(&place), "{report}\n{}", said(&output));
}

#[test]
fn without_lines_in_the_component_the_functions_are_named() {
    let answer = said(&run_by_hand(&trapping(), &[]));
    assert!(answer.contains("; trace: pick-share (0x"), "{answer}");
    assert!(answer.contains(" < prepare (0x"), "{answer}");
}

#[test]
fn a_driver_that_serves_names_functions_in_its_log_and_reads_no_lines() {
    let node = hostile_node(&with_lines(), HOSTILE_GRANTS);
    let answer = mount_hostile(&node);
    let told = answer.message();
    assert!(told.contains("failed in stage-volume: wasm trap"), "{told}");
    assert!(!told.contains("pick-share"), "{told}");
    let log = node.log();
    assert!(log.contains("pick-share (0x"), "{log}");
    assert!(!log.contains("backend.wat"), "{log}");
}

#[test]
fn names_and_paths_of_megabytes_stay_one_harmless_line() {
    let name = "f".repeat(2 << 20);
    let deep = format!(
        "(func ${name} (param $left i32)
            (if (i32.eqz (local.get $left)) (then unreachable))
            (call ${name} (i32.sub (local.get $left) (i32.const 1))))"
    );
    let long = PathBuf::from("x".repeat(2 << 20)).with_extension("wat");
    let harmful = "\u{1b}[31m\u{202e}\r".repeat(1 << 18);
    for (source, shown) in [(text(&long), "xxx.wat:"), (&harmful, r"\u{202e}")] {
        let guest = WatGuest::named("hostile")
            .source(source)
            .core(&deep)
            .stage(&format!("(call ${name} (i32.const 30))"));
        let answer = said(&run_by_hand(&guest, &[]));
        assert!(
            answer.contains("fff… (cut)") && answer.contains(shown),
            "{answer}"
        );
        let harms = |c: char| c != '\n' && (c.is_control() || c == '\u{202e}');
        assert!(!answer.contains(harms), "{answer:?}");
        assert!(answer.len() < 16 << 10, "it has {} bytes", answer.len());
    }
}
