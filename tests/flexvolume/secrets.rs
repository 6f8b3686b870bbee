//! A secret that kubelet hands to `mount` is nowhere afterwards, and nowhere meanwhile.

use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use drivebay_tests::{
    Answer, ApplianceServer, Node, SilentServer, Volume, WORDS as OF_APPLIANCE, eventually, guest,
    holds, pod_options, send, text, untold_beneath,
};
use nix::sys::signal::Signal;
use nix::unistd::Pid;

const KEY: &str = "kubernetes.io/secret/password";
const PLAIN: &str = "correct-horse-battery-staple";
const BASE64: &str = "Y29ycmVjdC1ob3JzZS1iYXR0ZXJ5LXN0YXBsZQ==";

const WORDS: [&str; 2] = [PLAIN, BASE64];

fn tells(bytes: &[u8]) -> bool {
    WORDS.iter().any(|word| holds(bytes, word))
}

#[track_caller]
fn untold(node: &Node, answer: &Answer) {
    assert!(!tells(answer.text.as_bytes()), "{}", answer.text);
    untold_beneath(&node.path(""), &WORDS);
}

#[test]
fn after_a_mount_that_succeeds() {
    let node = Node::with_local("v1");
    let volume = Volume::new(&node, "v1", &[]).staged();
    let pod = node.pod("web");
    let json = pod_options("v1", &[(KEY, BASE64)]);
    let answer = node.call(&["mount", text(&pod), &json]).succeeds();
    untold(&node, &answer);
    volume.unmount(&pod).succeeds();
    untold(&node, &answer);
}

/// The volume `v1` of the example `appliance`, attached on mount.
#[test]
fn a_backend_uses_what_kubelet_sends_with_mount_and_nothing_is_needed_to_unmount() {
    const KEY_BASE64: &str = "YS1rZXktb2YtdGhlLXZvbHVtZS1hbG9uZQ==";
    let appliance = ApplianceServer::start(|| ());
    let node = Node::empty();
    let pool = node.path("pool");
    fs::create_dir(pool.join("v1")).expect("writable");
    fs::write(pool.join("v1/greeting"), "hello").expect("writable");
    node.add_driver("appliance", &appliance.grants(&pool));
    node.install(&[&guest("appliance")]);
    let pod = node.pod("web");
    let call = |arguments: &[&str]| node.call_driver("drivebay~appliance/appliance", arguments);
    let options =
        |user: &[(&str, &str)]| pod_options("v1", &[&[("account", "acc-1")][..], user].concat());
    let key = ("kubernetes.io/secret/key", KEY_BASE64);

    let answer = call(&["mount", text(&pod), &options(&[key])]);
    answer.fails_with("this call brought no secret \"password\"");
    assert_eq!(appliance.heard(), Vec::<String>::new());

    let answer = call(&["mount", text(&pod), &options(&[(KEY, BASE64), key])]).succeeds();
    let greeting = fs::read_to_string(pod.join("greeting"));
    assert_eq!(greeting.expect("mounted"), "hello");
    let heard = appliance.heard();
    assert!(
        heard[0].ends_with(&ApplianceServer::attacher()),
        "{heard:?}"
    );
    assert!(heard[1].ends_with(&ApplianceServer::account()), "{heard:?}");
    untold(&node, &answer);
    untold_beneath(&node.path(""), &[&OF_APPLIANCE[..], &[KEY_BASE64]].concat());

    call(&["unmount", text(&pod)]).succeeds();
    assert_eq!(appliance.heard().len(), 2, "unmounting asked somebody");
    assert!(node.journal().is_empty(), "{:?}", node.journal());
}

#[test]
fn after_mounts_that_fail_in_every_layer() {
    let node = Node::with_local("v1");
    let pod = node.pod("web");
    let mount = |user: &[(&str, &str)]| {
        let answer = node.call(&["mount", text(&pod), &pod_options("v1", user)]);
        assert_eq!(answer.status(), "Failure", "{}", answer.text);
        untold(&node, &answer);
    };
    mount(&[(KEY, BASE64)]);
    mount(&[(KEY, PLAIN)]);
    mount(&[(KEY, BASE64), ("Kubernetes.io/Secret/Password", BASE64)]);
    mount(&[(KEY, BASE64), ("kubernetes.io/readwrite", PLAIN)]);
    for broken in [
        format!("{{\"{KEY}\":\"{BASE64}\""),
        format!("{{\"{KEY}\":[\"{BASE64}\"]}}"),
    ] {
        let answer = node.call(&["mount", text(&pod), &broken]);
        assert_eq!(answer.status(), "Failure", "{}", answer.text);
        untold(&node, &answer);
    }
    let answer = node.call(&["mount", text(&pod), &format!("\"{BASE64}\"")]);
    untold(&node, &answer);
}

#[test]
fn while_a_mount_is_under_way() {
    let server = SilentServer::start();
    let node = Node::with_nfs("2s");
    let pod = node.pod("web");
    let port = server.port_option();
    let user = [
        (KEY, BASE64),
        ("server", "127.0.0.1"),
        ("share", "/export"),
        ("mountOptions", &port),
    ];
    let json = pod_options("pv-1", &user);
    let shim = node
        .callout("k8s~nfs/nfs", &["mount", text(&pod), &json])
        .spawn()
        .expect("runs");
    eventually("the intent in the journal", || !node.journal().is_empty());
    eventually("a worker that connects", || {
        !node.network_workers().is_empty()
    });
    let workers = [node.workers(), node.network_workers()].concat();
    for (worker, file) in workers
        .iter()
        .flat_map(|id| [(id, "cmdline"), (id, "environ")])
    {
        let content = fs::read(format!("/proc/{worker}/{file}")).expect("it runs");
        assert!(!tells(&content), "the worker's {file} tells");
    }
    untold_beneath(&node.path(""), &WORDS);
    let output = shim.wait_with_output().expect("ours");
    untold(&node, &Answer::of(&output).fails_with("deadline"));
}

/// A program that may leave a core file of any size, in the node's directory.
fn with_cores(node: &Node, program: &Command) -> Child {
    let mut command = node.command(Path::new("prlimit"));
    command.arg("--core=unlimited").arg(program.get_program());
    command.args(program.get_args()).current_dir(node.path(""));
    command.stdout(Stdio::null()).stderr(Stdio::null());
    command.spawn().expect("util-linux is installed")
}

/// Whether the kernel wrote its memory to a file, or handed it to a program.
fn dumps_core(mut process: Child) -> bool {
    send(Pid::from_raw(process.id().cast_signed()), Signal::SIGABRT);
    let status = process.wait().expect("ours");
    assert_eq!(status.signal(), Some(6), "{status:?}");
    status.core_dumped()
}

#[test]
fn a_process_that_may_hold_keys_leaves_no_core_file() {
    let server = SilentServer::start();
    let node = Node::with_nfs("20s");
    let mut harmless = node.command(Path::new("sleep"));
    harmless.arg("60");
    let harmless = with_cores(&node, &harmless);
    let runs = |process: &Child, name: &str| {
        let line = fs::read(format!("/proc/{}/cmdline", process.id())).unwrap_or_default();
        !line.starts_with(b"prlimit") && holds(&line, name)
    };
    eventually("a program without keys", || runs(&harmless, "sleep"));
    assert!(
        dumps_core(harmless),
        "nobody leaves core files here, so that nothing is proven"
    );

    let port = server.port_option();
    let user = [
        ("server", "127.0.0.1"),
        ("share", "/export"),
        ("mountOptions", &*port),
    ];
    let json = pod_options("pv-1", &user);
    let shim = node.callout("k8s~nfs/nfs", &["mount", text(&node.pod("web")), &json]);
    let shim = with_cores(&node, &shim);
    eventually("the intent in the journal", || !node.journal().is_empty());
    assert!(!dumps_core(shim), "the shim's memory was written down");

    let (socket, endpoint) = (
        node.path("csi.sock"),
        format!("unix://{}", node.path("csi.sock").display()),
    );
    let serve = node.drivebay(&["serve", "--driver", "nfs", "--endpoint", &endpoint]);
    let serve = with_cores(&node, &serve);
    eventually("the socket", || socket.exists());
    assert!(
        !dumps_core(serve),
        "the memory of drivebay serve was written down"
    );
    node.is_left_alone();
}
