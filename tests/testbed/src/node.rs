//! A node: the host's directories beneath one root, and the host's programs pointed at them.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use crate::command::command;

/// Where the host's directories are beneath a node's root; one that is absolute is where it says.
#[derive(Clone, Copy, Debug)]
pub struct Layout {
    /// The operator's files.
    pub config: &'static str,
    /// Components, compiled code, the journal.
    pub state: &'static str,
    /// Locks and sockets.
    pub run: &'static str,
    /// FlexVolume's log.
    pub log: &'static str,
    /// Where kubelet looks for drivers.
    pub plugins: &'static str,
}

impl Layout {
    /// One directory for each.
    pub const SHORT: Self = Self {
        config: "etc",
        state: "state",
        run: "run",
        log: "log",
        plugins: "plugins",
    };
}

/// Configuration, state and plugin directory of one host.
#[derive(Clone, Debug)]
pub struct Node {
    root: PathBuf,
    layout: Layout,
    binaries: PathBuf,
}

/// Grants for the example guest `local`, whose pool is beneath the node's root.
const LOCAL: &str = r#"
component = "local"
flexvolume = "drivebay/local"
csi-name = "local.drivebay.dev"
[grants.mounts]
directories = { pool = "POOL" }
[grants.files]
access = "read-write"
"#;

impl Node {
    /// With no driver, and the host's programs from that directory.
    pub fn new(root: &Path, layout: Layout, binaries: &Path) -> Result<Self> {
        let node = Self {
            root: root.to_owned(),
            layout,
            binaries: binaries.to_owned(),
        };
        for directory in [node.drivers(), node.plugins()] {
            fs::create_dir_all(&directory)
                .with_context(|| format!("cannot make {}", directory.display()))?;
        }
        Ok(node)
    }

    /// A path beneath the node's root.
    pub fn path(&self, relative: &str) -> PathBuf {
        self.root.join(relative)
    }

    /// The operator's part: a file that says what a driver may do.
    pub fn grant(&self, driver: &str, grants: &str) -> Result<()> {
        let file = self.drivers().join(format!("{driver}.toml"));
        fs::write(&file, grants).with_context(|| format!("cannot write {}", file.display()))?;
        Ok(fs::set_permissions(
            &file,
            fs::Permissions::from_mode(0o644),
        )?)
    }

    /// What to grant the example driver, whose pool is `pool` beneath the root.
    pub fn local_grants(&self) -> String {
        LOCAL.replace("POOL", &self.path("pool").to_string_lossy())
    }

    /// `drivebay ARGUMENTS`.
    pub fn drivebay(&self, arguments: &[&str]) -> Command {
        let mut command = self.command(self.binaries.join("drivebay"));
        command.args(arguments);
        command
    }

    /// `drivebay install` with the shim into the plugin directory.
    pub fn install(&self, components: &[&Path]) -> Command {
        let mut install = self.drivebay(&["install", "--plugin-dir"]);
        install.arg(self.plugins()).args(components);
        install
    }

    /// What kubelet, or the controller, calls: the executable at that path in the plugin directory.
    pub fn callout(&self, executable: &str, arguments: &[&str]) -> Command {
        let mut command = self.command(self.plugins().join(executable));
        command.args(arguments);
        command
    }

    /// Any program, with nothing in its environment but [`Node::environment`].
    pub fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = command(program);
        command.env_clear().envs(self.environment());
        command
    }

    /// What points the host at this node.
    pub fn environment(&self) -> Vec<(String, String)> {
        let directories = [
            ("DRIVEBAY_CONFIG_DIR", self.layout.config),
            ("DRIVEBAY_STATE_DIR", self.layout.state),
            ("DRIVEBAY_RUN_DIR", self.layout.run),
            ("DRIVEBAY_LOG_DIR", self.layout.log),
        ];
        let directories = directories.map(|(name, relative)| {
            let path = self.path(relative).to_string_lossy().into_owned();
            (name.to_owned(), path)
        });
        let path = (
            "PATH".to_owned(),
            "/usr/sbin:/usr/bin:/sbin:/bin".to_owned(),
        );
        [path].into_iter().chain(directories).collect()
    }

    /// Files of the journal, to see that nothing was left behind.
    pub fn journal(&self) -> Vec<PathBuf> {
        files_beneath(&self.path(self.layout.state).join("journal"))
    }

    fn drivers(&self) -> PathBuf {
        self.path(self.layout.config).join("drivers.d")
    }

    fn plugins(&self) -> PathBuf {
        self.path(self.layout.plugins)
    }
}

fn files_beneath(directory: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(directory) else {
        return Vec::new();
    };
    let paths = entries.flatten().map(|entry| entry.path());
    let files = paths.map(|path| match path.is_dir() {
        true => files_beneath(&path),
        false => vec![path],
    });
    files.flatten().collect()
}
