//! What all tests share: a running NFS server, and a node with drivers installed on it.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use drivebay_tests::{Node, guest, repository};

/// Where the server's files are, beneath which a test looks at what clients see as `/`.
pub(crate) const EXPORTS: &str = "/srv/nfs";

/// An address of the server that can be taken away and given back.
pub(crate) const FILER: &str = "10.77.0.1";

/// An address from which nothing ever comes back.
pub(crate) const SILENCE: &str = "10.77.0.9";

/// The driver with the shipped grants, and any server in reach of this VM.
pub(crate) const NFS: &str = "k8s~nfs/nfs";

/// The same, but every call has to end within [`HASTE`].
pub(crate) const HASTY: &str = "test~hasty/hasty";

/// The deadline of [`HASTY`], in seconds.
pub(crate) const HASTE: u64 = 10;

/// By when whatever has a deadline of [`HASTE`] has ended, on a busy machine too. The kernel itself would wait for a
/// server for minutes.
pub(crate) const SOON: Duration = Duration::from_secs(60);

/// Granted one range of servers, one directory, and no option beyond the defaults.
pub(crate) const NARROW: &str = "test~narrow/narrow";

const NARROW_GRANTS: &str = r#"
component = "nfs"
flexvolume = "test/narrow"
[grants.mounts]
filesystems = ["nfs"]
sources = ["127.0.0.0/30:/alpha", "127.0.0.0/30:/beta/**"]
options = ["vers", "hard", "nolock"]
[grants.files]
access = "read-only"
"#;

/// The node, on a machine where the server runs.
pub(crate) fn node() -> &'static Node {
    static NODE: OnceLock<Node> = OnceLock::new();
    static STARTED: AtomicBool = AtomicBool::new(false);
    NODE.get_or_init(|| {
        assert!(Path::new("/dev/virtio-ports/output").exists(), "these tests change the machine; run them by `cargo xtask test --only vm`");
        assert!(!STARTED.swap(true, Ordering::Relaxed), "there is no server; the first failure says why");
        shell(&format!(". tests/vm/nfs-server.sh; nfs_start {EXPORTS}"));
        // Packets into a dummy interface are never heard of again.
        shell("modprobe dummy numdummies=0; busybox ip link add dummy0 type dummy; busybox ip link set dummy0 up; busybox ip addr add 10.77.0.2/24 dev dummy0");
        plug_filer_in();
        let node = Node::empty();
        node.add_driver("nfs", &shipped_grants());
        let hasty = shipped_grants()
            .replace("k8s/nfs", "test/hasty")
            .replace("nfs.csi.k8s.io", "hasty.example.com");
        node.add_driver("hasty", &format!("{hasty}\n[limits]\ndeadline = \"{HASTE}s\"\n"));
        node.add_driver("narrow", NARROW_GRANTS);
        node.install(&[&guest("nfs")]);
        node
    })
}

/// The file of deploy/, with servers named as its reader is told to.
pub(crate) fn shipped_grants() -> String {
    let text = fs::read_to_string(repository().join("deploy/drivers.d/nfs.toml")).expect("shipped");
    assert!(
        text.contains("sources = [\n"),
        "deploy/drivers.d/nfs.toml has no list of sources"
    );
    text.replace("sources = [\n", "sources = [\n\"*:/**\",\n")
}

/// Gives the server its second address.
fn plug_filer_in() {
    shell(&format!("busybox ip addr add {FILER}/32 dev lo"));
}

/// Takes it away: connections to it get no answer any more, not even a refusal.
pub(crate) fn pull_the_plug() -> Unplugged {
    shell(&format!("busybox ip addr del {FILER}/32 dev lo"));
    Unplugged
}

/// As long as the server is out of reach.
pub(crate) struct Unplugged;

impl Drop for Unplugged {
    fn drop(&mut self) {
        plug_filer_in();
    }
}

/// Replaces a file's content for as long as the result lives.
pub(crate) fn replace(path: &'static str, content: &str) -> Replaced {
    let before = fs::read(path).unwrap_or_default();
    fs::write(path, content).expect("writable");
    Replaced { path, before }
}

/// A file with another content than before.
pub(crate) struct Replaced {
    path: &'static str,
    before: Vec<u8>,
}

impl Drop for Replaced {
    fn drop(&mut self) {
        fs::write(self.path, &self.before).expect("writable");
    }
}

/// A place on the server, as the server's administrator sees it.
pub(crate) fn exported(path: &str) -> PathBuf {
    Path::new(EXPORTS).join(path.trim_start_matches('/'))
}

/// Runs a line of shell in the repository, and returns what it printed.
#[track_caller]
pub(crate) fn shell(line: &str) -> String {
    let root = repository();
    let output = Node::run(
        "/bin/sh",
        &["-c", &format!("cd '{}'; {line}", root.display())],
    );
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        output.status.success(),
        "{line}: {text} {}",
        String::from_utf8_lossy(&output.stderr)
    );
    text
}
