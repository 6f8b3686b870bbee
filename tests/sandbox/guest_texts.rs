//! Text that a guest shapes: bounded wherever it is read, on one line, and harmless; and what a guest that broke down
//! said last, which is in its driver's log and in the answer.

use drivebay_tests::{HOSTILE_GRANTS, Node, WatGuest, hostile_node, mount_hostile};

/// One call may log as many lines as the grants say; this is what a line of trace and last words may add, many times
/// over.
const LOG_BYTES: usize = 16 << 10;

/// What ends a line, moves a cursor, or turns the direction of writing, in the text format's own escapes.
const HARMFUL: &str = r"a\0ab\1b[31m\e2\80\aec\e2\80\a8d\c2\9be\e2\81\a6";

/// The same as the host shows it.
const SHOWN: &str = r"a\nb\u{1b}[31m\u{202e}c\u{2028}d\u{9b}e\u{2066}";

/// Of [`HARMFUL`], in memory.
const HARMFUL_BYTES: usize = 22;

/// No line but the host's own, none longer than a message may be, and nothing that a terminal obeys.
#[track_caller]
fn is_harmless(text: &str) {
    let harmful = |c: char| {
        c != '\n'
            && (c.is_control() || matches!(c, '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}'))
    };
    assert!(!text.contains(harmful), "{text:?}");
    assert!(text.len() < LOG_BYTES, "it has {} bytes", text.len());
}

/// The log of a node whose guest broke down, beside what kubelet was told.
#[track_caller]
fn log_after(guest: &WatGuest, told: &str) -> String {
    let node = hostile_node(guest, HOSTILE_GRANTS);
    mount_hostile(&node).fails_with(told);
    assert!(
        !node.path("log/flexvolume.log.1").exists(),
        "there was so much that the file was moved away"
    );
    let log = node.log();
    is_harmless(&log);
    log
}

#[test]
fn a_functions_name_of_megabytes_leaves_the_log_small() {
    let name = "f".repeat(2 << 20);
    let guest = WatGuest::named("hostile")
        .core(&format!(
            "(func ${name} (param $left i32)
                (if (i32.eqz (local.get $left)) (then unreachable))
                (call ${name} (i32.sub (local.get $left) (i32.const 1))))"
        ))
        .stage(&format!("(call ${name} (i32.const 30))"));
    let log = log_after(&guest, "failed in stage-volume: wasm trap");
    assert!(log.contains("fff… (cut)"), "{log}");
}

#[test]
fn what_hurts_a_reader_is_not_in_a_trace() {
    let guest = WatGuest::named("hostile")
        .core(&format!(r#"(func $f (@name "{HARMFUL}") unreachable)"#))
        .stage("(call $f)");
    let log = log_after(&guest, "failed in stage-volume");
    // Once more as a value in quotes.
    assert!(log.contains(&SHOWN.replace('\\', r"\\")), "{log}");
}

#[test]
fn a_trace_names_rusts_functions_as_their_author_wrote_them() {
    let guest = WatGuest::named("hostile")
        .core(r#"(func $f (@name "_ZN6pooled5stage17h0123456789abcdefE") unreachable)"#)
        .stage("(call $f)");
    let log = log_after(&guest, "failed in stage-volume");
    assert!(log.contains("trace=\"pooled::stage (0x"), "{log}");
}

#[test]
fn what_hurts_a_reader_is_neither_in_an_answer_nor_in_the_log() {
    let fail = WatGuest::failing(10, 1024, HARMFUL_BYTES);
    let guest = WatGuest::named("hostile")
        .imports("log")
        .core(&format!(
            r#"(import "drivebay:driver/log@0.1.0" "write" (func $log (param i32 i32 i32)))
               (data (i32.const 1024) "{HARMFUL}")"#
        ))
        .stage(&format!(
            "(call $log (i32.const 1) (i32.const 1024) (i32.const {HARMFUL_BYTES})) {fail}"
        ));
    let node = hostile_node(&guest, HOSTILE_GRANTS);
    let answer = mount_hostile(&node);
    assert_eq!(answer.message(), SHOWN);
    is_harmless(&answer.text);
    is_harmless(&node.log());
    assert!(node.log().contains(SHOWN), "{}", node.log());
}

#[test]
fn csis_callers_and_the_log_of_serve_get_the_same_harmless_line() {
    let fail = WatGuest::failing(10, 1024, HARMFUL_BYTES);
    let guest = WatGuest::named("hostile")
        .core(&format!(r#"(data (i32.const 1024) "{HARMFUL}")"#))
        .stage(&fail);
    let grants = HOSTILE_GRANTS.replace(
        "flexvolume =",
        "csi-name = \"hostile.drivebay.dev\"\nflexvolume =",
    );
    let node = hostile_node(&guest, &grants);
    let csi = node.serve("hostile");
    let target = node.pod("web");
    let request = drivebay_tests::csi_proto::NodePublishVolumeRequest {
        volume_id: "v1".to_owned(),
        target_path: target.join("mount").to_string_lossy().into_owned(),
        volume_capability: Some(drivebay_tests::mounted(
            drivebay_tests::csi_proto::volume_capability::access_mode::Mode::SingleNodeWriter,
        )),
        ..Default::default()
    };
    let status = csi.node_publish_volume(request).expect_err("it fails");
    assert_eq!(status.message(), SHOWN);
    assert!(csi.stop(), "serve ends");
    is_harmless(&csi.log());
}

#[test]
fn a_guest_that_describes_itself_harmfully_is_shown_harmlessly() {
    let guest = WatGuest::named("hostile")
        .core(&format!(r#"(data (i32.const 1024) "{HARMFUL}")"#))
        .describe(&format!(
            "(i32.store (i32.const 32) (i32.const 1024)) (i32.store (i32.const 36) (i32.const {HARMFUL_BYTES}))"
        ));
    let node = Node::empty();
    let file = guest.write(node.path("hostile.wasm"));
    let output = node
        .drivebay(&["inspect", &file.to_string_lossy()])
        .output()
        .expect("drivebay runs");
    let shown = String::from_utf8(output.stdout).expect("UTF-8");
    assert!(
        shown.starts_with(&format!("hostile 1.0.0: {SHOWN}\n")),
        "{shown}"
    );
    is_harmless(&shown);
}

#[test]
fn refusals_count_against_the_lines_that_a_call_may_log() {
    let guest = WatGuest::named("hostile")
        .imports("mounts")
        .core(
            r#"(import "drivebay:driver/mounts@0.1.0" "open-directory" (func $open (param i32 i32 i32)))
               (global $left (mut i32) (i32.const 1000))"#,
        )
        .stage(
            "(loop $again
                (global.set $free (i32.const 65536))
                (call $open (i32.const 65536) (i32.const 4000) (i32.const 128))
                (global.set $left (i32.sub (global.get $left) (i32.const 1)))
                (br_if $again (global.get $left)))",
        );
    let node = hostile_node(
        &guest,
        &format!("{HOSTILE_GRANTS}\n[limits]\nlog-lines = 5\n"),
    );
    mount_hostile(&node);
    let log = node.log();
    is_harmless(&log);
    assert_eq!(log.matches("refused").count(), 4, "{log}");
    assert_eq!(log.matches("limits.log-lines").count(), 1, "{log}");
}

/// WASI's own words, as far as a guest needs them to write to its standard error.
const STDERR: &str = r"
package wasi:io@0.2.6 {
    interface error { resource error; }
    interface streams {
        use error.{error};
        variant stream-error { last-operation-failed(error), closed }
        resource output-stream {
            blocking-write-and-flush: func(contents: list<u8>) -> result<_, stream-error>;
        }
    }
}
package wasi:cli@0.2.6 {
    interface stderr {
        use wasi:io/streams@0.2.6.{output-stream};
        get-stderr: func() -> output-stream;
    }
}
";

/// A guest that writes the text to its standard error so many times, and ends in a trap.
fn writing(text: &str, times: u32) -> WatGuest {
    let length = text.len();
    // The text format writes characters as Rust does.
    let text = text.escape_default();
    WatGuest::named("hostile")
        .imports_foreign(STDERR, "wasi:io/error@0.2.6")
        .imports_foreign("", "wasi:io/streams@0.2.6")
        .imports_foreign("", "wasi:cli/stderr@0.2.6")
        .core(&format!(
            r#"(import "wasi:cli/stderr@0.2.6" "get-stderr" (func $stderr (result i32)))
               (import "wasi:io/streams@0.2.6" "[method]output-stream.blocking-write-and-flush" (func $write (param i32 i32 i32 i32)))
               (global $left (mut i32) (i32.const {times})) (global $to (mut i32) (i32.const 0))
               (data (i32.const 8192) "{text}")"#
        ))
        .stage(&format!(
            "(global.set $to (call $stderr))
             (loop $again
                (call $write (global.get $to) (i32.const 8192) (i32.const {length}) (i32.const 2048))
                (global.set $left (i32.sub (global.get $left) (i32.const 1)))
                (br_if $again (global.get $left)))
             unreachable"
        ))
}

#[test]
fn what_a_guest_wrote_last_is_in_the_log_and_why_it_gave_up_in_the_answer() {
    let panic = "\nthread 'main' panicked at src/lib.rs:7:5:\nno such share\nnote: run with `RUST_BACKTRACE=1` environment variable to display a backtrace\n";
    let log = log_after(
        &writing(panic, 1),
        "guest hostile 1.0.0 failed in stage-volume: wasm trap: wasm `unreachable` instruction executed; it said last: thread 'main' panicked at src/lib.rs:7:5: no such share",
    );
    assert!(log.contains("note: run with `RUST_BACKTRACE=1`"), "{log}");
    let exception = "Traceback (most recent call last):\n  File \"app.py\", line 3, in stage\nValueError: no such share\n";
    let log = log_after(
        &writing(exception, 1),
        "; it said last: ValueError: no such share",
    );
    assert!(log.contains("Traceback (most recent call last)"), "{log}");
}

#[test]
fn a_flood_on_standard_error_leaves_the_log_small() {
    let line = format!("{}\u{1b}[31m\u{202e}\n", "x".repeat(1000));
    log_after(&writing(&line, 5000), r"x\u{1b}[31m\u{202e}");
    log_after(&writing(&"y".repeat(4000), 5000), "yyy… (cut)");
}

#[test]
fn a_guest_without_standard_error_says_why_through_log() {
    let guest = WatGuest::named("hostile")
        .imports("log")
        .core(
            r#"(import "drivebay:driver/log@0.1.0" "write" (func $log (param i32 i32 i32)))
               (data (i32.const 1024) "panicked at src/lib.rs:7:5: no such share")"#,
        )
        .stage("(call $log (i32.const 3) (i32.const 1024) (i32.const 41)) unreachable");
    log_after(
        &guest,
        "; it said last: panicked at src/lib.rs:7:5: no such share",
    );
}

#[test]
fn a_borrowed_handle_that_is_kept_is_named_with_what_to_do() {
    let guest = WatGuest::named("hostile").stage("(return (i32.const 64))");
    log_after(
        &guest,
        "guest hostile 1.0.0 failed in stage-volume: it returned while it still held the borrowed target that stage-volume is called with; its code has to drop the handle before it returns, on every path",
    );
}
