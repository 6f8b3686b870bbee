//! What a hostile guest can do to the node it runs on: nothing but fail, soon, and with its name in the answer.
//!
//! The guests are text. Each shows the attack and leaves the rest to [`WatGuest`]; each is installed by the
//! shipped `drivebay` and called through the shipped shim, whose every answer is held to kubelet's rules.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::time::{Duration, Instant};

use drivebay_tests::{Answer, Node, RESULT, WatGuest};

/// Enough for a guest that has to be given something before it can misbehave.
const GRANTS: &str = r#"
component = "hostile"
flexvolume = "drivebay/hostile"
[grants.mounts]
directories = { pool = "POOL" }
[grants.files]
access = "read-write"
[limits]
cpu = "100ms"
memory = "8MiB"
log-lines = 5
"#;

/// How long any of this may take, many times over: a loaded machine is no failure.
const SOON: Duration = Duration::from_secs(60);

/// A node that serves the guest as `drivebay/hostile`.
#[track_caller]
fn node_with(guest: &WatGuest) -> Node {
    let node = Node::empty();
    node.add_driver(
        "hostile",
        &GRANTS.replace("POOL", &node.path("pool").to_string_lossy()),
    );
    let file = guest.write(node.path("hostile.wasm"));
    node.install(&[&file]);
    node
}

/// A mount, as kubelet asks for it. Whatever happened, nothing is mounted, made or noted afterwards.
#[track_caller]
fn mount(node: &Node) -> Answer {
    let started = Instant::now();
    let target = node.pod("web");
    let answer = node.call_driver(
        "drivebay~hostile/hostile",
        &["mount", &target.to_string_lossy(), "{}"],
    );
    assert!(started.elapsed() < SOON, "it took {:?}", started.elapsed());
    assert!(
        Node::mounts_beneath(&target).is_empty(),
        "something is mounted"
    );
    assert!(target.is_dir(), "kubelet's own directory is gone");
    assert!(
        node.journal().is_empty(),
        "the journal holds {:?}",
        node.journal()
    );
    answer
}

/// A mount through a guest that does this when it is asked to stage a volume.
#[track_caller]
fn mount_by(stage: &str) -> Answer {
    mount(&node_with(&WatGuest::named("hostile").stage(stage)))
}

/// What `drivebay install` says against a guest that does not even get into the store.
#[track_caller]
fn refusal_of(guest: &WatGuest) -> String {
    let node = Node::empty();
    node.add_driver(
        "hostile",
        &GRANTS.replace("POOL", &node.path("pool").to_string_lossy()),
    );
    let file = guest.write(node.path("hostile.wasm"));
    let output = node
        .drivebay(&["install", &file.to_string_lossy()])
        .output()
        .expect("drivebay runs");
    assert_eq!(output.status.code(), Some(1));
    assert!(
        !node.path("state/components/hostile.wasm").exists(),
        "it is in the store"
    );
    String::from_utf8(output.stderr).expect("UTF-8")
}

#[test]
fn an_endless_loop_is_ended_by_the_processor_time_it_used() {
    mount_by("(loop $for_ever (br $for_ever))")
        .fails_with("guest hostile 1.0.0 failed in stage-volume: it used more than 100ms of processor time (limits.cpu)");
}

#[test]
fn an_endless_loop_before_the_first_call_is_ended_too() {
    let guest = WatGuest::named("hostile")
        .core("(func $spin (loop $for_ever (br $for_ever))) (start $spin)");
    let refusal = refusal_of(&guest);
    assert!(
        refusal.contains("failed its self-test") && refusal.contains("(limits.cpu)"),
        "{refusal}"
    );
}

#[test]
fn memory_without_end_is_refused_and_the_limit_is_named() {
    mount_by("(loop $more (br_if $more (i32.ne (memory.grow (i32.const 8)) (i32.const -1)))) unreachable")
        .fails_with("it wanted more than 8192 KiB of memory (limits.memory)");
}

#[test]
fn a_memory_that_is_too_large_from_the_start_is_refused() {
    let guest = WatGuest::named("hostile").core("(memory $second 2000)");
    let refusal = refusal_of(&guest);
    assert!(refusal.contains("(limits.memory)"), "{refusal}");
}

#[test]
fn a_table_without_end_is_refused() {
    let guest = WatGuest::named("hostile").core("(table $t 1 funcref)").stage(
        "(if (i32.eq (table.grow $t (ref.null func) (i32.const 10000000)) (i32.const -1)) (then unreachable))",
    );
    mount(&node_with(&guest)).fails_with("wasm `unreachable` instruction executed");
    let refusal = refusal_of(&WatGuest::named("hostile").core("(table 10000000 funcref)"));
    assert!(refusal.contains("table"), "{refusal}");
}

#[test]
fn a_trap_is_answered_with_the_guests_name_and_what_it_did() {
    mount_by("unreachable")
        .is(r#"{"status":"Failure","message":"guest hostile 1.0.0 failed in stage-volume: wasm trap: wasm `unreachable` instruction executed"}"#);
    mount_by("(drop (i32.div_u (i32.const 1) (i32.const 0)))").fails_with("integer divide by zero");
    mount_by("(drop (i32.load (i32.const -4)))").fails_with("out of bounds memory access");
}

#[test]
fn recursion_without_end_runs_out_of_stack_and_not_of_host() {
    let guest = WatGuest::named("hostile")
        .core("(func $deeper (call $deeper))")
        .stage("(call $deeper)");
    mount(&node_with(&guest)).fails_with("call stack exhausted");
}

#[test]
fn recursion_with_large_frames_runs_out_of_stack_and_not_of_host() {
    let locals = "(local i64 i64 i64 i64 i64 i64 i64 i64)".repeat(100);
    let function = format!(
        "(func $deeper (param i64) (result i64) {locals} (i64.add (call $deeper (local.get 0)) (local.get 7)))"
    );
    let guest = WatGuest::named("hostile")
        .core(&function)
        .stage("(drop (call $deeper (i64.const 1)))");
    mount(&node_with(&guest)).fails_with("call stack exhausted");
}

#[test]
fn saying_done_without_mounting_is_found_out() {
    mount_by("")
        .fails_with(r#"guest "hostile" said that volume "" is mounted, but nothing is mounted at"#);
}

#[test]
fn nothing_a_guest_remembers_survives_the_call() {
    // The digit in the message counts the calls this instance has seen.
    let fail = WatGuest::failing(10, 1024, 12);
    let guest = WatGuest::named("hostile")
        .core(r#"(data (i32.const 1024) "I was here 0") (global $calls (mut i32) (i32.const 48))"#)
        .stage(&format!(
            "(global.set $calls (i32.add (global.get $calls) (i32.const 1)))
             (i32.store8 (i32.const 1035) (global.get $calls)) {fail}"
        ));
    let node = node_with(&guest);
    for _ in 0..3 {
        mount(&node).is(r#"{"status":"Failure","message":"I was here 1"}"#);
    }
}

/// Writes `$length` bytes of memory to the log, `$times` over.
fn logging(times: u32, length: u32) -> WatGuest {
    WatGuest::named("hostile")
        .core(
            r#"
            (import "drivebay:driver/log@0.1.0" "write" (func $log (param i32 i32 i32)))
            (data (i32.const 1024) "a line\0aERROR forged\1b[31m")
            (global $left (mut i32) (i32.const 0))
            "#,
        )
        .imports("log")
        .stage(&format!(
            "(global.set $left (i32.const {times}))
             (loop $again
                (call $log (i32.const 1) (i32.const 1024) (i32.const {length}))
                (global.set $left (i32.sub (global.get $left) (i32.const 1)))
                (br_if $again (global.get $left)))"
        ))
}

#[test]
fn a_flood_of_log_lines_is_cut_and_says_so_once() {
    let node = node_with(&logging(10_000, 6));
    mount(&node).fails_with("nothing is mounted");
    let log = node.log();
    assert_eq!(log.matches("a line").count(), 4, "{log}");
    assert_eq!(
        log.matches("logs more than limits.log-lines allows")
            .count(),
        1,
        "{log}"
    );
}

#[test]
fn a_log_line_stays_one_line_of_bounded_length() {
    let node = node_with(&logging(1, 20_000));
    mount(&node).fails_with("nothing is mounted");
    let log = node.log();
    let line = log
        .lines()
        .find(|line| line.contains("a line"))
        .expect("it was logged");
    assert!(line.contains(r"a line\nERROR forged\u{1b}[31m"), "{line:?}");
    assert!(line.len() < 1500, "it has {} bytes", line.len());
}

#[test]
fn a_long_error_message_is_cut() {
    // 100 KiB of the letter a.
    let fail = WatGuest::failing(10, 70_000, 100 << 10);
    let answer = mount_by(&format!(
        "(memory.fill (i32.const 70000) (i32.const 97) (i32.const 102400)) {fail}"
    ))
    .fails_with("aaaa");
    assert_eq!(answer.message().len(), 1024);
}

#[test]
fn an_argument_beyond_the_bound_on_host_calls_ends_the_guest() {
    let guest = logging(1, 3 << 20).core("(global $grown (mut i32) (i32.const 0))");
    let stage = "(drop (memory.grow (i32.const 60))) (call $log (i32.const 1) (i32.const 1024) (i32.const 3145728))";
    let node = node_with(&guest.stage(stage));
    mount(&node).fails_with("guest hostile 1.0.0 failed in stage-volume");
    assert!(!node.log().contains("a line"), "{}", node.log());
}

#[test]
fn results_that_make_no_sense_end_the_guest() {
    let store = |offset: u32, value: u32| {
        format!(
            "(i32.store (i32.const {}) (i32.const {value}))",
            RESULT + offset
        )
    };
    for (what, stage) in [
        ("neither success nor failure", store(0, 7)),
        (
            "an error the contract does not have",
            store(0, 1) + &store(4, 99),
        ),
        (
            "a message that lies outside its memory",
            WatGuest::failing(10, u32::MAX - 8, 100),
        ),
        (
            "a message longer than its memory",
            WatGuest::failing(10, 1024, 1 << 31),
        ),
        (
            "a message that is not UTF-8",
            WatGuest::failing(10, 1024, 2) + "(i32.store (i32.const 1024) (i32.const -1))",
        ),
    ] {
        let answer = mount_by(&stage).fails_with("guest hostile 1.0.0 failed in stage-volume");
        assert!(answer.message().len() < 1024, "{what}: {}", answer.text);
    }
}

#[test]
fn handles_are_bounded() {
    let guest = WatGuest::named("hostile")
        .imports("mounts")
        .core(r#"(import "drivebay:driver/mounts@0.1.0" "open-directory" (func $open (param i32 i32 i32)))
                 (data (i32.const 1024) "pool")"#)
        .stage("(loop $again (call $open (i32.const 1024) (i32.const 4) (i32.const 128)) (br $again))");
    let answer = mount(&node_with(&guest)).fails_with("guest hostile 1.0.0 failed in stage-volume");
    assert!(!answer.message().contains("limits.cpu"), "{}", answer.text);
}

#[test]
fn an_allocator_that_points_outside_its_memory_harms_only_itself() {
    let guest = WatGuest::named("hostile");
    let answer = mount(&node_with(&guest.stage("(global.set $free (i32.const 0x7ffffff0)) (call $fill)").core(
        r#"(import "drivebay:driver/mounts@0.1.0" "open-directory" (func $open (param i32 i32 i32)))
           (data (i32.const 1024) "etc")
           (func $fill (call $open (i32.const 1024) (i32.const 3) (i32.const 64)))"#,
    ).imports("mounts")));
    answer.fails_with("guest hostile 1.0.0 failed in stage-volume");
}

/// Works in the pool, whose handle is then at 132: the calls put their results, and errors, at [`RESULT`].
fn in_the_pool(data: &str, calls: &str) -> WatGuest {
    WatGuest::named("hostile")
        .core(&format!(
            r#"
            (import "drivebay:driver/mounts@0.1.0" "open-directory" (func $open (param i32 i32 i32)))
            (import "drivebay:driver/files@0.1.0" "[method]directory.create-file" (func $create (param i32 i32 i32 i32 i32 i32)))
            (import "drivebay:driver/files@0.1.0" "[method]directory.chmod" (func $set_mode (param i32 i32 i32 i32 i32)))
            (import "drivebay:driver/files@0.1.0" "[method]directory.archive-tree" (func $archive (param i32 i32 i32 i32 i32 i32 i32 i32)))
            (import "drivebay:driver/files@0.1.0" "[method]directory.extract-archive" (func $extract (param i32 i32 i32 i32 i32 i32)))
            (data (i32.const 1024) "pool") (data (i32.const 1032) "from") (data (i32.const 1040) "to")
            (data (i32.const 1048) "tree") (data (i32.const 1056) "gzip") (data (i32.const 2048) "{data}")
            (func $pool (result i32) (i32.load (i32.const 132)))
            (func $create_from (param $length i32) (call $create (call $pool) (i32.const 1032) (i32.const 4) (i32.const 2048) (local.get $length) (i32.const {RESULT})))
            (func $extract_from (call $extract (call $pool) (i32.const 1032) (i32.const 4) (i32.const 1040) (i32.const 2) (i32.const {RESULT})))
            "#
        ))
        .stage(&format!("(call $open (i32.const 1024) (i32.const 4) (i32.const 128)) {calls}"))
}

fn mode_of(node: &Node, path: &str) -> u32 {
    let found = fs::symlink_metadata(node.path("pool").join(path));
    found.expect("there").mode() & 0o7777
}

#[test]
fn no_program_that_a_guest_makes_runs_as_another_than_who_starts_it() {
    for mode in [0o4755, 0o2755, 0o6777] {
        let node = node_with(&in_the_pool(
            "#!/bin/sh",
            &format!(
                "(call $create_from (i32.const 9))
                 (call $set_mode (call $pool) (i32.const 1032) (i32.const 4) (i32.const {mode}) (i32.const {RESULT}))"
            ),
        ));
        mount(&node).fails_with("a driver gives set-user-ID and set-group-ID to no file");
        assert_eq!(mode_of(&node, "from"), 0o600);
    }
}

/// A tar file with one member of each kind that a guest may not bring: by hand, as a guest would write it.
fn forged_archive() -> Vec<u8> {
    let member = |name: &str, kind: u8, content: &[u8]| {
        let mut header = vec![0_u8; 512];
        let mut put = |at: usize, text: &str| {
            header[at..at + text.len()].copy_from_slice(text.as_bytes());
        };
        put(0, name);
        put(100, "0006755\0");
        put(108, "0000000\0");
        put(116, "0000000\0");
        put(124, &format!("{:011o}\0", content.len()));
        put(136, "00000000000\0");
        // Of the sum itself, blanks count.
        put(148, "        ");
        put(257, "ustar\x0000");
        put(329, "0000001\0");
        put(337, "0000003\0");
        header[156] = kind;
        let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
        header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        header.extend_from_slice(content);
        header.resize(header.len().next_multiple_of(512), 0);
        header
    };
    let capability = b"\x01\0\0\x02\0\x04\0\0\0\0\0\0\0\0\0\0\0\0\0\0";
    let record = [
        &b"57 SCHILY.xattr.security.capability="[..],
        capability,
        b"\n",
    ]
    .concat();
    [
        member("program", b'0', b"#!/bin/sh"),
        member("pax", b'x', &record),
        member("capable", b'0', b"x"),
        member("null", b'3', b""),
        vec![0; 1024],
    ]
    .concat()
}

fn as_data(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("\\{byte:02x}")).collect()
}

#[test]
fn an_archive_that_a_guest_wrote_gives_no_privilege_and_the_log_says_what_is_missing() {
    let archive = forged_archive();
    let node = node_with(&in_the_pool(
        &as_data(&archive),
        &format!(
            "(call $create_from (i32.const {})) (call $extract_from)",
            archive.len()
        ),
    ));
    mount(&node).fails_with("nothing is mounted");
    assert_eq!(mode_of(&node, "to/program"), 0o755);
    assert_eq!(mode_of(&node, "to/capable"), 0o755);
    assert!(!node.path("pool/to/null").exists(), "a device node");
    let capable = fs::File::open(node.path("pool/to/capable")).expect("there");
    let capabilities = rustix::fs::fgetxattr(capable, "security.capability", &mut [0; 64][..]);
    assert_eq!(capabilities, Err(rustix::io::Errno::NODATA));
    let log = node.log();
    let said = "what was extracted lacks set-user-ID or set-group-ID of 2 files, capabilities of 1, and 1 device nodes";
    assert_eq!(log.matches(said).count(), 1, "{log}");
}

/// Packs `tree`, and unpacks what was packed in another call.
fn packing_and_unpacking() -> [WatGuest; 2] {
    let pack = format!(
        "(call $archive (call $pool) (i32.const 1048) (i32.const 4) (i32.const 1032) (i32.const 4) (i32.const 1056) (i32.const 4) (i32.const 160))
         (if (i32.load8_u (i32.const 160)) (then {}))",
        WatGuest::failing(10, 1024, 4)
    );
    [
        in_the_pool("", &pack),
        in_the_pool("", "(call $extract_from)"),
    ]
}

#[test]
fn an_archive_that_the_host_made_gives_its_users_their_programs_back_unless_it_was_changed() {
    let [packing, unpacking] = packing_and_unpacking();
    let node = node_with(&packing);
    let program = node.path("pool/tree/program");
    fs::create_dir(node.path("pool/tree")).expect("writable");
    fs::write(&program, "a user's").expect("writable");
    fs::set_permissions(&program, fs::Permissions::from_mode(0o4711)).expect("ours");
    mount(&node).fails_with("nothing is mounted");

    node.install(&[&unpacking.write(node.path("hostile.wasm"))]);
    mount(&node).fails_with("nothing is mounted");
    assert_eq!(mode_of(&node, "to/program"), 0o4711);
    assert!(
        !node.log().contains("what was extracted lacks"),
        "{}",
        node.log()
    );

    // gzip's header has a byte for the system that packed, which nobody reads.
    let archive = node.path("pool/from");
    let mut bytes = fs::read(&archive).expect("there");
    bytes[9] ^= 1;
    fs::write(&archive, bytes).expect("writable");
    fs::remove_dir_all(node.path("pool/to")).expect("ours");
    mount(&node).fails_with("nothing is mounted");
    assert_eq!(mode_of(&node, "to/program"), 0o711);
    assert!(
        node.log().contains("what was extracted lacks"),
        "{}",
        node.log()
    );
}
