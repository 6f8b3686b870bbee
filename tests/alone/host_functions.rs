//! Nothing that a guest can call outlasts the call's deadline, or takes memory without end.
//!
//! Every function has its worst case here: the longest wait, the largest number, servers that never answer, text as long
//! as a host function takes. One that is linked and not in the table fails the test.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::path::PathBuf;

use drivebay_tests::csi_proto as proto;
use drivebay_tests::csi_proto::volume_capability::access_mode::Mode;
use drivebay_tests::{
    Csi, LoopDevice, Node, PATIENCE, SilentServer, WatGuest, guest_that_imports_all,
    host_functions, hostile_node, linked_of_wasi, mount_hostile, mounted,
};
use tonic::Code;

/// The guest came back from the function, and then had mounted nothing.
const RETURNS: &str = "nothing is mounted at";

/// It would have slept past the deadline.
const SLEEPS: &str = "it would have slept beyond the end of its 2s (limits.deadline)";

/// A server that never answered.
const UNANSWERED: &str = "did not end within the deadline";

/// Ended with an error of the guest's own making.
const TRAPS: &str = "guest hostile 1.0.0 failed in stage-volume";

/// Whatever it says, it ends.
const ENDS: &str = "";

/// Text of two million bytes, where `stage` below puts it.
const LONG: &str = "(i32.const 262144) (i32.const 2000000)";

/// The largest number, and where a result goes.
const MOST: &str = "(i64.const -1)";
const OUT: &str = "(i32.const 8192)";

/// Each function, what its worst case comes to, and the worst case: words in capitals are the constants above.
/// `$directory` and the like open what is granted. A line each, as in a table.
#[rustfmt::skip]
const CASES: &[(&str, &str, &str)] = &[
    // Of the contract.
    ("block-devices [resource-drop]device", RETURNS, "(call $block-devices/drop-device (call $device))"),
    ("block-devices find-device", RETURNS, "(call $block-devices/find-device LONG (i32.const 1) MOST OUT)"),
    ("block-devices await-device", RETURNS, "(call $block-devices/await-device (i32.const 1120) (i32.const 9) (i32.const 0) MOST (i32.const -1) OUT)"),
    ("block-devices [method]device.size-bytes", RETURNS, "(call $block-devices/device.size-bytes (call $device) OUT)"),
    ("block-devices [method]device.inspect", RETURNS, "(call $block-devices/device.inspect (call $device) OUT)"),
    ("block-devices [method]device.ensure-filesystem", RETURNS, "(call $block-devices/device.ensure-filesystem (call $device) (i32.const 1136) (i32.const 4) (i32.const 262144) (call $words) OUT)"),
    ("block-devices [method]device.grow-filesystem", RETURNS, "(call $block-devices/device.grow-filesystem (call $device) OUT)"),
    ("block-devices [method]device.mount", RETURNS, "(call $block-devices/device.mount (call $device) (local.get $target) (i32.const 262144) (call $options) OUT)"),
    ("block-devices [method]device.bind", ENDS, "(call $block-devices/device.bind (call $device) (local.get $target) OUT)"),
    ("files [resource-drop]directory", RETURNS, "(call $files/drop-directory (call $directory))"),
    ("files [method]directory.mkdir", ENDS, "(call $files/directory.mkdir (call $directory) LONG (i32.const -1) OUT)"),
    ("files [method]directory.chmod", ENDS, "(call $files/directory.chmod (call $directory) LONG (i32.const -1) OUT)"),
    ("files [method]directory.stat", ENDS, "(call $files/directory.stat (call $directory) LONG OUT)"),
    ("files [method]directory.readdir", ENDS, "(call $files/directory.readdir (call $directory) LONG OUT)"),
    ("files [method]directory.readdir", RETURNS, "(call $files/directory.readdir (call $directory) (i32.const 1168) (i32.const 4) OUT)"),
    ("files [method]directory.read-file", RETURNS, "(call $files/directory.read-file (call $directory) (i32.const 1152) (i32.const 4) OUT)"),
    ("files [method]directory.create-file", ENDS, "(call $files/directory.create-file (call $directory) (i32.const 1184) (i32.const 3) (i32.const 262144) (i32.const 1900000) OUT)"),
    ("files [method]directory.write-file", RETURNS, "(call $files/directory.write-file (call $directory) (i32.const 1152) (i32.const 4) (i32.const 262144) (i32.const 1000) OUT)"),
    ("files [method]directory.rename", ENDS, "(call $files/directory.rename (call $directory) (i32.const 1152) (i32.const 4) LONG OUT)"),
    ("files [method]directory.remove-tree", ENDS, "(call $files/directory.remove-tree (call $directory) LONG OUT)"),
    ("files [method]directory.rmdir", ENDS, "(call $files/directory.rmdir (call $directory) LONG OUT)"),
    ("files [method]directory.copy-tree", RETURNS, "(call $files/directory.copy-tree (call $directory) (i32.const 1152) (i32.const 4) (i32.const 1184) (i32.const 3) OUT)"),
    ("files [method]directory.archive-tree", RETURNS, "(call $files/directory.archive-tree (call $directory) (i32.const 1152) (i32.const 4) (i32.const 1184) (i32.const 3) (i32.const 1280) (i32.const 4) OUT)"),
    ("files [method]directory.archive-tree", RETURNS, "(call $files/directory.archive-tree (call $directory) (i32.const 1152) (i32.const 4) (i32.const 1184) (i32.const 3) LONG OUT)"),
    ("files [method]directory.extract-archive", RETURNS, "(call $files/directory.extract-archive (call $directory) (i32.const 1152) (i32.const 4) (i32.const 1184) (i32.const 3) OUT)"),
    ("files [method]directory.statfs", RETURNS, "(call $files/directory.statfs (call $directory) OUT)"),
    ("https [resource-drop]endpoint", RETURNS, "(call $https/drop-endpoint (call $endpoint))"),
    ("https open-endpoint", ENDS, "(call $https/open-endpoint LONG OUT)"),
    ("https sleep", RETURNS, "(call $https/sleep (i32.const -1) OUT)"),
    ("https [method]endpoint.authority", RETURNS, "(call $https/endpoint.authority (call $endpoint) OUT)"),
    ("https [method]endpoint.region", RETURNS, "(call $https/endpoint.region (call $endpoint) OUT)"),
    ("https [method]endpoint.send", UNANSWERED, "(call $https/endpoint.send (call $endpoint) (i32.const 1296) (i32.const 3) (i32.const 1200) (i32.const 1) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) OUT)"),
    ("https [method]endpoint.send", RETURNS, "(call $encoded) (call $https/endpoint.send (call $endpoint) (i32.const 1296) (i32.const 3) (i32.const 262144) (i32.const 32000) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) OUT)"),
    ("https [method]endpoint.send", RETURNS, "(call $https/endpoint.send (call $endpoint) LONG (i32.const 1200) (i32.const 1) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) OUT)"),
    ("secret-requests send", UNANSWERED, "(call $secret-requests/send (call $sent) OUT)"),
    ("log write", RETURNS, "(call $log/write (i32.const 3) LONG)"),
    ("mounts [resource-drop]target", ENDS, "(call $drop_target (local.get $target))"),
    ("mounts open-directory", ENDS, "(call $mounts/open-directory LONG OUT)"),
    ("mounts open-remote", UNANSWERED, "(call $mounts/open-remote SOURCE (call $port) (i32.const 1) OUT)"),
    ("mounts open-remote", ENDS, "(call $mounts/open-remote SOURCE (i32.const 262144) (call $options) OUT)"),
    ("secret-mounts open-remote", ENDS, "(call $secret-mounts/open-remote SOURCE (call $port) (i32.const 1) (call $secret-option) (i32.const 1) OUT)"),
    ("secret-mounts mount-remote", ENDS, "(call $secret-mounts/mount-remote (local.get $target) SOURCE (call $port) (i32.const 1) (call $secret-option) (i32.const 1) OUT)"),
    ("mounts [method]target.mount-remote", UNANSWERED, "(call $mounts/target.mount-remote (local.get $target) SOURCE (call $port) (i32.const 1) OUT)"),
    ("mounts [method]target.bind", ENDS, "(call $mounts/target.bind (local.get $target) (call $directory) LONG OUT)"),
    ("secrets [resource-drop]secret", RETURNS, "(call $secrets/drop-secret (call $secret))"),
    ("secrets [method]secret.name", RETURNS, "(call $secrets/secret.name (call $secret) OUT)"),
    ("secrets open-secret", ENDS, "(call $secrets/open-secret LONG OUT)"),
    ("secret-keys open-key", RETURNS, "(call $secret-keys/open-key LONG (call $secret) (i32.const 0) (i32.const 0) OUT)"),
    ("signing [resource-drop]signing-key", RETURNS, "(call $signing/drop-signing-key (call $key))"),
    ("signing open-key", ENDS, "(call $signing/open-key LONG OUT)"),
    ("signing now-seconds", RETURNS, "(drop (call $signing/now-seconds))"),
    ("signing nonce", RETURNS, "(call $signing/nonce OUT)"),
    ("signing sha256", RETURNS, "(call $signing/sha256 LONG OUT)"),
    ("signing [method]signing-key.id", UNANSWERED, "(call $signing/signing-key.id (call $key) OUT)"),
    ("signing [method]signing-key.session-token", UNANSWERED, "(call $signing/signing-key.session-token (call $key) OUT)"),
    ("signing [method]signing-key.sign", UNANSWERED, "(call $signing/signing-key.sign (call $key) (i32.const 1312) (i32.const 11) LONG OUT)"),
    ("signing [method]signing-key.sign", RETURNS, "(call $signing/signing-key.sign (call $key) LONG (i32.const 1200) (i32.const 1) OUT)"),
    // Of WASI. No stream ever fails, so that there is no handle of an error.
    ("wasi:io/error [resource-drop]error", TRAPS, "(call $error/drop-error (i32.const 1))"),
    ("wasi:io/error [method]error.to-debug-string", TRAPS, "(call $error/error.to-debug-string (i32.const 1) OUT)"),
    ("wasi:io/poll [resource-drop]pollable", RETURNS, "(call $poll/drop-pollable (call $never))"),
    ("wasi:io/poll [method]pollable.ready", RETURNS, "(if (call $poll/pollable.ready (call $never)) (then unreachable))"),
    ("wasi:io/poll [method]pollable.block", SLEEPS, "(call $poll/pollable.block (call $never))"),
    ("wasi:io/poll [method]pollable.block", RETURNS, "(call $poll/pollable.block (call $monotonic-clock/subscribe-duration (i64.const 1000000)))"),
    ("wasi:io/poll poll", SLEEPS, "(i32.store (i32.const 8192) (call $never)) (i32.store (i32.const 8196) (call $never)) (call $poll/poll OUT (i32.const 2) (i32.const 8256))"),
    ("wasi:io/poll poll", RETURNS, "(i32.store (i32.const 8192) (call $never)) (i32.store (i32.const 8196) (call $streams/input-stream.subscribe (call $stdin/get-stdin))) (call $poll/poll OUT (i32.const 2) (i32.const 8256)) (if (i32.ne (i32.load (i32.load (i32.const 8256))) (i32.const 1)) (then unreachable))"),
    ("wasi:io/poll poll", TRAPS, "(call $poll/poll OUT (i32.const 0) (i32.const 8256))"),
    ("wasi:io/streams [resource-drop]input-stream", RETURNS, "(call $streams/drop-input-stream (call $stdin/get-stdin))"),
    ("wasi:io/streams [method]input-stream.read", RETURNS, "(call $streams/input-stream.read (call $stdin/get-stdin) MOST OUT)"),
    ("wasi:io/streams [method]input-stream.blocking-read", RETURNS, "(call $streams/input-stream.blocking-read (call $stdin/get-stdin) MOST OUT)"),
    ("wasi:io/streams [method]input-stream.skip", RETURNS, "(call $streams/input-stream.skip (call $stdin/get-stdin) MOST OUT)"),
    ("wasi:io/streams [method]input-stream.blocking-skip", RETURNS, "(call $streams/input-stream.blocking-skip (call $stdin/get-stdin) MOST OUT)"),
    ("wasi:io/streams [method]input-stream.subscribe", RETURNS, "(call $poll/pollable.block (call $streams/input-stream.subscribe (call $stdin/get-stdin)))"),
    ("wasi:io/streams [resource-drop]output-stream", RETURNS, "(call $streams/drop-output-stream (call $stdout/get-stdout))"),
    ("wasi:io/streams [method]output-stream.check-write", RETURNS, "(call $streams/output-stream.check-write (call $stdout/get-stdout) OUT)"),
    ("wasi:io/streams [method]output-stream.write", RETURNS, "(call $streams/output-stream.write (call $stdout/get-stdout) LONG OUT)"),
    ("wasi:io/streams [method]output-stream.blocking-write-and-flush", RETURNS, "(call $streams/output-stream.blocking-write-and-flush (call $stderr/get-stderr) LONG OUT)"),
    ("wasi:io/streams [method]output-stream.flush", RETURNS, "(call $streams/output-stream.flush (call $stdout/get-stdout) OUT)"),
    ("wasi:io/streams [method]output-stream.blocking-flush", RETURNS, "(call $streams/output-stream.blocking-flush (call $stdout/get-stdout) OUT)"),
    ("wasi:io/streams [method]output-stream.write-zeroes", RETURNS, "(call $streams/output-stream.write-zeroes (call $stdout/get-stdout) MOST OUT)"),
    ("wasi:io/streams [method]output-stream.blocking-write-zeroes-and-flush", RETURNS, "(call $streams/output-stream.blocking-write-zeroes-and-flush (call $stdout/get-stdout) MOST OUT)"),
    ("wasi:io/streams [method]output-stream.splice", RETURNS, "(call $streams/output-stream.splice (call $stdout/get-stdout) (call $stdin/get-stdin) MOST OUT)"),
    ("wasi:io/streams [method]output-stream.blocking-splice", RETURNS, "(call $streams/output-stream.blocking-splice (call $stdout/get-stdout) (call $stdin/get-stdin) MOST OUT)"),
    ("wasi:io/streams [method]output-stream.subscribe", RETURNS, "(call $poll/pollable.block (call $streams/output-stream.subscribe (call $stdout/get-stdout)))"),
    ("wasi:clocks/wall-clock now", RETURNS, "(call $wall-clock/now OUT)"),
    ("wasi:clocks/wall-clock resolution", RETURNS, "(call $wall-clock/resolution OUT)"),
    ("wasi:clocks/monotonic-clock now", RETURNS, "(drop (call $monotonic-clock/now))"),
    ("wasi:clocks/monotonic-clock resolution", RETURNS, "(drop (call $monotonic-clock/resolution))"),
    ("wasi:clocks/monotonic-clock subscribe-instant", SLEEPS, "(call $poll/pollable.block (call $monotonic-clock/subscribe-instant MOST))"),
    ("wasi:clocks/monotonic-clock subscribe-duration", SLEEPS, "(call $poll/pollable.block (call $monotonic-clock/subscribe-duration (i64.const 3000000000)))"),
    ("wasi:clocks/monotonic-clock subscribe-duration", TRAPS, "(loop $again (drop (call $never)) (br $again))"),
    ("wasi:random/random get-random-bytes", TRAPS, "(call $random/get-random-bytes (i64.const 0x10000000000) OUT)"),
    ("wasi:random/random get-random-bytes", RETURNS, "(call $random/get-random-bytes (i64.const 0x100000) OUT)"),
    ("wasi:random/random get-random-u64", RETURNS, "(drop (call $random/get-random-u64))"),
    ("wasi:random/insecure get-insecure-random-bytes", TRAPS, "(call $insecure/get-insecure-random-bytes MOST OUT)"),
    ("wasi:random/insecure get-insecure-random-u64", RETURNS, "(drop (call $insecure/get-insecure-random-u64))"),
    ("wasi:random/insecure-seed insecure-seed", RETURNS, "(call $insecure-seed/insecure-seed OUT)"),
    ("wasi:cli/stdin get-stdin", TRAPS, "(loop $again (drop (call $stdin/get-stdin)) (br $again))"),
    ("wasi:cli/stdout get-stdout", TRAPS, "(loop $again (drop (call $stdout/get-stdout)) (br $again))"),
    ("wasi:cli/stderr get-stderr", TRAPS, "(loop $again (drop (call $stderr/get-stderr)) (br $again))"),
];

/// What the cases share: text, and handles of what is granted. Every list of the contract has elements of 8 or 20
/// bytes; there are as many as a host function takes.
fn core(port: u16) -> String {
    format!(
        r#"
        (data (i32.const 1024) "pool") (data (i32.const 1040) "api") (data (i32.const 1056) "key")
        (data (i32.const 1072) "nfs") (data (i32.const 1088) "127.0.0.1") (data (i32.const 1104) "/exports/x")
        (data (i32.const 1120) "no-such-1") (data (i32.const 1136) "ext4") (data (i32.const 1152) "fifo")
        (data (i32.const 1168) "full") (data (i32.const 1184) "new") (data (i32.const 1200) "/")
        (data (i32.const 1216) "port") (data (i32.const 1232) "{port:05}") (data (i32.const 1248) "drive-0001")
        (data (i32.const 1264) "-q") (data (i32.const 1280) "gzip") (data (i32.const 1296) "GET")
        (data (i32.const 1312) "hmac-sha256") (data (i32.const 1328) "word") (data (i32.const 1344) "x-token")
        (data (i32.const 1360) "password")
        (func $directory (result i32)
            (call $mounts/open-directory (i32.const 1024) (i32.const 4) (i32.const 8192)) (call $opened))
        (func $endpoint (result i32)
            (call $https/open-endpoint (i32.const 1040) (i32.const 3) (i32.const 8192)) (call $opened))
        (func $key (result i32)
            (call $signing/open-key (i32.const 1056) (i32.const 3) (i32.const 8192)) (call $opened))
        (func $secret (result i32)
            (call $secrets/open-secret (i32.const 1328) (i32.const 4) (i32.const 8192)) (call $opened))
        (func $secret-option (result i32)
            (i32.store (i32.const 8704) (i32.const 1360)) (i32.store (i32.const 8708) (i32.const 8))
            (i32.store (i32.const 8712) (call $secret)) (i32.const 8704))
        (func $header (result i32)
            (i32.store (i32.const 8640) (i32.const 1344)) (i32.store (i32.const 8644) (i32.const 7))
            (i64.store (i32.const 8648) (i64.const 0)) (i32.store (i32.const 8656) (call $secret)) (i32.const 8640))
        (func $sent (result i32)
            (i32.store (i32.const 8448) (call $endpoint))
            (i32.store (i32.const 8452) (i32.const 1296)) (i32.store (i32.const 8456) (i32.const 3))
            (i32.store (i32.const 8460) (i32.const 1200)) (i32.store (i32.const 8464) (i32.const 1))
            (memory.fill (i32.const 8468) (i32.const 0) (i32.const 52))
            (i32.store (i32.const 8492) (call $header)) (i32.store (i32.const 8496) (i32.const 1))
            (i32.const 8448))
        (func $device (result i32)
            (call $block-devices/find-device (i32.const 1248) (i32.const 10) (i32.const 0) (i64.const 0) (i32.const 8192))
            (call $opened))
        (func $opened (result i32)
            (if (i32.load8_u (i32.const 8192)) (then unreachable))
            (i32.load (i32.const 8196)))
        (func $never (result i32) (call $monotonic-clock/subscribe-duration (i64.const -1)))
        (func $option (param $at i32)
            (i32.store (local.get $at) (i32.const 1216)) (i32.store offset=4 (local.get $at) (i32.const 4))
            (i32.store offset=8 (local.get $at) (i32.const 1))
            (i32.store offset=12 (local.get $at) (i32.const 1232)) (i32.store offset=16 (local.get $at) (i32.const 5)))
        (func $port (result i32) (call $option (i32.const 8448)) (i32.const 8448))
        (func $options (result i32) (local $left i32)
            (local.set $left (i32.const 20000))
            (loop $next
                (local.set $left (i32.sub (local.get $left) (i32.const 1)))
                (call $option (i32.add (i32.const 262144) (i32.mul (local.get $left) (i32.const 20))))
                (br_if $next (local.get $left)))
            (i32.const 20000))
        (func $words (result i32) (local $left i32) (local $at i32)
            (local.set $left (i32.const 40000))
            (loop $next
                (local.set $left (i32.sub (local.get $left) (i32.const 1)))
                (local.set $at (i32.add (i32.const 262144) (i32.mul (local.get $left) (i32.const 8))))
                (i32.store (local.get $at) (i32.const 1264)) (i32.store offset=4 (local.get $at) (i32.const 2))
                (br_if $next (local.get $left)))
            (i32.const 40000))
        (func $encoded (local $at i32)
            (local.set $at (i32.const 262146))
            (loop $next
                (i32.store16 (local.get $at) (i32.const 0x3532))
                (local.set $at (i32.add (local.get $at) (i32.const 2)))
                (br_if $next (i32.lt_u (local.get $at) (i32.const 294144))))
            (i32.store16 (i32.const 262144) (i32.const 0x252f)))
        "#
    )
}

/// Which case it is, the volume's id says; then the text is made that some of them pass.
fn stage() -> String {
    let case = |(number, (_, _, body)): (usize, &(&str, &str, &str))| {
        let body = body
            .replace("LONG", LONG)
            .replace("MOST", MOST)
            .replace("OUT", OUT)
            .replace("SOURCE", "(i32.const 1072) (i32.const 3) (i32.const 1088) (i32.const 9) (i32.const 1104) (i32.const 10)");
        format!("(if (i32.eq (local.get $context) (i32.const {number})) (then {body}))")
    };
    let cases: Vec<String> = CASES.iter().enumerate().map(case).collect();
    let digit = |at: u32, weight: u32| {
        format!(
            "(i32.mul (i32.const {weight}) (i32.sub (i32.load8_u offset={at} (local.get $id)) (i32.const 48)))"
        )
    };
    format!(
        "(local.set $context (i32.add {} (i32.add {} {})))
         (drop (memory.grow (i32.const 32)))
         (memory.fill (i32.const 262144) (i32.const 97) (i32.const 2000000))
         {}",
        digit(0, 100),
        digit(1, 10),
        digit(2, 1),
        cases.join("\n")
    )
}

const GRANTS: &str = r#"
component = "hostile"
csi-name = "hostile.drivebay.dev"
[grants.mounts]
filesystems = ["nfs"]
sources = ["127.0.0.0/8:/exports/**"]
options = ["port"]
directories = { pool = "POOL" }
[grants.files]
access = "read-write"
[grants.block-devices]
devices = ["loop-*"]
filesystems = ["ext4"]
format-options = ["-q"]
mount-options = ["port"]
[grants.https.api]
origin = "http://127.0.0.1:PORT"
methods = ["GET"]
paths = ["/**"]
addresses = ["127.0.0.0/8"]
[grants.secrets.word]
mount-options = ["password"]
headers = ["x-token"]
endpoints = ["api"]
signing = ["hmac-sha1"]
[grants.signing.key]
source = "metadata"
origin = "http://127.0.0.1:PORT"
addresses = ["127.0.0.0/8"]
path = "/keys"
role = "node"
fields = { id = "Id", secret = "Secret", expires = "Expiration" }
[limits]
memory = "8MiB"
deadline = "2s"
"#;

/// A node with everything granted, and nobody who answers.
struct Worst {
    node: Node,
    server: SilentServer,
    _disk: LoopDevice,
}

impl Worst {
    fn new() -> Self {
        let (node, server) = (Node::empty(), SilentServer::start());
        let image = node.path("drive-0001");
        File::create(&image)
            .and_then(|file| file.set_len(64 << 20))
            .expect("writable");
        let disk = LoopDevice::over(&image);
        let pool = node.path("pool");
        let fifo = Node::run("mkfifo", &[&pool.join("fifo").to_string_lossy()]);
        assert!(fifo.status.success(), "{fifo:?}");
        fs::create_dir(pool.join("full")).expect("writable");
        for name in 0..9_000 {
            // The longest names, and six bytes for each character of them on their way.
            let name = format!("{name:04}{}", "\u{1}".repeat(110));
            File::create(pool.join("full").join(name)).expect("writable");
        }
        let worst = Self {
            node,
            server,
            _disk: disk,
        };
        worst.install();
        worst
    }

    fn install(&self) {
        let port = self.server.port().to_string();
        let pool = self.node.path("pool").to_string_lossy().into_owned();
        let grants = GRANTS.replace("POOL", &pool).replace("PORT", &port);
        self.node.add_driver("hostile", &grants);
        let guest = guest_that_imports_all("hostile")
            .core(&core(self.server.port()))
            .stage(&stage());
        self.node
            .install(&[&guest.write(self.node.path("hostile.wasm"))]);
    }
}

/// `NodePublishVolume` of the volume that names the case.
fn publish(csi: &Csi, node: &Node, number: usize) -> tonic::Status {
    let parent = node.path("pods").join(format!("case-{number}"));
    fs::create_dir_all(&parent).expect("writable");
    let request = proto::NodePublishVolumeRequest {
        volume_id: format!("{number:03}"),
        target_path: parent.join("mount").to_string_lossy().into_owned(),
        volume_capability: Some(mounted(Mode::SingleNodeWriter)),
        secrets: [("word".to_owned(), "hunter2".to_owned())].into(),
        ..proto::NodePublishVolumeRequest::default()
    };
    let answer = csi.node_publish_volume_within(PATIENCE, request);
    answer.expect_err("nothing here puts a volume in place")
}

/// The most memory of a process since the last time, in MiB.
fn peak_mib(csi: &Csi) -> u64 {
    let file = |name: &str| PathBuf::from(format!("/proc/{}/{name}", csi.process()));
    let status = fs::read_to_string(file("status")).expect("it runs");
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = peak.and_then(|rest| rest.trim().strip_suffix(" kB"));
    // proc(5): 5 makes the peak what is in use now.
    fs::write(file("clear_refs"), "5").expect("ours");
    kib.and_then(|kib| kib.parse::<u64>().ok())
        .expect("a number")
        >> 10
}

#[test]
fn every_function_that_is_linked_is_tried() {
    let tried: BTreeSet<String> = CASES.iter().map(|(name, ..)| (*name).to_owned()).collect();
    let known: BTreeSet<String> = host_functions()
        .into_iter()
        .map(|function| function.name)
        .collect();
    let mut linked = linked_of_wasi();
    linked.extend(
        known
            .iter()
            .filter(|name| !name.starts_with("wasi:"))
            .cloned(),
    );
    assert_eq!(tried, linked, "the table, and what is linked");
    assert_eq!(known, linked, "wasi.wit, and what is linked");
}

#[test]
fn no_function_outlasts_the_deadline_or_takes_memory_without_end() {
    let _machine = crate::is_in_time();
    let worst = Worst::new();
    let csi = worst.node.serve("hostile");
    peak_mib(&csi);
    let before = peak_mib(&csi);
    for (number, (name, says, _)) in CASES.iter().enumerate() {
        let status = publish(&csi, &worst.node, number);
        let said = status.message();
        assert!(
            !matches!(status.code(), Code::DeadlineExceeded | Code::Cancelled),
            "{name}: no answer in {PATIENCE:?}: {status:?}"
        );
        assert!(said.contains(says), "{name} said {said:?}, not {says:?}");
        let peak = peak_mib(&csi);
        assert!(
            peak < before + 48,
            "{name} took {} MiB",
            peak.saturating_sub(before)
        );
    }
    assert!(csi.probe(proto::ProbeRequest {}).is_ok());
}

/// WASI's clock and what waits for it, as the guests below use them.
fn sleeper() -> WatGuest {
    let wasi = fs::read_to_string(drivebay_tests::repository().join("tests/wasi.wit"));
    WatGuest::named("hostile")
        .imports_foreign(&wasi.expect("readable"), "wasi:io/poll@0.2.6")
        .imports_foreign("", "wasi:clocks/monotonic-clock@0.2.6")
        .core(
            r#"(import "wasi:io/poll@0.2.6" "[method]pollable.block" (func $block (param i32)))
               (import "wasi:clocks/monotonic-clock@0.2.6" "subscribe-duration" (func $after (param i64) (result i32)))"#,
        )
}

const SLEEP: &str = "(call $block (call $after (i64.const -1)))";

#[test]
fn a_call_out_ends_though_its_guest_sleeps_for_ever() {
    let _machine = crate::is_in_time();
    let grants = format!(
        "{}[limits]\ndeadline = \"2s\"\n",
        drivebay_tests::HOSTILE_GRANTS
    );
    mount_hostile(&hostile_node(&sleeper().stage(SLEEP), &grants)).fails_with(SLEEPS);
}

#[test]
fn a_component_that_sleeps_for_ever_when_it_is_asked_who_it_is_is_refused() {
    let _machine = crate::is_in_time();
    let node = Node::empty();
    let file = sleeper().describe(SLEEP).write(node.path("hostile.wasm"));
    for command in ["inspect", "install"] {
        let mut command = node.drivebay(&[command, &file.to_string_lossy()]);
        let output = command.output().expect("drivebay runs");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(
            said.contains("it would have slept beyond the end"),
            "{said}"
        );
    }
}
