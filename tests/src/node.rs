//! A node of a test's own: every path beneath one temporary directory, cleaned up also after a failure.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use tempfile::TempDir;

use crate::{Answer, dist, guest};

/// Configuration, state and plugin directory of one host.
#[derive(Debug)]
pub struct Node {
    root: TempDir,
}

/// Grants for the example guest `local`, whose pool is in the test's own directory.
const LOCAL: &str = r#"
component = "local"
flexvolume = "drivebay/local"
csi-name = "local.drivebay.dev"
[grants.mounts]
directories = { pool = "POOL" }
[grants.files]
access = "read-write"
"#;

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
        let node = Self { root };
        for directory in ["etc/drivers.d", "plugins", "pods", "pool"] {
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
        LOCAL.replace("POOL", &self.path("pool").to_string_lossy())
    }

    /// A path beneath the node's root.
    pub fn path(&self, relative: &str) -> PathBuf {
        self.root.path().join(relative)
    }

    /// Writes a driver's grants file.
    pub fn add_driver(&self, name: &str, grants: &str) {
        let file = self.path("etc/drivers.d").join(format!("{name}.toml"));
        fs::write(&file, grants).expect("writable");
        fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).expect("ours");
    }

    /// `drivebay install` with the shim into the node's plugin directory.
    #[track_caller]
    pub fn install(&self, components: &[&Path]) {
        let mut command = self.drivebay(&["install"]);
        command
            .args(components)
            .arg("--plugin-dir")
            .arg(self.path("plugins"));
        let output = command.output().expect("drivebay runs");
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
        let mut command = self.command(&self.path("plugins").join(executable));
        command.args(arguments);
        command
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
        let table = fs::read_to_string("/proc/self/mountinfo").expect("readable");
        let points = table
            .lines()
            .filter_map(|line| line.split(' ').nth(4))
            .map(|point| PathBuf::from(point.replace("\\040", " ")));
        points.filter(|point| point.starts_with(path)).collect()
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
        files_beneath(&self.path("state/journal"))
    }

    /// Everything FlexVolume mode logged.
    pub fn log(&self) -> String {
        fs::read_to_string(self.path("log/flexvolume.log")).unwrap_or_default()
    }

    /// Any program, with the environment that points the host at this node.
    pub fn command(&self, program: &Path) -> Command {
        #[expect(
            clippy::disallowed_methods,
            reason = "tests are the callers from outside"
        )]
        let mut command = Command::new(program);
        command
            .env_clear()
            .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
            .env("DRIVEBAY_CONFIG_DIR", self.path("etc"))
            .env("DRIVEBAY_STATE_DIR", self.path("state"))
            .env("DRIVEBAY_RUN_DIR", self.path("run"))
            .env("DRIVEBAY_LOG_DIR", self.path("log"))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
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

impl Drop for Node {
    fn drop(&mut self) {
        let root = self
            .root
            .path()
            .canonicalize()
            .unwrap_or_else(|_| self.root.path().to_owned());
        for point in Self::mounts_beneath(&root).into_iter().rev() {
            let _ = nix::mount::umount2(&point, nix::mount::MntFlags::MNT_DETACH);
        }
    }
}

fn files_beneath(directory: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(directory) else {
        return Vec::new();
    };
    let paths = entries.filter_map(|entry| entry.ok().map(|entry| entry.path()));
    paths
        .flat_map(|path| {
            if path.is_dir() {
                files_beneath(&path)
            } else {
                vec![path]
            }
        })
        .collect()
}
