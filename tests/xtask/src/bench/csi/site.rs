//! A node of its own for `drivebay serve`: configuration, state, sockets and volumes beneath one directory.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use crate::process::{self, Echo, command};
use crate::workspace::Workspace;

/// On a tmpfs, as /run is on nodes: locks are there.
const RUN: &str = "/dev/shm/drivebay-bench-csi";

/// How long a program may take until it listens.
const PATIENCE: Duration = Duration::from_secs(60);

const LOCAL: &str = r#"
component = "local"
csi-name = "local.drivebay.dev"
[grants.mounts]
directories = { pool = "POOL" }
[grants.files]
access = "read-write"
"#;

/// Everything beneath one directory, which goes with it.
pub(in crate::bench) struct Site {
    root: PathBuf,
    binaries: PathBuf,
}

impl Site {
    /// With no driver.
    pub(super) fn empty(workspace: &Workspace) -> Result<Self> {
        let site = Self {
            root: workspace.target().join("bench-csi"),
            binaries: workspace.binaries(),
        };
        site.clear()?;
        for directory in ["etc/drivers.d", "sockets"] {
            fs::create_dir_all(site.path(directory))?;
        }
        Ok(site)
    }

    /// With the example driver and directories for so many volumes.
    pub(in crate::bench) fn with_local(workspace: &Workspace, volumes: usize) -> Result<Self> {
        let site = Self::empty(workspace)?;
        for volume in 0..volumes {
            fs::create_dir_all(site.path("pool").join(format!("v{volume}")))?;
            fs::create_dir_all(site.path("staging").join(volume.to_string()))?;
        }
        fs::create_dir_all(site.path("pods"))?;
        let grants = LOCAL.replace("POOL", &site.path("pool").to_string_lossy());
        site.install(workspace, "local", &grants)?;
        Ok(site)
    }

    /// A driver, whose component has the same name.
    pub(super) fn install(&self, workspace: &Workspace, driver: &str, grants: &str) -> Result<()> {
        let file = self.path("etc/drivers.d").join(format!("{driver}.toml"));
        fs::write(file, grants)?;
        let component = workspace.components().join(format!("{driver}.wasm"));
        let mut install = self.drivebay();
        install.arg("install").arg(component);
        process::run(&mut install, Echo::Silent).map(drop)
    }

    /// A path beneath the site.
    pub(super) fn path(&self, relative: &str) -> PathBuf {
        self.root.join(relative)
    }

    pub(super) fn socket(&self, driver: &str) -> PathBuf {
        self.path("sockets").join(format!("{driver}.sock"))
    }

    /// The call of that name to `local`, each caller with its own volume.
    pub(in crate::bench) fn call(&self, rpc: &str) -> Value {
        json!({
            "socket": self.socket("local"),
            "rpc": rpc,
            "volume": "v{n}",
            "staging": self.path("staging/{n}"),
            "path": self.path("pods/{n}"),
        })
    }

    /// `drivebay serve` for those drivers, listening.
    pub(in crate::bench) fn serve(&self, drivers: &[&str]) -> Result<Serving> {
        let mut serve = self.drivebay();
        serve.args(["serve", "--node-id", "bench"]);
        let sockets: Vec<PathBuf> = drivers.iter().map(|driver| self.socket(driver)).collect();
        for (driver, socket) in drivers.iter().zip(&sockets) {
            let endpoint = format!("unix://{}", socket.display());
            serve.args(["--driver", driver, "--endpoint", &endpoint]);
        }
        Serving::start(serve, &self.path("serve.log"), &sockets)
    }

    fn drivebay(&self) -> std::process::Command {
        let mut command = command(self.binaries.join("drivebay"));
        for (name, path) in [
            ("DRIVEBAY_CONFIG_DIR", "etc"),
            ("DRIVEBAY_STATE_DIR", "state"),
            ("DRIVEBAY_LOG_DIR", "log"),
        ] {
            command.env(name, self.path(path));
        }
        command.env("DRIVEBAY_RUN_DIR", RUN);
        command
    }

    /// Nothing stays mounted, also of a run that was interrupted.
    fn clear(&self) -> Result<()> {
        let mounted = mounted_beneath(&self.root)?;
        if !mounted.is_empty() {
            // The last mounted first.
            let mut umount = command("umount");
            umount.args(mounted.iter().rev());
            process::run(&mut umount, Echo::Silent)?;
        }
        for directory in [self.root.as_path(), Path::new(RUN)] {
            if directory.exists() {
                fs::remove_dir_all(directory)
                    .with_context(|| format!("cannot clear {}", directory.display()))?;
            }
        }
        Ok(())
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        // What could not be cleared now is cleared by the next run, which says why if it cannot either.
        let _ = self.clear();
    }
}

fn mounted_beneath(root: &Path) -> Result<Vec<PathBuf>> {
    // The thread may have a mount namespace of its own.
    let table = fs::read_to_string("/proc/thread-self/mountinfo")?;
    let points = table.lines().filter_map(|line| line.split(' ').nth(4));
    let points = points.map(PathBuf::from);
    Ok(points.filter(|point| point.starts_with(root)).collect())
}

/// A program that listens on sockets. Ended when dropped.
pub(in crate::bench) struct Serving(Child);

impl Serving {
    /// Starts it, with its log in a file, and waits until the sockets are there.
    pub(super) fn start(
        mut command: std::process::Command,
        log: &Path,
        sockets: &[PathBuf],
    ) -> Result<Self> {
        let output = File::create(log)?;
        command.stdout(Stdio::null()).stderr(output);
        let mut serving = Self(command.spawn().context("cannot start what is measured")?);
        let until = Instant::now() + PATIENCE;
        while !sockets.iter().all(|socket| socket.exists()) {
            let alive = serving.0.try_wait()?.is_none() && Instant::now() < until;
            let said = || fs::read_to_string(log).unwrap_or_default();
            ensure!(alive, "it does not listen; it said:\n{}", said());
            std::thread::sleep(Duration::from_millis(10));
        }
        Ok(serving)
    }

    pub(super) fn id(&self) -> u32 {
        self.0.id()
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
