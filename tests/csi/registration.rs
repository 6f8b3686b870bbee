//! `drivebay serve` makes itself known to kubelet, and tells whether it is: the socket is dialled as kubelet dials it.

use std::fs;
use std::io::{Read, Write};
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::Output;
use std::thread;

use drivebay_tests::csi_proto as proto;
use drivebay_tests::csi_proto::volume_capability::access_mode::Mode;
use drivebay_tests::{
    Csi, HOSTILE_GRANTS, Node, RegistrationSocket, WatGuest, eventually, hostile_node,
    is_answered_at, mounted, text,
};
use serde_json::json;

const NAME: &str = "hostile.drivebay.dev";

fn grants() -> String {
    let first = "component = \"hostile\"\n";
    HOSTILE_GRANTS.replace(first, &format!("{first}csi-name = \"{NAME}\"\n"))
}

/// A node with a driver that is ready, and can tell what node it is.
fn ready_node() -> Node {
    let info = json!({ "id": "node-1", "max-volumes": 0 });
    let guest = WatGuest::named("hostile").answers("node.get-info", json!({ "ok": info }));
    hostile_node(&guest, &grants())
}

/// A driver whose component is missing.
fn node_without_component() -> Node {
    let node = Node::empty();
    let grants = grants().replace("POOL", text(&node.path("pool")));
    node.add_driver("hostile", &grants.replace("ACCESS", "read-write"));
    node
}

/// The socket for health, as arguments.
fn health_socket(node: &Node) -> [String; 2] {
    let socket = node.path("health.sock");
    [
        "--metrics-address".to_owned(),
        format!("unix://{}", socket.display()),
    ]
}

/// A driver that registers at this node's kubelet, with its registration socket.
#[track_caller]
fn registering(node: &Node, more: &[&str]) -> (Csi, RegistrationSocket) {
    let health = health_socket(node);
    let mut arguments = vec![health[0].as_str(), health[1].as_str()];
    arguments.extend(more);
    let csi = node.begin_to_serve_at_kubelet("hostile", NAME, &arguments);
    let socket = RegistrationSocket::at(&registry(node).join(format!("{NAME}-reg.sock")));
    socket.is_another_than(None);
    (csi, socket)
}

fn registry(node: &Node) -> PathBuf {
    node.path("kubelet/plugins_registry")
}

/// What `drivebay health` prints, and whether it says that all is well.
#[track_caller]
fn health(node: &Node) -> (String, bool) {
    answer_to(node, &[])
}

/// What it prints of the process alone.
#[track_caller]
fn is_alive(node: &Node) {
    let answer = answer_to(node, &["--probe", "liveness"]);
    assert_eq!(answer, ("ok\n".to_owned(), true));
}

#[track_caller]
fn answer_to(node: &Node, question: &[&str]) -> (String, bool) {
    let [flag, address] = health_socket(node);
    let Output {
        status,
        stdout,
        stderr,
    } = node
        .drivebay(&["health", &flag, &address])
        .args(question)
        .output()
        .expect("it runs");
    assert!(matches!(status.code(), Some(0 | 1)), "{status:?}");
    let said = [stdout, stderr].concat();
    (String::from_utf8(said).expect("text"), status.success())
}

#[track_caller]
fn is_well(node: &Node) {
    assert_eq!(health(node), ("ok\n".to_owned(), true));
}

#[track_caller]
fn is_unwell(node: &Node, words: &str) {
    let (said, is_well) = health(node);
    assert!(!is_well && said.contains(words), "{said}");
    assert_eq!(said.lines().count(), 1, "{said}");
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).expect("there").permissions().mode() & 0o7777
}

#[test]
fn kubelet_finds_a_driver_by_its_root_directory_alone() {
    let node = ready_node();
    let (csi, socket) = registering(&node, &[]);
    let info = socket.info().expect("answered");
    assert_eq!(
        (info.r#type.as_str(), info.name.as_str()),
        ("CSIPlugin", NAME)
    );
    assert_eq!(info.supported_versions, ["1.0.0"]);
    let endpoint = node.path(&format!("kubelet/plugins/{NAME}/csi.sock"));
    assert_eq!(Path::new(&info.endpoint), endpoint);
    assert!(is_answered_at(&endpoint));
    let counts = |count: u8| format!("drivebay_registered{{driver=\"hostile\"}} {count}\n");
    assert!(metrics(&node).contains(&counts(0)), "{}", metrics(&node));
    socket.accept();
    is_well(&node);
    assert!(metrics(&node).contains(&counts(1)), "{}", metrics(&node));
    assert_eq!(mode(socket.path()), 0o600);
    for made in [registry(&node), node.path("kubelet/plugins")] {
        assert_eq!(mode(&made), 0o750, "{}", made.display());
    }
    assert!(csi.stop());
    assert_eq!(socket.inode(), None, "it left its registration socket");
}

#[test]
fn a_driver_with_an_endpoint_registers_where_it_is_told_to() {
    let node = ready_node();
    let directory = node.path("registration");
    let csi = node.serve_with("hostile", &["--register-at", text(&directory)]);
    let socket = RegistrationSocket::at(&directory.join(format!("{NAME}-reg.sock")));
    socket.is_another_than(None);
    let info = socket.info().expect("answered");
    assert_eq!(Path::new(&info.endpoint), csi.socket());
}

#[test]
fn a_controller_is_none_of_kubelets() {
    let node = ready_node();
    let csi = node.begin_to_serve_at_kubelet("hostile", NAME, &["--mode", "controller"]);
    csi.answers();
    assert!(!registry(&node).exists());
    assert!(!csi.log().contains("offered to kubelet"), "{}", csi.log());
}

#[test]
fn kubelet_is_answered_while_the_driver_is_not_ready() {
    let node = node_without_component();
    let (csi, socket) = registering(&node, &[]);
    let info = socket.info().expect("answered");
    assert_eq!(info.name, NAME);
    assert!(info.endpoint.ends_with("/csi.sock"));
    is_unwell(&node, "hostile: not ready: ");
    is_alive(&node);
    let ready = csi.probe(proto::ProbeRequest {}).expect("alive").ready;
    assert_eq!(ready, Some(false));
}

#[test]
fn a_driver_that_kubelet_refused_is_offered_again_and_unwell_until_it_is_registered() {
    let node = ready_node();
    let (csi, socket) = registering(&node, &[]);
    is_well(&node);
    let mut before = socket.inode();
    for _ in 0..2 {
        socket.refuse("already registered\nby somebody");
        is_unwell(
            &node,
            r"kubelet did not register it: already registered\nby somebody",
        );
        socket.is_another_than(before);
        before = socket.inode();
        assert_eq!(socket.info().expect("answered").name, NAME);
        is_unwell(&node, "already registered");
    }
    assert!(
        csi.log().contains("`drivebay check` say why"),
        "{}",
        csi.log()
    );
    socket.accept();
    is_well(&node);
    assert!(csi.stop(), "it went on all the time");
}

#[test]
fn a_socket_that_somebody_removed_is_made_anew() {
    let node = ready_node();
    let (_csi, socket) = registering(&node, &[]);
    socket.accept();
    fs::remove_file(socket.path()).expect("there");
    socket.is_another_than(None);
    socket.accept();
    fs::remove_dir_all(registry(&node)).expect("there");
    socket.is_another_than(None);
    assert_eq!(socket.info().expect("answered").name, NAME);
    is_well(&node);
}

#[test]
fn what_is_no_socket_is_left_alone_and_told_until_it_is_gone() {
    let node = ready_node();
    let path = registry(&node).join(format!("{NAME}-reg.sock"));
    fs::create_dir_all(registry(&node)).expect("writable");
    fs::write(&path, "precious").expect("writable");
    let (csi, socket) = registering(&node, &[]);
    csi.answers();
    eventually("the driver to say that it cannot register", || {
        !health(&node).1
    });
    is_unwell(&node, "not offered to kubelet: cannot listen at ");
    assert_eq!(fs::read(&path).expect("still there"), b"precious");
    fs::remove_file(&path).expect("there");
    eventually("the socket", || {
        fs::symlink_metadata(&path).is_ok_and(|found| found.file_type().is_socket())
    });
    assert_eq!(socket.info().expect("answered").name, NAME);
    is_well(&node);
}

#[test]
fn what_a_killed_process_left_is_replaced_without_being_missed() {
    let node = ready_node();
    let (csi, socket) = registering(&node, &[]);
    csi.kill();
    let left = socket.inode();
    assert!(left.is_some(), "killed, it left its socket");
    assert!(socket.info().is_err(), "nobody listens");
    csi.start_again(&node);
    // Never absent, or this would panic.
    eventually("the next socket", || {
        let inode = socket.inode();
        assert!(inode.is_some(), "the name was missing");
        inode != left
    });
    assert_eq!(socket.info().expect("answered").name, NAME);
}

#[test]
fn of_two_processes_the_later_one_is_registered_and_the_earlier_one_takes_nothing_away() {
    let node = ready_node();
    let (old, socket) = registering(&node, &[]);
    old.answers();
    socket.accept();
    let first = socket.inode();
    let new = node.serve_instead(&old);
    socket.is_another_than(first);
    let second = socket.inode();
    socket.accept();
    assert!(old.stop());
    assert_eq!(socket.inode(), second, "the socket of the next one");
    assert_eq!(socket.info().expect("answered").name, NAME);
    is_well(&node);
    assert!(new.stop());
    assert_eq!(socket.inode(), None);
}

#[test]
fn the_earlier_process_is_registered_again_when_the_later_one_was_killed() {
    let node = ready_node();
    let (old, socket) = registering(&node, &[]);
    old.answers();
    let first = socket.inode();
    let new = node.serve_instead(&old);
    socket.is_another_than(first);
    let second = socket.inode();
    new.kill();
    socket.is_another_than(second);
    assert_eq!(socket.info().expect("answered").name, NAME);
    eventually("health to be told again", || health(&node).1);
}

#[test]
fn health_is_roots_alone_on_a_socket_and_told_of_nobody_else() {
    let node = ready_node();
    let (said, is_well) = health(&node);
    assert!(!is_well && said.contains("--metrics-address"), "{said}");
    let (csi, _socket) = registering(&node, &[]);
    let path = node.path("health.sock");
    assert_eq!(mode(&path), 0o600);
    let at_address = node
        .drivebay(&["health", "--metrics-address", "localhost:1"])
        .output()
        .expect("it runs");
    let said = String::from_utf8_lossy(&at_address.stderr).into_owned();
    assert!(said.contains("IP:PORT"), "{said}");
    assert!(csi.stop());
    assert!(!path.exists(), "it left its socket");
}

#[test]
fn a_directory_that_cannot_be_made_is_named_with_what_to_do() {
    let node = ready_node();
    for (arguments, words) in [
        (
            vec!["--kubelet-root", "/nonexistent/kubelet"],
            ["/nonexistent/kubelet is not there", "--root-dir"],
        ),
        (
            vec!["--endpoint", "unix:///nonexistent/plugins/csi.sock"],
            [
                "cannot make /nonexistent/plugins",
                "/nonexistent is not a directory",
            ],
        ),
    ] {
        let mut serve = node.drivebay(&["serve", "--driver", "hostile"]);
        let output = serve.args(&arguments).output().expect("it runs");
        assert!(!output.status.success());
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        for part in words {
            assert!(said.contains(part), "{said}");
        }
    }
}

/// What the process counts, asked at its socket for health.
#[track_caller]
fn metrics(node: &Node) -> String {
    let mut connection = UnixStream::connect(node.path("health.sock")).expect("it listens");
    connection
        .write_all(b"GET /metrics HTTP/1.0\r\n\r\n")
        .expect("sent");
    let mut answer = String::new();
    connection.read_to_string(&mut answer).expect("answered");
    answer
}

#[test]
fn health_and_kubelet_are_answered_while_a_call_hangs() {
    let guest = WatGuest::named("hostile").stage("(loop $on (br $on))");
    let limits = "[limits]\ncpu = \"60s\"\ndeadline = \"60s\"\n";
    let node = hostile_node(&guest, &format!("{}{limits}", grants()));
    let (csi, socket) = registering(&node, &[]);
    csi.answers();
    socket.accept();
    let request = proto::NodePublishVolumeRequest {
        volume_id: "volume-1".to_owned(),
        target_path: text(&node.pod("web").join("mount")).to_owned(),
        volume_capability: Some(mounted(Mode::MultiNodeMultiWriter)),
        ..proto::NodePublishVolumeRequest::default()
    };
    thread::scope(|scope| {
        let call = scope.spawn(|| csi.node_publish_volume(request));
        eventually("the call to be under way", || {
            metrics(&node).contains("drivebay_rpcs_in_flight{driver=\"hostile\"} 1")
        });
        is_well(&node);
        assert_eq!(socket.info().expect("answered").name, NAME);
        assert!(!call.is_finished(), "it hangs all the time");
        csi.kill();
        assert!(call.join().expect("no panic").is_err());
    });
}
