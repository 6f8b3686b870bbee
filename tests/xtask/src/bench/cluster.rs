//! What an operator of a cluster gets: how large the node's pod is, and how soon a component that is applied serves.
//!
//! Between `kubectl apply` of a ConfigMap and the file in a pod lies kubelet, which looks at a pod once in a minute or so
//! and remembers ConfigMaps for as long. A pod that changes is looked at at once.

use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use serde_json::{Value, json};

use super::csi::{Caller, Memory};
use super::table::Table;
use crate::cluster::Cluster;
use crate::process::{self, Echo};
use crate::version::version;
use crate::workspace::Workspace;

/// Versions that are applied, with kubelet told of it and without, where each takes more than a minute.
const TOLD: usize = 20;
const UNTOLD: usize = 12;

/// Of a node's pod with both drivers, which do nothing.
const MIB: u64 = 20;

/// An argument of the process in the node's pod, and of no other.
const SERVES_NODE: &[u8] = b"--mode=node";

const NAMESPACE: &str = "drivebay";
const COMPONENT: &str = "alicloud-disk";
const CSI_NAME: &str = "diskplugin.csi.alibabacloud.com";

/// `kubectl apply` of a ConfigMap made of a file, as an operator does it.
const APPLY: &str = "kubectl create configmap \"$0\" --namespace \"$1\" --from-file \"$2\" --dry-run=client --output json \
                     | kubectl apply --filename -";

/// The line that the guide gives for those who do not want to wait.
const TELL: &str = "kubectl annotate --overwrite --namespace \"$0\" pod --selector app.kubernetes.io/component=node \
                    drivebay.dev/synced=\"$1\"";

/// Whether kubelet is told here that there is something to look at.
#[derive(Clone, Copy)]
pub(super) enum Kubelet {
    Told,
    Untold,
}

/// Adds the rows.
pub(super) fn measure(
    workspace: &Workspace,
    cluster: &Cluster,
    caller: &Caller,
    table: &mut Table,
) -> Result<()> {
    let mut site = Site::new(workspace, cluster, caller)?;
    let what = "the node's pod, resident, with both drivers idle";
    table.size(what, site.memory()?.resident, ("MiB", 1 << 20), MIB);
    for (kubelet, times, how) in [
        (Kubelet::Told, TOLD, "with `kubectl annotate` after it"),
        (Kubelet::Untold, UNTOLD, "without"),
    ] {
        let taken = (0..times).map(|_| site.apply_next(kubelet));
        let taken: Vec<Duration> = taken.collect::<Result<_>>()?;
        let what = format!("from `kubectl apply` of a component to the first call on it, {how}");
        table.spread(&what, taken);
    }
    Ok(())
}

pub(super) struct Site<'a> {
    cluster: &'a Cluster,
    caller: &'a Caller,
    built: Vec<u8>,
    /// Where versions are written for kubectl.
    directory: PathBuf,
    last: usize,
}

impl<'a> Site<'a> {
    pub(super) fn new(
        workspace: &Workspace,
        cluster: &'a Cluster,
        caller: &'a Caller,
    ) -> Result<Self> {
        let built = workspace.components().join(format!("{COMPONENT}.wasm"));
        let directory = cluster.scratch();
        fs::create_dir_all(&directory)?;
        Ok(Self {
            cluster,
            caller,
            built: fs::read(&built).with_context(|| format!("cannot read {}", built.display()))?,
            directory,
            last: 0,
        })
    }

    /// What the one process of the node's pod holds.
    fn memory(&self) -> Result<Memory> {
        let processes = self.cluster.root().join("proc");
        let mut found = Vec::new();
        for entry in fs::read_dir(&processes)?.flatten() {
            // Not all of them are processes, and processes end.
            let words = fs::read(entry.path().join("cmdline")).unwrap_or_default();
            if words
                .split(|byte| *byte == 0)
                .any(|word| word == SERVES_NODE)
            {
                found.push(entry.path());
            }
        }
        let [process] = &found[..] else {
            bail!("{} processes serve the node, not one", found.len());
        };
        Memory::told_in(process)
    }

    /// Applies the next version, and waits until it has answered a call. How long that took, from kubectl's start on.
    pub(super) fn apply_next(&mut self, kubelet: Kubelet) -> Result<Duration> {
        self.last += 1;
        let number = format!("1.{}.{}", self.last / 10, self.last % 10);
        let file = self.write(&number)?;
        // Whoever waits for it is there before it comes.
        let mut waiting = self.caller.awaiting(&number, &self.call());
        let mut waiting = waiting.spawn().context("cannot start who waits")?;
        let begun = Instant::now();
        let map = format!("drivebay-component-{COMPONENT}");
        self.shell(APPLY, &[&map, NAMESPACE, &file.display().to_string()])?;
        if let Kubelet::Told = kubelet {
            self.shell(TELL, &[NAMESPACE, &number])?;
        }
        let ended = waiting.wait()?;
        ensure!(ended.success(), "version {number} did not come");
        Ok(begun.elapsed())
    }

    /// The component as that version, compressed as the shipped manifests have it.
    fn write(&self, number: &str) -> Result<PathBuf> {
        let plain = self.directory.join(format!("{COMPONENT}.wasm"));
        let compressed = self.directory.join(format!("{COMPONENT}.wasm.zst"));
        fs::write(&plain, version(&self.built, number)?)?;
        let script = "zstd --quiet --force -19 \"$0\" -o \"$1\"";
        let files = [&plain, &compressed].map(|file| file.display().to_string());
        self.shell(script, &files.each_ref().map(String::as_str))?;
        Ok(compressed)
    }

    /// What kubelet would ask, by the socket that it would ask by.
    fn call(&self) -> Value {
        let socket = format!("var/lib/kubelet/plugins/{CSI_NAME}/csi.sock");
        json!({ "socket": self.cluster.root().join(socket), "rpc": "NodeGetInfo" })
    }

    fn shell(&self, script: &str, arguments: &[&str]) -> Result<()> {
        let mut shell = self.cluster.command("sh");
        shell.args(["-ec", script]).args(arguments);
        process::run(&mut shell, Echo::Silent).map(drop)
    }
}
