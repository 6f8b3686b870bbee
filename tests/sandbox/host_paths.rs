//! A guest is told what went wrong, and never where things are on this node: each of these passes on the error that it
//! got, and the host's own log has the rest.

use std::fs;
use std::path::{Path, PathBuf};

use drivebay_tests::{
    Answer, Authority, HOSTILE_GRANTS, KeyUse, LoopDevice, Node, WatGuest, WebServer, Wire, asking,
    hostile_node, text, using_key,
};
use nix::mount::{MntFlags, MsFlags, mount, umount2};

/// Asks for the volume as kubelet does, at a pod's directory.
fn mount_at(node: &Node, target: &Path) -> Answer {
    node.call_driver("drivebay~hostile/hostile", &["mount", text(target), "{}"])
}

/// The answer says so, and nothing of this node's paths; the log has the path.
#[track_caller]
fn told(node: &Node, answer: &Answer, words: &str, path: &str) {
    let message = answer.message();
    assert!(message.contains(words), "{message}");
    let root = node.path("");
    for told in [text(&root), "/dev/", "/sys/", "/proc/", path] {
        assert!(!message.contains(told), "{told} is in {message}");
    }
    let log = node.log();
    let warned = log
        .lines()
        .find(|line| line.contains("without paths of the node"));
    assert!(warned.is_some_and(|line| line.contains(path)), "{log}");
}

/// A file system of somebody else's on a directory, until the test ends.
struct Taken(PathBuf);

impl Taken {
    fn by_tmpfs(target: PathBuf) -> Self {
        let none = None::<&str>;
        mount(
            Some("other"),
            &target,
            Some("tmpfs"),
            MsFlags::empty(),
            none,
        )
        .expect("root");
        Self(target)
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        let _ = umount2(&self.0, MntFlags::MNT_DETACH);
    }
}

/// Opens the granted directory, and binds a path beneath it.
fn binding(path: &str) -> WatGuest {
    let length = path.len();
    WatGuest::named("hostile")
        .core(&format!(
            r#"(import "drivebay:driver/mounts@0.1.0" "open-directory" (func $open (param i32 i32 i32)))
               (import "drivebay:driver/mounts@0.1.0" "[method]target.bind" (func $bind (param i32 i32 i32 i32 i32)))
               (data (i32.const 1024) "pool{path}")"#
        ))
        .stage(&format!(
            "(call $open (i32.const 1024) (i32.const 4) (i32.const 64))
             (if (i32.eqz (i32.load8_u (i32.const 64))) (then
               (call $bind (local.get $target) (i32.load (i32.const 68)) (i32.const 1028) (i32.const {length}) (i32.const 64))))"
        ))
}

#[test]
fn a_pods_directory_is_the_target() {
    let node = hostile_node(&binding(""), HOSTILE_GRANTS);
    let taken = Taken::by_tmpfs(node.pod("web"));
    let answer = mount_at(&node, &taken.0);
    told(
        &node,
        &answer,
        "the target already holds something else; unmount it first",
        text(&taken.0),
    );
}

#[test]
fn a_granted_directory_is_called_by_its_name() {
    let node = hostile_node(&binding(""), HOSTILE_GRANTS);
    fs::remove_dir(node.path("pool")).expect("empty");
    let target = node.pod("web");
    let answer = mount_at(&node, &target);
    let pool = node.path("pool");
    told(
        &node,
        &answer,
        "cannot open the directory \"pool\": No such file or directory",
        text(&pool),
    );
}

#[test]
fn what_lies_beneath_it_is_called_as_the_guest_calls_it() {
    let node = hostile_node(&binding("a/b"), HOSTILE_GRANTS);
    let answer = mount_at(&node, &node.pod("web"));
    let message = answer.message();
    assert_eq!(
        message,
        "cannot open directory \"a/b\": No such file or directory"
    );
}

#[test]
fn a_device_is_called_by_what_it_is() {
    let serial = format!("told-{}", std::process::id());
    let length = serial.len();
    let guest = WatGuest::named("hostile")
        .imports("block-devices")
        .core(&format!(
            r#"(import "drivebay:driver/block-devices@0.1.0" "find-device" (func $find (param i32 i32 i32 i64 i32)))
               (import "drivebay:driver/block-devices@0.1.0" "[method]device.mount" (func $mount (param i32 i32 i32 i32 i32)))
               (data (i32.const 1024) "{serial}")"#
        ))
        .stage(&format!(
            "(call $find (i32.const 1024) (i32.const {length}) (i32.const 0) (i64.const 0) (i32.const 64))
             (if (i32.eqz (i32.load8_u (i32.const 64))) (then
               (call $mount (i32.load (i32.const 68)) (local.get $target) (i32.const 0) (i32.const 0) (i32.const 64))))"
        ));
    let grants = r#"
        component = "hostile"
        flexvolume = "drivebay/hostile"
        [grants.mounts]
        [grants.block-devices]
        devices = ["loop-told-*"]
        filesystems = ["ext4"]
        "#;
    let node = hostile_node(&guest, grants);
    let disk = node.path(&serial);
    fs::write(&disk, vec![0; 4 << 20]).expect("writable");
    let attached = LoopDevice::over(&disk);
    let answer = mount_at(&node, &node.pod("web"));
    let words = format!("device \"loop-{serial}\" has no filesystem that this host mounts");
    told(&node, &answer, &words, attached.node());
    drop(attached);
    // Not here any more: what was looked at instead is not told either.
    let answer = mount_at(&node, &node.pod("web"));
    let message = answer.message();
    assert!(message.contains("no device with serial"), "{message}");
    assert!(
        !message.contains("/dev") && !message.contains("/sys"),
        "{message}"
    );
}

fn well(_request: &str, wire: &mut dyn Wire) -> bool {
    wire.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")
        .is_ok()
}

/// A node whose guest asks the endpoint, with that in its grant.
fn node_asking(origin: &str, more: &str) -> Node {
    let grants = format!(
        r#"
        component = "hostile"
        flexvolume = "drivebay/hostile"
        [grants.mounts]
        [grants.https.api]
        origin = {origin:?}
        methods = ["GET"]
        paths = ["/"]
        addresses = ["127.0.0.0/8", "::1/128"]
        {more}
        "#
    );
    hostile_node(&asking("api", "GET", "/"), &grants)
}

#[test]
fn a_file_of_certificates_is_the_file() {
    let authority = Authority::new();
    let server = WebServer::with_tls(&authority, "localhost", well);
    let elsewhere = tempfile::tempdir().expect("a directory");
    let ca = elsewhere.path().join("ca.pem");
    let origin = format!("https://localhost:{}", server.port());
    let node = node_asking(&origin, &format!("ca = {ca:?}"));
    let answer = mount_at(&node, &node.pod("web"));
    told(
        &node,
        &answer,
        "cannot use the file, which the grant names as ca",
        text(&ca),
    );
}

#[test]
fn the_program_that_speaks_to_the_network_has_no_path() {
    let server = WebServer::plain(well);
    let node = node_asking(&format!("http://127.0.0.1:{}", server.port()), "");
    fs::remove_file(node.path("state/bin/drivebay")).expect("installed");
    let answer = mount_at(&node, &node.pod("web"));
    let program = node.path("state/bin/drivebay");
    told(&node, &answer, "run `drivebay install`", text(&program));
}

#[test]
fn a_keys_files_are_called_as_the_grant_calls_them() {
    let node = Node::empty();
    let grants = format!(
        r#"
        component = "hostile"
        flexvolume = "drivebay/hostile"
        [grants.mounts]
        [grants.signing.access-key]
        source = "file"
        id-file = {:?}
        secret-file = {:?}
        "#,
        node.path("id"),
        node.path("secret")
    );
    fs::write(node.path("id"), "LTAI4").expect("writable");
    node.add_driver("hostile", &grants);
    let guest = using_key("access-key", KeyUse::Id);
    node.install(&[&guest.write(node.path("hostile.wasm"))]);
    let answer = mount_at(&node, &node.pod("web"));
    let secret = node.path("secret");
    told(
        &node,
        &answer,
        "cannot use key access-key: its secret-file: No such file or directory",
        text(&secret),
    );
}
