//! A cloud's disk, from creation to deletion: real signatures over real TLS, a real block device, a real
//! filesystem. Only the cloud is an emulator, because no cloud can be reached from everywhere.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use drivebay_testbed::{Cloud, NODE_NAME};
use serde_json::Value;

use super::callout::options;
use super::node::{Node, may_mount, mounts_beneath, stage};
use crate::emulator;
use crate::process::{self, Echo, command};
use crate::steps::say;
use crate::workspace::Workspace;

const DRIVER: &str = "alicloud~disk/disk";
const MOUNT_DEVICE: &str = "var/lib/kubelet/plugins/kubernetes.io/flexvolume/alicloud/disk/mounts";

/// ext4 would grow as well, but while it is mounted only by a capability that containers lack.
const FS_TYPE: (&str, &str) = ("kubernetes.io/fsType", "xfs");

const GIB: u64 = 1 << 30;

/// Shows it, and returns the part's verdict.
pub(super) fn show(workspace: &Workspace) -> Result<&'static str> {
    if !may_mount()? {
        say("  This user may not mount anything here; run the demo as root to see this part.");
        return Ok("this kernel was left out");
    }
    let scratch = stage(workspace, "disk")?;
    let cloud = emulator::cloud(workspace, &scratch.path().join("cloud"))?;
    let node = Node::new(workspace, scratch.path())?;

    say(format_args!(
        "\n  An emulator plays the cloud, at {}. The operator grants the driver that one\n  \
         address, one key, and disks; and installs it:",
        cloud.endpoint("ecs")?
    ));
    node.grant("alicloud-disk", &cloud.grants(&cloud.key_in_files()?)?)?;
    node.install(&workspace.components().join("alicloud-disk.wasm"))?;
    live(&node)?;
    node.expect_nothing_left()?;
    expect_nothing_left(&cloud)?;
    say("\n  Nothing is mounted, attached or noted any more, and the cloud has no disk of ours.");
    Ok("a cloud's disk was made, attached, formatted, written to, grown, cut and deleted")
}

/// No data disk and no snapshot is left.
fn expect_nothing_left(cloud: &Cloud) -> Result<()> {
    ensure!(cloud.disks()?.is_empty(), "a disk is left in the cloud");
    let snapshots = cloud.resources("snapshots")?;
    ensure!(snapshots.is_empty(), "a snapshot is left in the cloud");
    Ok(())
}

fn live(node: &Node) -> Result<()> {
    say("\n  A claim asks for 20 GiB. The controller makes a disk:");
    let made = run(
        node,
        &[
            "create-volume",
            "--name",
            "pvc-demo",
            "--size",
            "20Gi",
            "--parameter",
            "type=cloud_essd",
        ],
    )?;
    let disk = text_of(&made, "id")?;
    let volume = options("rw", &[FS_TYPE, ("volumeId", &disk)]);
    let staging = node.path(MOUNT_DEVICE).join("data");
    let pod = node.pod("web-0", "alicloud~disk")?;
    let (staging, target) = (text(&staging)?, text(&pod)?);
    fs::create_dir_all(staging)?;

    say("\n  kubelet finds the driver, and has the disk attached to this node:");
    node.call(DRIVER, &["init"])?;
    let attached = node.call(DRIVER, &["attach", &volume, NODE_NAME])?;
    let device = text_of(&attached, "device")?;
    node.call(DRIVER, &["waitforattach", &device, &volume])?;
    say("\n  The device is found by its serial number. It is blank, so it gets a filesystem:");
    node.call(DRIVER, &["mountdevice", staging, &device, &volume])?;
    node.call(DRIVER, &["mount", target, &volume])?;
    say("  which is, in the kernel's words:");
    for line in mounts_beneath(&pod)? {
        say(format_args!("    {line}"));
    }
    fs::write(pod.join("hello"), "from a pod")?;
    say("\n  The pod writes a file:  hello: from a pod");

    grow(node, &pod, staging, &volume)?;
    let snapshot = cut(node, &disk)?;

    say("\n  The pod goes, and everything is undone in the opposite order:");
    node.call(DRIVER, &["unmount", target])?;
    node.call(DRIVER, &["unmountdevice", staging])?;
    node.call(DRIVER, &["detach", "data", NODE_NAME])?;
    say("\n  The claim goes, and so do the snapshot and the disk:");
    run(node, &["delete-snapshot", &snapshot])?;
    run(node, &["delete-volume", &disk]).map(drop)
}

fn grow(node: &Node, pod: &Path, staging: &str, volume: &str) -> Result<()> {
    say(
        "\n  The claim wants 30 GiB now. The disk grows, and the filesystem with it, mounted as it is:",
    );
    let before = bytes_of_filesystem(pod)?;
    let (new, old) = ((30 * GIB).to_string(), (20 * GIB).to_string());
    let relative = "alicloud/disk/mounts/data";
    node.call(DRIVER, &["expandvolume", volume, relative, &new, &old])?;
    node.call(DRIVER, &["expandfs", volume, relative, staging, &new, &old])?;
    let after = bytes_of_filesystem(pod)?;
    say(format_args!(
        "    the pod sees {:.1} GiB instead of {:.1} GiB",
        gib(after),
        gib(before)
    ));
    ensure!(after > 29 * GIB, "the filesystem did not grow");
    Ok(())
}

/// Cuts a snapshot and waits until it can be used.
fn cut(node: &Node, disk: &str) -> Result<String> {
    say("\n  A snapshot is cut while the pod works:");
    let until = Instant::now() + Duration::from_secs(30);
    loop {
        let snapshot = run(
            node,
            &["create-snapshot", "--name", "snap-demo", "--source", disk],
        )?;
        if snapshot["readiness"] == "ready" {
            return text_of(&snapshot, "id");
        }
        ensure!(Instant::now() < until, "the snapshot never got ready");
        std::thread::sleep(Duration::from_millis(200));
    }
}

fn run(node: &Node, operation: &[&str]) -> Result<Value> {
    node.run("alicloud-disk", operation)
}

fn bytes_of_filesystem(path: &Path) -> Result<u64> {
    let mut df = command("df");
    df.args(["--block-size=1", "--output=size"]).arg(path);
    let said = process::run(&mut df, Echo::Silent)?;
    let number = said.lines().last().unwrap_or_default().trim();
    number.parse().with_context(|| format!("df said {said:?}"))
}

#[expect(
    clippy::cast_precision_loss,
    reason = "one digit after the point is printed"
)]
fn gib(bytes: u64) -> f64 {
    bytes as f64 / GIB as f64
}

fn text(path: &Path) -> Result<&str> {
    path.to_str().context("a path of the demo is not text")
}

fn text_of(answer: &Value, key: &str) -> Result<String> {
    let text = answer[key].as_str();
    text.map(str::to_owned)
        .with_context(|| format!("the answer has no {key}"))
}
