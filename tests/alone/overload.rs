//! Many calls at once, of guests that take what they can: the node keeps its memory, threads and processes, and another
//! driver of the same process does not notice.

use std::collections::BTreeMap;
use std::fs;
use std::io::{Write, stdout};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use drivebay_tests::csi_proto::identity_client::IdentityClient;
use drivebay_tests::csi_proto::node_client::NodeClient;
use drivebay_tests::csi_proto::volume_capability::access_mode::Mode;
use drivebay_tests::csi_proto::{self as proto};
use drivebay_tests::{
    MemoryCgroup, Node, PATIENCE, ServeProcess, SilentServer, WatGuest, mounted, repository,
};
use tokio::runtime::{self, Runtime};
use tonic::transport::Channel;
use tonic::{Code, Request, Status};

const GRANTS: &str = r#"
component = "hostile"
csi-name = "hostile.drivebay.dev"
[grants.mounts]
filesystems = ["nfs"]
sources = ["127.0.0.1:/**"]
options = ["port"]
[limits]
cpu = "100ms"
deadline = "20s"
"#;

const FRIENDLY: &str = r#"
component = "friendly"
csi-name = "friendly.drivebay.dev"
[grants.mounts]
directories = { pool = "POOL" }
"#;

/// What it does, the first letter of the volume's id says: `h`ogs take 62 MB and keep it for a moment, `s`leepers wait
/// for ever, `b`urners compute without end, and all others mount from a server that does not answer.
fn hostile(port: u16) -> WatGuest {
    let wasi = fs::read_to_string(repository().join("tests/wasi.wit")).expect("readable");
    let port = port.to_string();
    let kind = |letter: char, body: &str| {
        format!(
            "(if (i32.eq (i32.load8_u (local.get $id)) (i32.const {})) (then {body}))",
            u32::from(letter)
        )
    };
    let hog = "(if (i32.eq (memory.grow (i32.const 940)) (i32.const -1)) (then unreachable))
        (memory.fill (i32.const 262144) (i32.const 97) (i32.const 61603840))
        (call $block (call $after (i64.const 300000000)))";
    let mount = format!(
        "(i32.store (i32.const 4096) (i32.const 1200)) (i32.store (i32.const 4100) (i32.const 4))
         (i32.store (i32.const 4104) (i32.const 1))
         (i32.store (i32.const 4108) (i32.const 1216)) (i32.store (i32.const 4112) (i32.const {}))
         (call $mount (local.get $target) (i32.const 1024) (i32.const 3) (i32.const 1040) (i32.const 9)
            (i32.const 1056) (i32.const 2) (i32.const 4096) (i32.const 1) (i32.const 64))",
        port.len()
    );
    WatGuest::named("hostile")
        .imports("mounts")
        .imports_foreign(&wasi, "wasi:io/poll@0.2.6")
        .imports_foreign("", "wasi:clocks/monotonic-clock@0.2.6")
        .core(&format!(
            r#"(import "wasi:io/poll@0.2.6" "[method]pollable.block" (func $block (param i32)))
               (import "wasi:clocks/monotonic-clock@0.2.6" "subscribe-duration" (func $after (param i64) (result i32)))
               (import "drivebay:driver/mounts@0.1.0" "[method]target.mount-remote" (func $mount (param i32 i32 i32 i32 i32 i32 i32 i32 i32 i32)))
               (data (i32.const 1024) "nfs") (data (i32.const 1040) "127.0.0.1") (data (i32.const 1056) "/x")
               (data (i32.const 1200) "port") (data (i32.const 1216) "{port}")"#
        ))
        .stage(&format!(
            "{} {} {} {}",
            kind('h', hog),
            kind('s', "(call $block (call $after (i64.const -1)))"),
            kind('b', "(loop $for_ever (br $for_ever))"),
            kind('m', &mount)
        ))
}

/// Binds its pool to every target.
fn friendly() -> WatGuest {
    WatGuest::named("friendly")
        .imports("mounts")
        .core(
            r#"(import "drivebay:driver/mounts@0.1.0" "open-directory" (func $open (param i32 i32 i32)))
               (import "drivebay:driver/mounts@0.1.0" "[method]target.bind" (func $bind (param i32 i32 i32 i32 i32)))
               (data (i32.const 1024) "pool")"#,
        )
        .imports("files")
        .stage(
            "(call $open (i32.const 1024) (i32.const 4) (i32.const 64))
             (if (i32.eqz (i32.load8_u (i32.const 64))) (then
                (call $bind (local.get $target) (i32.load (i32.const 68)) (i32.const 0) (i32.const 0) (i32.const 64))))",
        )
}

struct Site {
    node: Node,
    runtime: Runtime,
    _server: SilentServer,
}

impl Site {
    fn new() -> Self {
        let (node, server) = (Node::empty(), SilentServer::start());
        let pool = node.path("pool").to_string_lossy().into_owned();
        node.add_driver("hostile", GRANTS);
        let files = "[grants.files]\naccess = \"read-only\"\n";
        node.add_driver("friendly", &(FRIENDLY.replace("POOL", &pool) + files));
        node.install(&[
            &hostile(server.port()).write(node.path("hostile.wasm")),
            &friendly().write(node.path("friendly.wasm")),
        ]);
        let runtime = runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build();
        Self {
            node,
            runtime: runtime.expect("threads"),
            _server: server,
        }
    }

    fn channel(&self, serve: &ServeProcess, driver: &str) -> Channel {
        let _entered = self.runtime.enter();
        serve.channel(driver)
    }

    fn target(&self, id: &str) -> String {
        let parent = self.node.path("pods").join(id);
        fs::create_dir_all(&parent).expect("writable");
        parent.join("mount").to_string_lossy().into_owned()
    }

    fn publishing(&self, id: &str) -> Request<proto::NodePublishVolumeRequest> {
        let mut request = Request::new(proto::NodePublishVolumeRequest {
            volume_id: id.to_owned(),
            target_path: self.target(id),
            volume_capability: Some(mounted(Mode::SingleNodeWriter)),
            ..proto::NodePublishVolumeRequest::default()
        });
        request.set_timeout(4 * PATIENCE);
        request
    }

    fn publish(&self, channel: &Channel, id: &str) -> Result<(), Status> {
        let mut client = NodeClient::new(channel.clone());
        let answer = client.node_publish_volume(self.publishing(id));
        self.runtime.block_on(answer).map(drop)
    }

    fn unpublish(&self, channel: &Channel, id: &str) -> Result<(), Status> {
        let mut client = NodeClient::new(channel.clone());
        let mut request = Request::new(proto::NodeUnpublishVolumeRequest {
            volume_id: id.to_owned(),
            target_path: self.target(id),
        });
        request.set_timeout(PATIENCE);
        let answer = client.node_unpublish_volume(request);
        self.runtime.block_on(answer).map(drop)
    }

    fn probe(&self, channel: &Channel) -> Result<(), Status> {
        let mut client = IdentityClient::new(channel.clone());
        let mut request = Request::new(proto::ProbeRequest {});
        request.set_timeout(PATIENCE);
        self.runtime.block_on(client.probe(request)).map(drop)
    }

    /// What a driver's caller wants whatever happens to others: three calls, each of which has to succeed.
    #[track_caller]
    fn is_served(&self, channel: &Channel, id: &str) {
        self.probe(channel).expect("Probe");
        self.publish(channel, id).expect("publish");
        Node::holds_one_mount(std::path::Path::new(&self.target(id)));
        self.unpublish(channel, id).expect("unpublish");
    }
}

/// Ends whoever watches, also when a test fails meanwhile.
struct Over<'a>(&'a AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// The most of each that was ever taken.
fn keep_most(most: &mut BTreeMap<&'static str, u64>, now: BTreeMap<&'static str, u64>) {
    for (name, value) in now {
        let kept = most.entry(name).or_default();
        *kept = value.max(*kept);
    }
}

/// Told also where the test passes: what it prints by a macro is kept back then.
fn say(line: &str) {
    writeln!(stdout(), "{line}").expect("somebody reads");
}

#[test]
fn two_hundred_hostile_calls_at_once_leave_the_node_its_memory_and_others_their_answers() {
    let _machine = crate::takes_all();
    let site = Site::new();
    let group = MemoryCgroup::with_limit(512 << 20);
    // Where there is no control group to read it from, the same is said.
    let arguments: &[&str] = match group {
        Some(_) => &[],
        None => &["--guest-memory", "256Mi"],
    };
    let mut serve = ServeProcess::start(
        &site.node,
        group.as_ref(),
        &["hostile", "friendly"],
        arguments,
    );
    let hostile = site.channel(&serve, "hostile");
    let friendly = site.channel(&serve, "friendly");
    site.is_served(&friendly, "before");

    let kinds = ["h", "m", "h", "s", "m", "b", "h", "m"].into_iter().cycle();
    let ids: Vec<String> = (0..200)
        .zip(kinds)
        .map(|(number, kind)| format!("{kind}-{number}"))
        .collect();
    let calls: Vec<_> = ids
        .iter()
        .map(|id| {
            let (mut client, request) = (NodeClient::new(hostile.clone()), site.publishing(id));
            site.runtime
                .spawn(async move { client.node_publish_volume(request).await })
        })
        .collect();

    let mut most = BTreeMap::new();
    let is_over = AtomicBool::new(false);
    let answers = thread::scope(|scope| {
        scope.spawn(|| {
            while !is_over.load(Ordering::Relaxed) {
                keep_most(&mut most, serve.usage());
                thread::sleep(Duration::from_millis(20));
            }
        });
        let _over = Over(&is_over);
        let mut served = 0;
        while calls.iter().any(|call| !call.is_finished()) {
            site.is_served(&friendly, &format!("meanwhile-{served}"));
            // What hangs can be taken away, and the driver is there.
            site.probe(&hostile).expect("Probe");
            site.unpublish(&hostile, "h-of-another-pod")
                .expect("unpublish");
            served += 1;
        }
        say(&format!(
            "meanwhile the other driver was served {served} times"
        ));
        calls
            .into_iter()
            .map(|call| {
                let answer = site.runtime.block_on(call).expect("no panic");
                answer.expect_err("nothing here puts a volume in place")
            })
            .collect::<Vec<Status>>()
    });

    assert!(serve.is_alive(), "serve is gone");
    for (name, value) in &most {
        say(&format!("{value:>6} {name}"));
    }
    for (id, status) in ids.iter().zip(&answers) {
        assert!(
            !matches!(
                status.code(),
                Code::DeadlineExceeded | Code::Cancelled | Code::Unknown
            ),
            "{id}: {status:?}"
        );
    }
    let fed = answers.iter().zip(&ids).filter(|(status, id)| {
        id.starts_with('h') && status.message().contains("nothing is mounted")
    });
    assert!(fed.count() > 1, "no hog got its memory: {answers:?}");
    for (name, bound) in [
        ("MiB of memory", 256),
        ("MiB of memory, workers", 160),
        ("processes", 300),
        ("threads", 2 * 128 + 16),
        ("descriptors", 2000),
        ("KiB of disk", 64 << 10),
        ("log lines", 4000),
    ] {
        assert!(
            most[name] <= bound,
            "{} {name}, more than {bound}",
            most[name]
        );
    }
    drop(serve);
}

#[test]
fn a_guest_that_wants_more_than_all_may_have_is_told_so_at_once() {
    let _machine = crate::is_in_time();
    let site = Site::new();
    let serve = ServeProcess::start(&site.node, None, &["hostile"], &["--guest-memory", "32Mi"]);
    let status = site
        .publish(&site.channel(&serve, "hostile"), "h-1")
        .expect_err("too much");
    assert_eq!(status.code(), Code::ResourceExhausted, "{status:?}");
    let said = status.message();
    assert!(
        said.contains("of the 32768 KiB that all guests of the driver have in this process (drivebay serve --guest-memory)"),
        "{said}"
    );
}
