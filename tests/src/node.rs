//! A node of a test's own: every path beneath one temporary directory, cleaned up also after a failure.

use std::fs;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use drivebay_testbed::{Layout, Scratch, mounts_beneath};

use crate::watchdog::Watchdog;
use crate::{Answer, dist, guest, repository};

/// Configuration, state and plugin directory of one host.
#[derive(Debug)]
pub struct Node {
    node: drivebay_testbed::Node,
    _watchdog: Watchdog,
    _root: Scratch,
}

/// Grants for the shipped guest `nfs`, to servers on this machine alone.
const NFS: &str = r#"
component = "nfs"
flexvolume = "k8s/nfs"
csi-name = "nfs.csi.k8s.io"
[grants.mounts]
filesystems = ["nfs"]
sources = ["127.0.0.1:/**"]
options = ["vers", "hard", "nolock", "port"]
[grants.files]
access = "read-write"
"#;

impl Node {
    /// With no driver.
    pub fn empty() -> Self {
        let root = tempfile::Builder::new()
            .prefix("drivebay-test-")
            .tempdir()
            .expect("a temporary directory");
        let root = Scratch::at(&root.keep()).expect("ours");
        let binaries = repository().join("target/dist/bin");
        let node = drivebay_testbed::Node::new(root.path(), Layout::SHORT, &binaries);
        let node = Self {
            node: node.expect("writable"),
            _watchdog: Watchdog::over(root.path()),
            _root: root,
        };
        for directory in ["pods", "pool"] {
            fs::create_dir_all(node.path(directory)).expect("writable");
        }
        node
    }

    /// With the example driver `drivebay/local`, installed and compiled, and `volume` in its pool.
    pub fn with_local(volume: &str) -> Self {
        let node = Self::empty();
        node.add_driver("local", &node.local_grants());
        fs::create_dir(node.path("pool").join(volume)).expect("writable");
        node.install(&[&guest("local")]);
        node
    }

    /// With the shipped driver `k8s/nfs`, which gives up after that many seconds or milliseconds.
    pub fn with_nfs(deadline: &str) -> Self {
        let node = Self::empty();
        let limits = format!("[limits]\ndeadline = \"{deadline}\"\n");
        node.add_driver("nfs", &format!("{NFS}{limits}"));
        node.install(&[&guest("nfs")]);
        node
    }

    /// The grants file of `drivebay/local`, for variations.
    pub fn local_grants(&self) -> String {
        self.node.local_grants()
    }

    /// A path beneath the node's root.
    pub fn path(&self, relative: &str) -> PathBuf {
        self.node.path(relative)
    }

    /// Writes a driver's grants file.
    pub fn add_driver(&self, name: &str, grants: &str) {
        self.node.grant(name, grants).expect("writable");
    }

    /// `drivebay install` with the shim into the node's plugin directory.
    #[track_caller]
    pub fn install(&self, components: &[&Path]) {
        let _built = dist("drivebay");
        let install = self.node.install(components).output();
        let output = install.expect("drivebay runs");
        assert!(
            output.status.success(),
            "install failed: {}",
            String::from_utf8_lossy(&output.stderr)
        );
    }

    /// `drivebay ARGUMENTS` on this node.
    pub fn drivebay(&self, arguments: &[&str]) -> Command {
        let mut command = self.command(&dist("drivebay"));
        command.args(arguments);
        command
    }

    /// A pod's directory for a volume, made as kubelet makes it.
    pub fn pod(&self, name: &str) -> PathBuf {
        let directory = self.path("pods").join(name);
        fs::create_dir_all(&directory).expect("writable");
        directory
    }

    /// Calls `drivebay/local` as kubelet does.
    #[track_caller]
    pub fn call(&self, arguments: &[&str]) -> Answer {
        self.call_driver("drivebay~local/local", arguments)
    }

    /// Calls the executable at that path in the plugin directory as kubelet does.
    #[track_caller]
    pub fn call_driver(&self, executable: &str, arguments: &[&str]) -> Answer {
        Answer::of(
            &self
                .callout(executable, arguments)
                .output()
                .expect("the shim runs"),
        )
    }

    /// The same, not started yet.
    pub fn callout(&self, executable: &str, arguments: &[&str]) -> Command {
        piped(self.node.callout(executable, arguments))
    }

    /// Calls the shipped shim under a plugin path that was never installed.
    #[track_caller]
    pub fn call_as(&self, argv0: &str, arguments: &[&str]) -> Answer {
        let mut command = self.command(&dist("drivebay-shim"));
        command.arg0(argv0).args(arguments);
        Answer::of(&command.output().expect("the shim runs"))
    }

    /// What is mounted at or beneath a path, from the kernel's table.
    pub fn mounts_beneath(path: &Path) -> Vec<PathBuf> {
        mounts_beneath(path).expect("readable")
    }

    /// The kernel's lines about those mounts, without the numbers it gave them.
    pub fn mount_lines_beneath(path: &Path) -> Vec<String> {
        let table = fs::read_to_string("/proc/self/mountinfo").expect("readable");
        let root = path.to_string_lossy();
        let lines = table.lines().filter(|line| line.contains(&*root));
        lines
            .filter_map(|line| line.splitn(4, ' ').nth(3))
            .map(str::to_owned)
            .collect()
    }

    /// Files of the journal, for asserting that nothing was left behind.
    pub fn journal(&self) -> Vec<PathBuf> {
        self.node.journal()
    }

    /// Everything FlexVolume mode logged.
    pub fn log(&self) -> String {
        fs::read_to_string(self.path("log/flexvolume.log")).unwrap_or_default()
    }

    /// Any program, with the environment that points the host at this node.
    pub fn command(&self, program: &Path) -> Command {
        piped(self.node.command(program))
    }

    /// Runs any program of this machine, for looking at effects.
    pub fn run(program: &str, arguments: &[&str]) -> Output {
        #[expect(
            clippy::disallowed_methods,
            reason = "tests are the callers from outside"
        )]
        Command::new(program)
            .args(arguments)
            .output()
            .expect("installed")
    }
}

fn piped(mut command: Command) -> Command {
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}
