//! A node whose inotify instances are used up, as log collectors do: sources are followed all the same.

use std::fs::File;
use std::path::Path;
use std::process::{Child, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use drivebay_tests::{Node, digest, dist};

use crate::backend::backend;
use crate::site::{FILE, prepared, read_json, record};

/// The slow poll is every half minute; twice that, and what a busy machine takes.
const POLLED: Duration = Duration::from_secs(90);

/// In a user namespace of its own that may have no instance, so that nobody else's are taken away.
const WITHOUT: &str = r#"echo 0 > /proc/sys/user/max_inotify_instances && exec "$@""#;

fn watch_without_events(node: &Node, source: &Path) -> Child {
    let log = File::create(node.path("watch.log")).expect("writable");
    let mut command = node.command(Path::new("/usr/bin/unshare"));
    command
        .args(["--user", "--map-root-user", "/bin/sh", "-c", WITHOUT, "sh"])
        .arg(dist("drivebay"))
        .args(["install", "--watch", "--components-from"])
        .arg(source)
        .stdout(Stdio::null())
        .stderr(log);
    command.spawn().expect("util-linux is installed")
}

#[track_caller]
fn becomes(node: &Node, digest: &str) {
    let until = Instant::now() + POLLED;
    while read_json(&record(node))["active"]["sha256"] != digest {
        let log = std::fs::read_to_string(node.path("watch.log"));
        assert!(Instant::now() < until, "{}", log.unwrap_or_default());
        thread::sleep(Duration::from_millis(100));
    }
}

#[test]
fn where_the_kernel_refuses_events_a_slow_poll_finds_what_changed() {
    let (node, source) = prepared("");
    let versions = ["1.0.0", "2.0.0"].map(|version| backend(version).component());
    source.write(&[(FILE, &versions[0])]);
    let mut watcher = watch_without_events(&node, source.directory());
    becomes(&node, &digest(&versions[0]));
    source.write(&[(FILE, &versions[1])]);
    becomes(&node, &digest(&versions[1]));
    watcher.kill().expect("ours");
    watcher.wait().expect("ours");
}
