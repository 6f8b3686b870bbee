//! What a guest may reach while it runs: the names and patterns in its driver's grants, and nothing around them.
//!
//! Asked for again at each call, by guests that write down whatever could lead further: names nobody granted,
//! paths out of a directory, handles nobody gave them.

use std::fs;
use std::os::unix::fs::symlink;

use drivebay_tests::{HOSTILE_GRANTS, Node, WatGuest, hostile_node, mount_hostile};

/// Asks for a directory of the node by name and passes on the host's answer.
fn opening(name: &str) -> WatGuest {
    WatGuest::named("hostile")
        .core(&format!(
            r#"(import "drivebay:driver/mounts@0.1.0" "open-directory" (func $open (param i32 i32 i32)))
               (data (i32.const 1024) "{name}")"#
        ))
        .stage(&format!("(call $open (i32.const 1024) (i32.const {}) (i32.const 64))", name.len()))
}

#[test]
fn only_granted_names_of_directories_open_anything() {
    mount_hostile(&hostile_node(&opening("pool"), HOSTILE_GRANTS)).fails_with("nothing is mounted");
    for name in ["etc", "/etc", "../pool", "pool/..", "", "POOL"] {
        mount_hostile(&hostile_node(&opening(name), HOSTILE_GRANTS)).fails_with(&format!(
            "directory {name:?} is not granted (grants.mounts.directories has [\"pool\"])"
        ));
    }
}

/// Mounts a remote source with one option, and passes on the host's answer.
fn mounting(fs_type: &str, server: &str, path: &str, option: &str) -> WatGuest {
    let (f, s, p, o) = (fs_type.len(), server.len(), path.len(), option.len());
    WatGuest::named("hostile")
        .core(&format!(
            r#"(import "drivebay:driver/mounts@0.1.0" "[method]target.mount-remote" (func $mount (param i32 i32 i32 i32 i32 i32 i32 i32 i32 i32)))
               (data (i32.const 1024) "{fs_type}") (data (i32.const 2048) "{server}") (data (i32.const 3072) "{path}") (data (i32.const 4096) "{option}")
               (func $options (i32.store (i32.const 5120) (i32.const 4096)) (i32.store (i32.const 5124) (i32.const {o})))"#
        ))
        .stage(&format!(
            "(call $options)
             (call $mount (local.get $target) (i32.const 1024) (i32.const {f}) (i32.const 2048) (i32.const {s})
                (i32.const 3072) (i32.const {p}) (i32.const 5120) (i32.const 1) (i32.const 64))"
        ))
}

#[test]
fn only_granted_filesystems_sources_and_options_are_mounted() {
    for (guest, refusal) in [
        (
            mounting("cifs", "127.0.0.1", "/exports/a", "vers"),
            "filesystem \"cifs\" is not granted (grants.mounts.filesystems = [\"nfs\"])",
        ),
        (
            mounting("nfs", "127.0.0.1", "/exports/a", "soft"),
            "mount option \"soft\" is not granted (grants.mounts.options lacks \"soft\")",
        ),
        (
            mounting("nfs", "127.0.0.1", "/exports/a", "vers=4,suid"),
            "mount option \"vers=4,suid\" is not granted",
        ),
        (
            mounting("nfs", "127.0.0.1", "/exports/a", "remount"),
            "mount option \"remount\" is not granted",
        ),
        (
            mounting("nfs", "127.0.0.1", "/etc", "vers"),
            "source \"127.0.0.1\" \"/etc\" is not granted (grants.mounts.sources = [\"127.0.0.0/8:/exports/**\"])",
        ),
        (
            mounting("nfs", "127.0.0.1", "/exports/../etc", "vers"),
            "the path holds . or ..",
        ),
        (
            mounting("nfs", "127.0.0.1", "/exports/\u{ff0e}\u{ff0e}/etc", "vers"),
            "the path holds . or .., or a name that can be read as one",
        ),
        (
            mounting("nfs", "127.0.0.1", "/exports/.\u{200d}./etc", "vers"),
            "the path holds . or .., or a name that can be read as one",
        ),
        (
            mounting("nfs", "127.0.0.1", "/exports/a\u{ff0f}b", "vers"),
            "which can be read as /",
        ),
        (
            mounting("nfs", "192.0.2.1", "/exports/a", "vers"),
            "source \"192.0.2.1\" \"/exports/a\" is not granted",
        ),
        (
            mounting("nfs", "a b", "/exports/a", "vers"),
            "the server is not a host name or an address",
        ),
    ] {
        mount_hostile(&hostile_node(&guest, HOSTILE_GRANTS)).fails_with(refusal);
    }
}

/// Opens the granted directory, does `work` with the handle at 68 and the path, and passes on the answer.
fn beneath_the_pool(path: &str, import: &str, work: &str) -> WatGuest {
    WatGuest::named("hostile")
        .core(&format!(
            r#"(import "drivebay:driver/mounts@0.1.0" "open-directory" (func $open (param i32 i32 i32)))
               {import}
               (data (i32.const 1024) "pool{path}")
               (global $path i32 (i32.const 1028)) (global $length i32 (i32.const {}))"#,
            path.len()
        ))
        .stage(&format!("(call $open (i32.const 1024) (i32.const 4) (i32.const 64)) {work}"))
}

fn reading(path: &str) -> WatGuest {
    beneath_the_pool(
        path,
        r#"(import "drivebay:driver/files@0.1.0" "[method]directory.read-file" (func $read (param i32 i32 i32 i32)))"#,
        "(call $read (i32.load (i32.const 68)) (global.get $path) (global.get $length) (i32.const 64))",
    )
}

fn making(path: &str) -> WatGuest {
    beneath_the_pool(
        path,
        r#"(import "drivebay:driver/files@0.1.0" "[method]directory.mkdir" (func $make (param i32 i32 i32 i32 i32)))"#,
        "(call $make (i32.load (i32.const 68)) (global.get $path) (global.get $length) (i32.const 0x1ff) (i32.const 64))",
    )
}

fn binding(path: &str) -> WatGuest {
    beneath_the_pool(
        path,
        r#"(import "drivebay:driver/mounts@0.1.0" "[method]target.bind" (func $bind (param i32 i32 i32 i32 i32)))"#,
        "(call $bind (local.get $target) (i32.load (i32.const 68)) (global.get $path) (global.get $length) (i32.const 64))",
    )
}

/// Every way out of a directory that can be written down, each leading to something that is there.
const WAYS_OUT: [&str; 7] = [
    "..",
    "../outside",
    "inner/../../outside",
    "/etc",
    "absolute",
    "relative",
    "inner/up/outside",
];

/// The node of `node_with`, its pool furnished with links that lead out.
#[track_caller]
fn node_with_ways_out(guest: &WatGuest) -> Node {
    let node = hostile_node(guest, HOSTILE_GRANTS);
    fs::create_dir_all(node.path("pool/inner")).expect("writable");
    fs::create_dir_all(node.path("outside")).expect("writable");
    for secret in ["outside/secret", "pool/inner/file"] {
        fs::write(node.path(secret), "secret").expect("writable");
    }
    symlink(node.path("outside"), node.path("pool/absolute")).expect("writable");
    symlink("../outside", node.path("pool/relative")).expect("writable");
    symlink("../..", node.path("pool/inner/up")).expect("writable");
    node
}

#[test]
fn no_path_leads_out_of_a_directory_when_reading() {
    mount_hostile(&node_with_ways_out(&reading("inner/file"))).fails_with("nothing is mounted");
    for way in WAYS_OUT {
        let answer = mount_hostile(&node_with_ways_out(&reading(&format!("{way}/secret"))));
        assert!(
            !answer.message().contains("nothing is mounted"),
            "{way} was read"
        );
        assert_eq!(answer.status(), "Failure");
    }
}

#[test]
fn no_path_leads_out_of_a_directory_when_writing() {
    for way in WAYS_OUT {
        let node = node_with_ways_out(&making(&format!("{way}/made")));
        let answer = mount_hostile(&node);
        assert!(
            !answer.message().contains("nothing is mounted"),
            "{way} was written"
        );
        let outside: Vec<_> = fs::read_dir(node.path("outside")).expect("there").collect();
        assert_eq!(outside.len(), 1, "{way} led out");
        assert!(
            !node.path("made").exists() && !std::path::Path::new("/etc/made").exists(),
            "{way} led out"
        );
    }
}

#[test]
fn no_path_leads_out_of_a_directory_when_binding() {
    for way in WAYS_OUT {
        let answer = mount_hostile(&node_with_ways_out(&binding(way)));
        assert_eq!(answer.status(), "Failure", "{way}");
    }
}

fn removing(path: &str) -> WatGuest {
    beneath_the_pool(
        path,
        r#"(import "drivebay:driver/files@0.1.0" "[method]directory.remove-tree" (func $remove (param i32 i32 i32 i32)))"#,
        "(call $remove (i32.load (i32.const 68)) (global.get $path) (global.get $length) (i32.const 64))",
    )
}

/// A node with a volume, and in it a symlink that its pod made, into a neighbour's.
#[track_caller]
fn node_with_neighbours(guest: &WatGuest) -> Node {
    let node = hostile_node(guest, HOSTILE_GRANTS);
    fs::create_dir_all(node.path("pool/mine")).expect("writable");
    fs::create_dir_all(node.path("pool/neighbour")).expect("writable");
    fs::write(node.path("pool/neighbour/secret"), "secret").expect("writable");
    symlink("../neighbour", node.path("pool/mine/way")).expect("writable");
    symlink("../neighbour/secret", node.path("pool/mine/link")).expect("writable");
    node
}

#[test]
fn a_symlink_in_one_volume_leads_into_no_other() {
    for guest in [
        reading("mine/way/secret"),
        reading("mine/link"),
        making("mine/way/made"),
        removing("mine/way/secret"),
        binding("mine/way"),
    ] {
        let node = node_with_neighbours(&guest);
        mount_hostile(&node).fails_with("a symlink is on the way, and none is followed");
        let neighbours: Vec<_> = fs::read_dir(node.path("pool/neighbour"))
            .expect("there")
            .map(|entry| entry.expect("entry").file_name())
            .collect();
        assert_eq!(neighbours, ["secret"]);
    }
}

#[test]
fn names_that_a_filesystem_could_read_as_dots_are_no_names() {
    for path in [
        "\u{ff0e}\u{ff0e}/outside",
        "inner/\u{2025}",
        ".\u{200d}./outside",
    ] {
        mount_hostile(&node_with_ways_out(&making(path)))
            .fails_with("it holds . or .., or a name that can be read as one");
        mount_hostile(&node_with_ways_out(&binding(path)))
            .fails_with("it holds . or .., or a name that can be read as one");
    }
}

#[test]
fn nothing_is_removed_from_another_filesystem_that_a_path_leads_through() {
    let node = hostile_node(&removing("disk/tree"), HOSTILE_GRANTS);
    let disk = node.path("pool/disk");
    fs::create_dir(&disk).expect("writable");
    let flags = nix::mount::MsFlags::empty();
    nix::mount::mount(Some("none"), &disk, Some("tmpfs"), flags, None::<&str>).expect("root");
    fs::create_dir(disk.join("tree")).expect("writable");
    fs::write(disk.join("tree/file"), "x").expect("writable");
    mount_hostile(&node).fails_with("something is mounted there or on the way");
    assert!(disk.join("tree/file").exists());
}

#[test]
fn a_directory_granted_for_reading_is_not_written() {
    let guest = making("made");
    let node = Node::empty();
    node.add_driver(
        "hostile",
        &HOSTILE_GRANTS
            .replace("POOL", &node.path("pool").to_string_lossy())
            .replace("ACCESS", "read-only"),
    );
    node.install(&[&guest.write(node.path("hostile.wasm"))]);
    mount_hostile(&node).fails_with("mkdir is not granted (grants.files.access = \"read-only\")");
    assert!(!node.path("pool/made").exists());
}

#[test]
fn handles_cannot_be_made_up() {
    let read = |handle: &str| {
        WatGuest::named("hostile")
            .core(r#"(import "drivebay:driver/files@0.1.0" "[method]directory.read-file" (func $read (param i32 i32 i32 i32)))"#)
            .stage(&format!("(call $read {handle} (i32.const 512) (i32.const 4) (i32.const 64))"))
    };
    for made_up in [
        "(i32.const 0)",
        "(i32.const 77)",
        "(i32.const -1)",
        "(local.get $target)",
    ] {
        mount_hostile(&hostile_node(&read(made_up), HOSTILE_GRANTS))
            .fails_with("guest hostile 1.0.0 failed in stage-volume");
    }
}
