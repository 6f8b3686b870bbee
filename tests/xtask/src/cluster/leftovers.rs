//! What outlives processes: loop devices of the cloud's disks, and the control groups of containers.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};

use super::places::Places;
use crate::process::{self, Echo, answer, command};

/// containerd's name for what kubelet runs, by which control groups are called too.
const NAMESPACE: &str = "k8s.io";

/// Takes all of it away, and the cluster's files with it. Whatever cannot be taken away is named.
pub(super) fn remove(places: &Places) -> Result<()> {
    let run = places.run();
    if !run.exists() {
        return Ok(());
    }
    detach_devices(places)?;
    remove_control_groups(&containers(places))?;
    fs::remove_dir_all(&run).with_context(|| format!("cannot remove {}", run.display()))?;
    let left = devices(places)?;
    if left.is_empty() {
        return Ok(());
    }
    bail!("loop devices of the cluster are left: {}", left.join(" "))
}

fn detach_devices(places: &Places) -> Result<()> {
    for device in devices(places)? {
        // It may have gone with its last user meanwhile.
        let _ = process::finish(command("losetup").args(["--detach", &device]), Echo::Silent);
    }
    Ok(())
}

/// Those whose file lies in the cluster's directory.
fn devices(places: &Places) -> Result<Vec<String>> {
    let mut losetup = command("losetup");
    losetup.args([
        "--list",
        "--noheadings",
        "--raw",
        "--output",
        "NAME,BACK-FILE",
    ]);
    let list = answer(&mut losetup)?;
    let ours = |line: &str| {
        let (device, file) = line.split_once(' ')?;
        let is_ours = Path::new(file.trim()).starts_with(places.top());
        is_ours.then(|| device.to_owned())
    };
    Ok(list.lines().filter_map(ours).collect())
}

/// The ids of all containers there ever were: containerd keeps a directory of each.
fn containers(places: &Places) -> Vec<String> {
    let directory = format!("containerd/io.containerd.runtime.v2.task/{NAMESPACE}");
    let entries = fs::read_dir(places.running(&directory));
    let entries = entries.into_iter().flatten().flatten();
    let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
    names.collect()
}

/// Beneath each controller where there is cgroup v1, and beneath the one root where there is not. Another cluster's lie
/// beside them.
fn remove_control_groups(containers: &[String]) -> Result<()> {
    let root = Path::new("/sys/fs/cgroup");
    let controllers = fs::read_dir(root)?.flatten().map(|entry| entry.path());
    for controller in controllers.chain([root.to_owned()]) {
        let all = controller.join(NAMESPACE);
        for container in containers {
            remove_control_group(&all.join(container))?;
        }
        // Unless it holds another cluster's.
        let _ = fs::remove_dir(&all);
    }
    Ok(())
}

/// From the innermost outwards, as each has to be empty. Their files are the kernel's and go with them.
fn remove_control_group(path: &Path) -> Result<()> {
    let Ok(entries) = fs::read_dir(path) else {
        return Ok(());
    };
    for entry in entries.flatten() {
        if entry.file_type()?.is_dir() {
            remove_control_group(&entry.path())?;
        }
    }
    fs::remove_dir(path).with_context(|| format!("cannot remove control group {}", path.display()))
}
