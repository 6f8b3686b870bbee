//! The part in the VM: the kernel's own NFS server, and two pods that share its directory.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};

use super::callout::options;
use super::node::{Node, mounts_beneath};
use crate::process::{self, Echo, command};
use crate::steps::say;
use crate::workspace::Workspace;

const DRIVER: &str = "k8s~nfs/nfs";

/// Shown to those who deploy, used as it is shipped.
const GRANTS: &str = "deploy/drivers.d/nfs.toml";

/// What the operator writes into the shipped file.
const SOURCE: &str = "\"127.0.0.1:/alpha\"";

const EXPORTS: &str = "/srv/nfs";

pub(super) fn show(workspace: &Workspace) -> Result<()> {
    say("\n  The kernel's NFS server starts on a filesystem of its own:");
    shell(workspace, &format!("nfs_start {EXPORTS}; exportfs -v"))?;

    say(format_args!(
        "\n  The operator takes {GRANTS}, adds {SOURCE} to its sources, and installs the driver:"
    ));
    let node = Node::new(workspace, Path::new("/"))?;
    let grants = fs::read_to_string(workspace.root().join(GRANTS))?;
    node.grant(
        "nfs",
        &grants.replace("sources = [", &format!("sources = [{SOURCE},")),
    )?;
    node.install(&workspace.components().join("nfs.wasm"))?;

    say("\n  kubelet finds the driver and asks what it can do:");
    node.call(DRIVER, &["init"])?;
    live(&node)?;
    node.expect_nothing_left()?;
    say("\n  Nothing is mounted any more, and the journal is empty. The server stops.\n");
    shell(workspace, &format!("nfs_export={EXPORTS}; nfs_stop"))
}

fn live(node: &Node) -> Result<()> {
    let share = [("server", "127.0.0.1"), ("share", "/alpha")];
    let writer = node.pod("web-0", "k8s~nfs")?;
    let reader = node.pod("report-0", "k8s~nfs")?;

    say("\n  A pod with the volume starts:");
    node.call(DRIVER, &["mount", text(&writer)?, &options("rw", &share)])?;
    say("  which is, in the kernel's words:");
    for line in mounts_beneath(&writer)? {
        say(format_args!("    {line}"));
    }

    fs::write(writer.join("hello"), "from a pod")?;
    let seen = fs::read_to_string(Path::new(EXPORTS).join("alpha/hello"))?;
    ensure!(seen == "from a pod", "the server's file says {seen:?}");
    say(format_args!(
        "\n  The pod writes a file. The server has it: {EXPORTS}/alpha/hello: {seen}"
    ));

    say("\n  Another pod, to which the volume is read-only, starts:");
    node.call(DRIVER, &["mount", text(&reader)?, &options("ro", &share)])?;
    let read = fs::read_to_string(reader.join("hello"))?;
    let refused = fs::write(reader.join("hello"), "mine").err();
    let refused = refused.context("the read-only pod could write")?;
    say(format_args!(
        "  It reads: {read}. It writes, and gets: {refused}."
    ));

    say("\n  Both pods go:");
    node.call(DRIVER, &["unmount", text(&writer)?])?;
    node.call(DRIVER, &["unmount", text(&reader)?]).map(drop)
}

fn text(path: &Path) -> Result<&str> {
    path.to_str().context("a path of the demo is not text")
}

fn shell(workspace: &Workspace, line: &str) -> Result<()> {
    let line = format!(". tests/vm/nfs-server.sh; {line}");
    let mut shell = command("sh");
    shell.current_dir(workspace.root()).args(["-c", &line]);
    process::run(&mut shell, Echo::Live).map(drop)
}
