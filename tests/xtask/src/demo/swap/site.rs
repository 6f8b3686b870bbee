//! The node of the swap: its driver's component comes from a ConfigMap, and `drivebay serve` follows that.

use std::fs;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use drivebay_testbed::{ConfigMap, NODE_NAME, Serving};
use serde_json::Value;

use crate::demo::callout::options;
use crate::demo::node::Node;
use crate::steps::say;

/// Where kubelet finds the shim.
pub(super) const DRIVER: &str = "drivebay~local/local";

/// The component's file, in the ConfigMap as where it was built.
pub(super) const FILE: &str = "local.wasm";

/// How long anything may take that is waited for.
const PATIENCE: Duration = Duration::from_secs(60);

pub(super) struct Site<'a> {
    pub(super) node: &'a Node,
    source: ConfigMap,
    _serving: Serving,
}

/// The volume of that name, which is a directory of the pool.
pub(super) fn volume(node: &Node, name: &str) -> Result<String> {
    fs::create_dir_all(node.path("pool").join(name))?;
    Ok(options("rw", &[("pool", "pool"), ("volume", name)]))
}

impl<'a> Site<'a> {
    /// With that version of the component, installed and served.
    pub(super) fn new(node: &'a Node, component: &[u8]) -> Result<Self> {
        let mut source = ConfigMap::at(&node.path("components"))?;
        source.write(&[(FILE, component)])?;
        fs::create_dir_all(node.path("pool"))?;
        // Kubelet's two calls are enough so: mount attaches and stages as well, unmount undoes all.
        let grants = format!("flexvolume-attach = \"on-mount\"\n{}", node.local_grants());
        node.grant("local", &grants)?;
        node.install_from(source.directory())?;
        let socket = node.path("local.sock");
        let endpoint = format!("unix://{}", socket.display());
        let mut serve = node.drivebay(&["serve", "--driver", "local", "--endpoint", &endpoint]);
        serve.args(["--node-id", NODE_NAME, "--components-from"]);
        serve.arg(source.directory());
        say("    drivebay serve --driver local --components-from components &");
        let serving = Serving::start(serve, &node.path("serve.log"), &[socket])?;
        Ok(Self {
            node,
            source,
            _serving: serving,
        })
    }

    /// The ConfigMap holds that from now on; the moment of the rename.
    pub(super) fn show(&mut self, component: &[u8]) -> Result<Instant> {
        self.source.write(&[(FILE, component)])
    }

    /// A pod's volume; where it is mounted.
    pub(super) fn mount(&self, pod: &str) -> Result<PathBuf> {
        let target = self.node.pod(pod, "drivebay~local")?;
        let volume = volume(self.node, pod)?;
        self.node
            .call(DRIVER, &["mount", text(&target)?, &volume])?;
        Ok(target)
    }

    /// Unmounts it, and tells which version of the component did what a component has to do.
    pub(super) fn unmount(&self, target: &Path) -> Result<String> {
        self.node.call(DRIVER, &["unmount", text(target)?])?;
        let log = self.log()?;
        let mut lines = log.lines().rev();
        let last = lines.find(|line| line.contains("name=\"unmount\""));
        let version = last.and_then(|line| line.split("component.version=\"").nth(1));
        let version = version.and_then(|rest| rest.split('"').next());
        Ok(version.context("the log does not tell")?.to_owned())
    }

    /// Until the log has a call that this version answered, behind what was seen of it.
    pub(super) fn wait_for_call_of(&self, version: &str, seen: usize) -> Result<()> {
        let words = format!("component.version=\"{version}\"");
        self.wait("a call", Duration::from_millis(2), || {
            let log = self.log()?;
            let has_it = log.get(seen..).is_some_and(|new| new.contains(&words));
            Ok(has_it.then_some(()))
        })
    }

    /// Until `drivebay status` tells of a refusal that is not the one before.
    pub(super) fn wait_for_refusal(&self, before: &str) -> Result<String> {
        self.wait("a refusal", Duration::from_millis(20), || {
            let status = self.node.status(&[])?;
            let mut lines = status.lines().map(str::trim);
            // Further down, a process's figures have a line of that name as well.
            let tells = |line: &str| line.starts_with("refused") && line.contains("sha256");
            let refused = lines.find(|line| tells(line) && *line != before);
            Ok(refused.map(str::to_owned))
        })
    }

    pub(super) fn expect_active(&self, version: &str) -> Result<()> {
        let status: Value = serde_json::from_str(&self.node.status(&["--json"])?)?;
        let active = &status["drivers"][0]["active"]["version"];
        ensure!(active == version, "{active} is active, not {version}");
        Ok(())
    }

    pub(super) fn roll_back(&self) -> Result<()> {
        self.node.tell(&["rollback", "local"])
    }

    /// What call-outs have logged.
    pub(super) fn log(&self) -> Result<String> {
        let file = self.node.path("var/log/drivebay/flexvolume.log");
        fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))
    }

    fn wait<T>(
        &self,
        what: &str,
        pause: Duration,
        mut look: impl FnMut() -> Result<Option<T>>,
    ) -> Result<T> {
        let until = Instant::now() + PATIENCE;
        loop {
            if let Some(found) = look()? {
                return Ok(found);
            }
            let said = || fs::read_to_string(self.node.path("serve.log")).unwrap_or_default();
            ensure!(
                Instant::now() < until,
                "{what} never came; serve said:\n{}",
                said()
            );
            thread::sleep(pause);
        }
    }
}

fn text(path: &Path) -> Result<&str> {
    path.to_str().context("a path of the demo is not text")
}
