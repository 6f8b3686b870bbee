//! Servers and kernels that do not answer: every call ends, keeps no pipe of its caller's, and gives the
//! volume up only when nobody can touch it any more.

use std::fs;
use std::io::Read;
use std::os::fd::AsRawFd;
use std::path::PathBuf;
use std::process::Child;
use std::sync::mpsc;
use std::thread;

use drivebay_tests::{
    Answer, NODE_ID, Node, PATIENCE, RESULT, Volume, WatGuest, eventually, hostile_node, kill_hard,
    send, text,
};
use nix::sys::signal::Signal;
use nix::unistd::Pid;

const SHIM: &str = "drivebay~hostile/hostile";

const DISKS: &str = r#"
component = "hostile"
flexvolume = "drivebay/hostile"
[grants.mounts]
[grants.block-devices]
devices = ["virtio-*"]
filesystems = ["ext4"]
"#;

/// A mount that waits in its worker for a disk that never comes, for five seconds; a worker that a test stops waits for
/// ever.
struct Hanging {
    node: Node,
    pod: PathBuf,
}

impl Hanging {
    fn with_deadline(deadline: &str) -> Self {
        Self::with_limits(&format!("deadline = \"{deadline}\"\n"))
    }

    fn with_limits(limits: &str) -> Self {
        let waits = format!(
            "(call $await (i32.const 1024) (i32.const 7) (i32.const 0) (i64.const 0) (i32.const 5000) (i32.const {RESULT}))"
        );
        let guest = WatGuest::named("hostile")
            .imports("block-devices")
            .core(
                r#"(import "drivebay:driver/block-devices@0.1.0" "await-device" (func $await (param i32 i32 i32 i64 i32 i32)))
                   (data (i32.const 1024) "nowhere")"#,
            )
            .stage(&waits);
        let node = hostile_node(&guest, &format!("{DISKS}[limits]\n{limits}"));
        let pod = node.pod("web");
        Self { node, pod }
    }

    /// The shim, and its worker once it waits for the disk.
    fn start(&self) -> (Child, Pid) {
        let arguments = ["mount", text(&self.pod), "{}"];
        let shim = self
            .node
            .callout(SHIM, &arguments)
            .spawn()
            .expect("the shim runs");
        let mut waiting = None;
        eventually("a worker that waits for a disk", || {
            waiting = self
                .node
                .workers()
                .into_iter()
                .find(|worker| watches(*worker));
            waiting.is_some()
        });
        (shim, waiting.expect("found"))
    }

    fn unmount(&self) -> Answer {
        self.node.call_driver(SHIM, &["unmount", text(&self.pod)])
    }
}

#[test]
fn a_worker_that_stands_still_is_ended_at_the_deadline() {
    let _machine = crate::is_in_time();
    let hanging = Hanging::with_deadline("3s");
    let (node, pod) = (&hanging.node, &hanging.pod);
    let before = node.traces();
    let (shim, worker) = hanging.start();
    send(worker, Signal::SIGSTOP);
    let answer = Answer::of(&shim.wait_with_output().expect("ours")).fails_with("deadline");
    assert_eq!(answer.json.as_object().map(serde_json::Map::len), Some(2));
    assert!(!is_alive(worker), "the worker outlived its deadline");
    assert_eq!(node.traces(), before, "something was left half done");
    hanging.unmount().succeeds();
    assert!(pod.is_dir());
}

#[test]
fn the_pipes_close_when_the_shim_ends_even_while_its_worker_hangs() {
    let _machine = crate::is_in_time();
    let hanging = Hanging::with_deadline("20s");
    let (mut shim, worker) = hanging.start();
    let ends = [
        read_to_end(shim.stdout.take()),
        read_to_end(shim.stderr.take()),
    ];
    kill_hard(shim);
    // Not before: the kernel hangs up on those that stand still when they become orphans.
    send(worker, Signal::SIGSTOP);
    for end in ends {
        let bytes = end
            .recv_timeout(PATIENCE)
            .expect("a child keeps kubelet's pipe open");
        assert!(bytes.is_empty(), "a killed shim wrote something");
    }
    assert!(is_alive(worker), "the worker was to hang meanwhile");
    send(worker, Signal::SIGKILL);
    eventually("the worker to go", || !is_alive(worker));
    hanging.unmount().succeeds();
    hanging.node.is_clean();
}

#[test]
fn workers_have_none_of_the_callers_streams_nor_its_environment() {
    let _machine = crate::is_in_time();
    let hanging = Hanging::with_deadline("20s");
    let (shim, worker) = hanging.start();
    send(worker, Signal::SIGSTOP);
    let own = [pipe_name(&shim.stdout), pipe_name(&shim.stderr)];
    for descriptor in fs::read_dir(format!("/proc/{worker}/fd"))
        .expect("it runs")
        .flatten()
    {
        let open = fs::read_link(descriptor.path()).unwrap_or_default();
        assert!(
            !own.contains(&open),
            "the worker holds {}, which kubelet reads",
            open.display()
        );
    }
    assert_eq!(
        fs::read(format!("/proc/{worker}/environ")).expect("it runs"),
        b""
    );
    send(worker, Signal::SIGKILL);
    Answer::of(&shim.wait_with_output().expect("ours")).fails_with("the worker process failed");
}

#[test]
fn a_volume_stays_locked_while_a_worker_of_a_dead_shim_is_at_it() {
    let _machine = crate::is_in_time();
    let hanging = Hanging::with_deadline("3s");
    let (shim, worker) = hanging.start();
    kill_hard(shim);
    send(worker, Signal::SIGSTOP);
    hanging
        .unmount()
        .fails_with("another operation on it is still running");
    // Another volume is not concerned.
    let other = hanging.node.pod("db");
    hanging
        .node
        .call_driver(SHIM, &["unmount", text(&other)])
        .succeeds();
    assert!(is_alive(worker));
    send(worker, Signal::SIGKILL);
    hanging.unmount().succeeds();
    hanging.node.is_clean();
}

#[test]
fn workers_end_before_the_host_where_memory_is_short() {
    let _machine = crate::is_in_time();
    let hanging = Hanging::with_deadline("20s");
    let (shim, worker) = hanging.start();
    let score = fs::read_to_string(format!("/proc/{worker}/oom_score_adj")).expect("it runs");
    assert_eq!(score.trim(), "900");
    send(worker, Signal::SIGKILL);
    Answer::of(&shim.wait_with_output().expect("ours")).fails_with("the worker process failed");
}

#[test]
fn many_calls_that_hang_share_as_many_workers_as_the_operator_says() {
    let _machine = crate::is_in_time();
    let hanging = Hanging::with_limits("deadline = \"3s\"\n[limits.workers]\nat-once = 4\n");
    let node = &hanging.node;
    let mut shims: Vec<Child> = (0..24)
        .map(|number| {
            let pod = node.pod(&format!("web-{number}"));
            let options = format!(r#"{{"kubernetes.io/pvOrVolumeName":"pv-{number}"}}"#);
            let shim = node.callout(SHIM, &["mount", text(&pod), &options]).spawn();
            shim.expect("the shim runs")
        })
        .collect();
    let mut most = 0;
    eventually("the callers to be answered", || {
        most = most.max(node.workers().len());
        shims
            .iter_mut()
            .all(|shim| shim.try_wait().expect("ours").is_some())
    });
    assert!((1..=4).contains(&most), "{most} workers at once");
    for shim in shims {
        let answer = Answer::of(&shim.wait_with_output().expect("ours"));
        let ours = ["(limits.workers.at-once = 4)", "no device with serial"];
        let said = answer.message();
        assert!(ours.iter().any(|words| said.contains(words)), "{said}");
    }
    node.is_clean();
}

#[test]
fn a_worker_of_a_dead_shim_finishes_and_goes_by_itself() {
    let _machine = crate::is_in_time();
    let hanging = Hanging::with_deadline("20s");
    let (shim, _) = hanging.start();
    kill_hard(shim);
    eventually("the orphan to end", || hanging.node.workers().is_empty());
    hanging.unmount().succeeds();
    hanging.node.is_clean();
}

#[test]
fn a_lock_goes_with_the_last_worker_of_a_dead_shim_also_where_others_found_it_held() {
    let _machine = crate::is_in_time();
    let hanging = Hanging::with_deadline("20s");
    let (shim, _) = hanging.start();
    kill_hard(shim);
    // Looks for locks that killed holders left, and must leave this one.
    let other = hanging.node.pod("db");
    hanging
        .node
        .call_driver(SHIM, &["unmount", text(&other)])
        .succeeds();
    assert!(
        !hanging.node.workers().is_empty(),
        "the orphan was to be at it"
    );
    eventually("the orphan to end", || hanging.node.workers().is_empty());
    hanging.node.has_no_lock();
    hanging.unmount().succeeds();
    hanging.node.is_clean();
}

#[test]
fn a_worker_stuck_in_the_kernel_keeps_the_lock_until_it_is_really_gone() {
    let _machine = crate::is_in_time();
    let node = Node::empty();
    let frozen = Frozen::beneath(&node);
    node.add_driver(
        "local",
        &format!("{}[limits]\ndeadline = \"2s\"\n", node.local_grants()),
    );
    node.install(&[&drivebay_tests::guest("local")]);
    let volume = Volume::new(&node, "v1", &[]);

    // Writing to a frozen file system waits where no signal is heard, as with a dead NFS server.
    volume
        .attach()
        .fails_with("stuck in the kernel and cannot be killed; the volume stays locked");
    let stuck = node.workers();
    assert_eq!(stuck.len(), 1, "the worker was to be stuck");
    volume
        .attach()
        .fails_with("another operation on it is still running");
    node.call(&["detach", "v1", NODE_ID])
        .fails_with("another operation on it is still running");
    node.call(&["init"]).succeeds();

    drop(frozen);
    eventually("the worker to go", || node.workers().is_empty());
    volume.attach().succeeds();
    volume.detach().succeeds();
    assert_eq!(node.journal(), Vec::<PathBuf>::new());
}

/// A pool on a file system of its own that is frozen until dropped.
struct Frozen {
    pool: PathBuf,
}

impl Frozen {
    fn beneath(node: &Node) -> Self {
        let (image, pool) = (node.path("image"), node.path("pool"));
        fs::File::create(&image)
            .and_then(|file| file.set_len(16 << 20))
            .expect("writable");
        run("mkfs.ext4", &["-q", text(&image)]);
        run("mount", &["-o", "loop", text(&image), text(&pool)]);
        for directory in ["v1", ".drivebay"] {
            fs::create_dir(pool.join(directory)).expect("writable");
        }
        run("fsfreeze", &["--freeze", text(&pool)]);
        Self { pool }
    }
}

impl Drop for Frozen {
    fn drop(&mut self) {
        Node::run("fsfreeze", &["--unfreeze", text(&self.pool)]);
    }
}

#[track_caller]
fn run(program: &str, arguments: &[&str]) {
    let output = Node::run(program, arguments);
    assert!(
        output.status.success(),
        "{program}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
}

/// Both ends of a pipe have one name.
fn pipe_name(stream: &Option<impl AsRawFd>) -> PathBuf {
    let descriptor = stream.as_ref().expect("piped").as_raw_fd();
    fs::read_link(format!("/proc/self/fd/{descriptor}")).expect("ours")
}

fn read_to_end(stream: Option<impl Read + Send + 'static>) -> mpsc::Receiver<Vec<u8>> {
    let (sender, receiver) = mpsc::channel();
    let mut stream = stream.expect("piped");
    thread::spawn(move || {
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes).expect("a pipe");
        sender.send(bytes)
    });
    receiver
}

/// Whether it has asked the kernel to be told of new devices.
fn watches(worker: Pid) -> bool {
    let descriptors = fs::read_dir(format!("/proc/{worker}/fd"))
        .into_iter()
        .flatten()
        .flatten();
    let mut open = descriptors.filter_map(|descriptor| fs::read_link(descriptor.path()).ok());
    open.any(|file| file.to_string_lossy() == "anon_inode:inotify")
}

/// Not gone, and not a zombie that nobody waited for.
fn is_alive(process: Pid) -> bool {
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    status
        .lines()
        .any(|line| line.starts_with("State:") && !line.contains('Z'))
}
