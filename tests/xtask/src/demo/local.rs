//! The example driver: a directory of the node plays a disk that is attached, mounted once for the node and
//! bound for the pod. It needs nothing of the kernel but bind mounts.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};

use super::callout::options;
use super::node::{Node, mounts_beneath};
use crate::process::{self, Echo, command};
use crate::steps::say;
use crate::workspace::Workspace;

const DRIVER: &str = "drivebay~local/local";
const MOUNT_DEVICE: &str = "var/lib/kubelet/plugins/kubernetes.io/flexvolume/drivebay/local/mounts";

/// Shows it, and returns the part's verdict.
pub(super) fn show(workspace: &Workspace) -> Result<&'static str> {
    if !may_mount()? {
        say("  This user may not mount anything here; run the demo as root to see this part.");
        return Ok("this kernel was left out");
    }
    let stage = Stage::new()?;
    let node = Node::new(workspace, &stage.0)?;
    fs::create_dir_all(node.path("srv/pool/v1"))?;

    say("\n  The operator grants the driver one directory, and installs it:");
    node.grant("local", &grants(&node))?;
    node.install(&workspace.components().join("local.wasm"))?;
    live(&node)?;
    node.expect_nothing_left()?;
    say("\n  Nothing is mounted any more, and the journal is empty.");
    Ok("a volume was attached, written to and detached on this kernel")
}

fn grants(node: &Node) -> String {
    let pool = node.path("srv/pool");
    format!(
        "component = \"local\"\nflexvolume = \"drivebay/local\"\n\
         [grants.mounts]\ndirectories = {{ pool = \"{}\" }}\n\
         [grants.files]\naccess = \"read-write\"\n",
        pool.display()
    )
}

fn live(node: &Node) -> Result<()> {
    let volume = options("rw", &[("pool", "pool"), ("volume", "v1")]);
    let staging = node.path(MOUNT_DEVICE).join("data");
    let pod = node.pod("web-0", "drivebay~local")?;
    let (staging, target) = (text(&staging)?, text(&pod)?);
    fs::create_dir_all(staging)?;

    say("\n  kubelet finds the driver and asks what it can do:");
    node.call(DRIVER, &["init"])?;
    say("\n  The controller attaches the volume to this node:");
    let attached = node.call(DRIVER, &["attach", &volume, "node-1"])?;
    let device = attached["device"].as_str().unwrap_or_default();
    say("\n  kubelet waits for it, mounts it for the node, and then for the pod:");
    node.call(DRIVER, &["waitforattach", device, &volume])?;
    node.call(DRIVER, &["mountdevice", staging, device, &volume])?;
    node.call(DRIVER, &["mount", target, &volume])?;

    say("\n  The pod writes a file, which is in the granted directory:");
    fs::write(pod.join("hello"), "from a pod")?;
    let seen = fs::read_to_string(node.path("srv/pool/v1/hello"))?;
    ensure!(seen == "from a pod", "the file says {seen:?}");
    say(format_args!("    srv/pool/v1/hello: {seen}"));

    say("\n  The pod goes, and everything is undone in the opposite order:");
    node.call(DRIVER, &["unmount", target])?;
    node.call(DRIVER, &["unmountdevice", staging])?;
    node.call(DRIVER, &["detach", "data", "node-1"]).map(drop)
}

/// Mounting takes a capability that root in a container may lack.
fn may_mount() -> Result<bool> {
    const SYS_ADMIN: u32 = 21;
    let status = fs::read_to_string("/proc/self/status")?;
    let effective = status.lines().find_map(|line| line.strip_prefix("CapEff:"));
    let effective = effective.context("the kernel names no capabilities")?;
    Ok(u64::from_str_radix(effective.trim(), 16)? >> SYS_ADMIN & 1 == 1)
}

fn text(path: &Path) -> Result<&str> {
    path.to_str().context("a path of the demo is not text")
}

/// The demo's own directory; gone with whatever a failure left mounted in it.
struct Stage(PathBuf);

impl Stage {
    fn new() -> Result<Self> {
        let root = std::env::temp_dir().join(format!("drivebay-demo-{}", std::process::id()));
        fs::create_dir(&root).with_context(|| format!("cannot make {}", root.display()))?;
        Ok(Self(root.canonicalize()?))
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        let mounts = mounts_beneath(&self.0).unwrap_or_default();
        for point in mounts
            .iter()
            .rev()
            .filter_map(|line| line.split(' ').nth(1))
        {
            let _ = process::run(command("umount").args(["--lazy", point]), Echo::Silent);
        }
        let _ = fs::remove_dir_all(&self.0);
    }
}
