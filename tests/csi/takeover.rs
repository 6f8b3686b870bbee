//! A new process takes a driver over from one that serves it when it could serve it as well, and says why it does not.

use std::fs::{self, File};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use drivebay_tests::{
    Csi, HOSTILE_GRANTS, Node, RegistrationSocket, WatGuest, eventually, hostile_node,
    is_answered_at, text,
};
use serde_json::json;

const NAME: &str = "hostile.drivebay.dev";

/// By which a process can tell what node this is, as the backend has no name for it.
const NAMED: [&str; 2] = ["--node-id", "node-1"];

/// Longer than a process looks whether it may take over.
const SOME_LOOKS: Duration = Duration::from_millis(2500);

fn guest() -> WatGuest {
    let info = json!({ "id": "", "max-volumes": 0 });
    WatGuest::named("hostile").answers("node.get-info", json!({ "ok": info }))
}

fn node() -> Node {
    let first = "component = \"hostile\"\n";
    let grants = HOSTILE_GRANTS.replace(first, &format!("{first}csi-name = \"{NAME}\"\n"));
    hostile_node(&guest(), &grants)
}

/// A driver that kubelet has registered, with the two sockets that lead to it.
#[track_caller]
fn working(node: &Node) -> (Csi, RegistrationSocket) {
    let csi = node.begin_to_serve_at_kubelet("hostile", NAME, &NAMED);
    csi.answers();
    let registry = node.path("kubelet/plugins_registry");
    let socket = RegistrationSocket::at(&registry.join(format!("{NAME}-reg.sock")));
    socket.is_another_than(None);
    socket.accept();
    (csi, socket)
}

fn inode(socket: &Path) -> Option<u64> {
    fs::symlink_metadata(socket).ok().map(|found| found.ino())
}

/// A process that is to follow another one, with a health of its own. Ended when dropped.
struct Next<'a> {
    node: &'a Node,
    process: Child,
}

impl Drop for Next<'_> {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl<'a> Next<'a> {
    /// At that node's kubelet.
    fn start(node: &'a Node, arguments: &[&str]) -> Self {
        let root = node.path("kubelet");
        let mut command = node.drivebay(&["serve", "--driver", "hostile"]);
        command.args(["--kubelet-root", text(&root)]);
        Self::by(node, command, arguments)
    }

    fn by(node: &'a Node, mut command: Command, arguments: &[&str]) -> Self {
        let health = format!("unix://{}", node.path("next.sock").display());
        let log = File::create(node.path("next.log")).expect("writable");
        command
            .args(["--metrics-address", &health])
            .args(arguments)
            .stdout(Stdio::null())
            .stderr(log);
        let process = command.spawn().expect("drivebay runs");
        Self { node, process }
    }

    fn log(&self) -> String {
        fs::read_to_string(self.node.path("next.log")).expect("readable")
    }

    fn health(&self, probe: &str) -> (String, bool) {
        let address = format!("unix://{}", self.node.path("next.sock").display());
        let asking = ["health", "--metrics-address", &address, "--probe", probe];
        let output = self.node.drivebay(&asking).output().expect("it runs");
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        (said, output.status.success())
    }

    /// Says in its health and in its log why it takes nothing over, and is alive.
    #[track_caller]
    fn waits(&self, reason: &str) {
        let words = "another process serves it and keeps it until this one can: ";
        eventually(reason, || {
            let (said, is_ready) = self.health("readiness");
            !is_ready && said.contains(words) && said.contains(reason)
        });
        assert!(self.health("liveness").1);
        let log = self.log();
        let line = log.lines().find(|line| {
            line.contains("another process serves the driver") && line.contains(reason)
        });
        assert!(line.is_some(), "{log}");
    }

    #[track_caller]
    fn is_ready(&self) {
        eventually("the next process to be ready", || {
            self.health("readiness").1
        });
    }
}

#[test]
fn who_cannot_answer_node_get_info_takes_nothing_over_as_long_as_another_process_serves() {
    let node = node();
    let (old, registration) = working(&node);
    let before = (inode(old.socket()), registration.inode());
    let next = Next::start(&node, &[]);
    next.waits("NodeGetInfo fails: the backend has no name for this node");
    thread::sleep(SOME_LOOKS);
    assert_eq!((inode(old.socket()), registration.inode()), before);
    assert_eq!(registration.info().expect("answered").name, NAME);
    assert!(is_answered_at(old.socket()));
    // Nobody serves any more: then kubelet is told what is wrong.
    assert!(old.stop(), "{}", old.log());
    registration.is_another_than(None);
    next.is_ready();
    assert!(is_answered_at(old.socket()));
}

#[test]
fn who_answers_node_get_info_takes_over_and_is_ready_no_sooner() {
    let node = node();
    let (old, registration) = working(&node);
    let before = (inode(old.socket()), registration.inode());
    let next = Next::start(&node, &NAMED);
    next.is_ready();
    assert_ne!(inode(old.socket()), before.0);
    registration.is_another_than(before.1);
    assert!(old.stop(), "{}", old.log());
    assert!(is_answered_at(old.socket()));
}

#[test]
fn who_has_no_component_takes_nothing_over_until_it_has_one() {
    let node = node();
    let (old, registration) = working(&node);
    let before = (inode(old.socket()), registration.inode());
    let state = node.path("next-state");
    let mut command = node.drivebay(&["serve", "--driver", "hostile"]);
    command
        .args(["--kubelet-root", text(&node.path("kubelet"))])
        .env("DRIVEBAY_STATE_DIR", &state);
    let next = Next::by(&node, command, &NAMED);
    next.waits("it is not ready: there is no component");
    thread::sleep(SOME_LOOKS);
    assert_eq!((inode(old.socket()), registration.inode()), before);
    let component = guest().write(node.path("hostile.wasm"));
    let mut install = node.drivebay(&["install", text(&component)]);
    let installed = install.env("DRIVEBAY_STATE_DIR", &state).output();
    assert!(installed.expect("it runs").status.success());
    registration.is_another_than(before.1);
    assert_ne!(inode(old.socket()), before.0);
    next.is_ready();
    assert!(old.stop(), "{}", old.log());
}

#[test]
fn a_registration_stays_with_who_has_it_also_where_the_drivers_are_at_other_sockets() {
    let node = node();
    let directory = node.path("registration");
    let register = ["--register-at", text(&directory)];
    let old = node.serve_with("hostile", &[&register[..], &NAMED[..]].concat());
    let registration = RegistrationSocket::at(&directory.join(format!("{NAME}-reg.sock")));
    registration.is_another_than(None);
    let before = registration.inode();
    let socket = node.path("csi/next.sock");
    let endpoint = format!("unix://{}", socket.display());
    let command = node.drivebay(&["serve", "--driver", "hostile", "--endpoint", &endpoint]);
    let next = Next::by(&node, command, &register);
    next.waits("NodeGetInfo fails: ");
    assert!(is_answered_at(&socket), "nobody else is there");
    assert_eq!(registration.inode(), before);
    let info = registration.info().expect("answered");
    assert_eq!(Path::new(&info.endpoint), old.socket());
    assert!(old.stop(), "{}", old.log());
    registration.is_another_than(None);
    let info = registration.info().expect("answered");
    assert_eq!(Path::new(&info.endpoint), socket);
}
