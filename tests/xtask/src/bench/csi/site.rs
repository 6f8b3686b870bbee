//! A node of its own for `drivebay serve`: configuration, state, sockets and volumes beneath one directory.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Result, ensure};
use drivebay_testbed::{ConfigMap, Layout, Node, Scratch, Serving};
use serde_json::{Value, json};

use crate::process::{self, Echo};
use crate::workspace::Workspace;

/// What is served, and where: two that are measured beside each other have nothing in common.
pub(in crate::bench) struct Build {
    /// The directory of the site, beneath `target`.
    directory: &'static str,
    /// On a tmpfs, as /run is on nodes: locks are there.
    run: &'static str,
    binaries: PathBuf,
    components: PathBuf,
}

impl Build {
    /// Of this checkout.
    pub(in crate::bench) fn current(workspace: &Workspace) -> Self {
        Self {
            directory: "bench-csi-now",
            run: "/dev/shm/drivebay-bench-now",
            binaries: workspace.binaries(),
            components: workspace.components(),
        }
    }

    /// What `cargo xtask build` made of an earlier one. Its paths are as long as the other's, because the kernel walks
    /// along them in each call.
    pub(in crate::bench) fn earlier(dist: &Path) -> Result<Self> {
        let earlier = Self {
            directory: "bench-csi-old",
            run: "/dev/shm/drivebay-bench-old",
            binaries: dist.join("bin"),
            components: dist.join("guests"),
        };
        for file in ["bin/drivebay", "bin/drivebay-shim", "guests/local.wasm"] {
            ensure!(
                dist.join(file).is_file(),
                "{} has no {file}; name target/dist of a checkout in which `cargo xtask build` was run",
                dist.display()
            );
        }
        Ok(earlier)
    }
}

/// Everything beneath one directory, which goes with it.
pub(in crate::bench) struct Site {
    node: Node,
    components: PathBuf,
    _directories: [Scratch; 2],
}

impl Site {
    /// With no driver.
    pub(in crate::bench) fn empty(workspace: &Workspace) -> Result<Self> {
        Self::of(workspace, &Build::current(workspace))
    }

    fn of(workspace: &Workspace, build: &Build) -> Result<Self> {
        let root = Scratch::at(&workspace.target().join(build.directory))?;
        let layout = Layout {
            run: build.run,
            ..Layout::SHORT
        };
        let site = Self {
            node: Node::new(root.path(), layout, &build.binaries)?,
            components: build.components.clone(),
            _directories: [root, Scratch::at(Path::new(build.run))?],
        };
        fs::create_dir_all(site.path("sockets"))?;
        Ok(site)
    }

    /// With the example driver and directories for so many volumes.
    pub(in crate::bench) fn with_local(workspace: &Workspace, volumes: usize) -> Result<Self> {
        Self::with_local_of(workspace, &Build::current(workspace), volumes)
    }

    /// The same by a certain build.
    pub(in crate::bench) fn with_local_of(
        workspace: &Workspace,
        build: &Build,
        volumes: usize,
    ) -> Result<Self> {
        let site = Self::of(workspace, build)?;
        for volume in 0..volumes {
            fs::create_dir_all(site.path("pool").join(format!("v{volume}")))?;
            fs::create_dir_all(site.path("staging").join(volume.to_string()))?;
        }
        fs::create_dir_all(site.path("pods"))?;
        site.install("local", &site.local_grants())?;
        Ok(site)
    }

    /// A driver, whose component has the same name.
    pub(super) fn install(&self, driver: &str, grants: &str) -> Result<()> {
        self.grant(driver, grants)?;
        let component = self.components.join(format!("{driver}.wasm"));
        process::run(&mut self.node.install(&[&component]), Echo::Silent).map(drop)
    }

    /// A driver's file, without a component.
    pub(in crate::bench) fn grant(&self, driver: &str, grants: &str) -> Result<()> {
        self.node.grant(driver, grants)
    }

    /// What `local` needs.
    pub(in crate::bench) fn local_grants(&self) -> String {
        self.node.local_grants()
    }

    /// A path beneath the site.
    pub(in crate::bench) fn path(&self, relative: &str) -> PathBuf {
        self.node.path(relative)
    }

    pub(in crate::bench) fn socket(&self, driver: &str) -> PathBuf {
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
        self.serve_from(drivers, &[])
    }

    /// The same, with new versions of their components from there.
    pub(in crate::bench) fn serve_from(
        &self,
        drivers: &[&str],
        sources: &[&ConfigMap],
    ) -> Result<Serving> {
        let mut serve = self.node.drivebay(&["serve", "--node-id", "bench"]);
        let sockets: Vec<PathBuf> = drivers.iter().map(|driver| self.socket(driver)).collect();
        for (driver, socket) in drivers.iter().zip(&sockets) {
            let endpoint = format!("unix://{}", socket.display());
            serve.args(["--driver", driver, "--endpoint", &endpoint]);
        }
        for source in sources {
            serve.arg("--components-from").arg(source.directory());
        }
        Serving::start(serve, &self.path("serve.log"), &sockets)
    }
}
