//! Drivebay in the cluster: the shipped overlays, through those of tests/cluster/overlays, which add what a cluster with
//! an emulated cloud needs.
//!
//! What they add cannot all be kept in the repository: the cloud's certificate and key are made when it starts. So they are
//! copied to target/cluster/overlays, which is as deep in the checkout, and completed there.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};

use super::images;
use super::namespaces::Namespaces;
use super::places::{CLOUD_ADDRESS, Places};
use crate::process::{self, Echo, answer};
use crate::workspace::Workspace;

/// What alicloud-disk's file has to say of this cloud, in place of what is shipped.
const CLOUD: [(&str, &str); 3] = [
    // Its devices are known by the name of their file.
    (
        "devices = [\"virtio-*\", ",
        "devices = [\"loop-*\", \"virtio-*\", ",
    ),
    (
        "origin = \"https://ecs.{region}.aliyuncs.com\"\n",
        "origin = \"https://ecs.{region}.aliyuncs.com\"\nca = \"/etc/drivebay/ca/ca.pem\"\n",
    ),
    ("    # \"100.100.0.0/16\",\n", "    \"CLOUD_ADDRESS\",\n"),
];

/// Files of alicloud-disk's as they are shipped, and the overlays that bring them in.
const DRIVERS_FILES: [(&str, &str); 3] = [
    ("deploy/drivers.d/alicloud-disk.toml", "cloud"),
    ("deploy/drivers.d/alicloud-disk.toml", "cloud-provisioner"),
    (
        "deploy/overlays/flexvolume/alicloud-disk.toml",
        "cloud-flexvolume",
    ),
];

/// Files that the cloud has made, and the overlays that bring them in.
const CLOUDS_FILES: [(&str, &str); 5] = [
    ("ca.pem", "cloud"),
    ("ca.pem", "cloud-flexvolume"),
    ("ca.pem", "cloud-provisioner"),
    ("secret", "cloud"),
    ("secret", "cloud-provisioner"),
];

/// The overlay that is installed: both drivers.
const INSTALLED: &str = "both";

/// The name of the shipped image as kubelet spells it out.
const IMAGE: &str = "docker.io/library/drivebay:0.1.0";

/// Whole rollouts, in which components are compiled.
const PATIENCE: &str = "--timeout=300s";

/// Installs Drivebay as an operator does, and waits until it is ready.
pub(super) fn install(
    workspace: &Workspace,
    places: &Places,
    namespaces: &Namespaces,
) -> Result<()> {
    complete(workspace, places)?;
    images::load_as(
        namespaces,
        &workspace.target().join("image/drivebay.tar"),
        IMAGE,
    )?;
    let overlay = places.top().join("overlays").join(INSTALLED);
    let wanted = images_of(namespaces, &overlay)?;
    images::name_sidecars(namespaces, &wanted)?;
    let mut apply = namespaces.command("kubectl");
    apply.args(["apply", "-k"]).arg(overlay);
    process::run(&mut apply, Echo::Silent)?;
    for (namespace, what) in [
        ("drivebay", "daemonset/drivebay-node"),
        ("drivebay", "deployment/drivebay-nfs-controller"),
        (
            "drivebay-controller",
            "deployment/drivebay-alicloud-disk-controller",
        ),
    ] {
        let mut wait = namespaces.command("kubectl");
        wait.args([
            "rollout",
            "status",
            PATIENCE,
            "--namespace",
            namespace,
            what,
        ]);
        process::run(&mut wait, Echo::Silent)?;
    }
    Ok(())
}

/// Copies the overlays and completes them; the cloud has to run.
fn complete(workspace: &Workspace, places: &Places) -> Result<()> {
    let copies = places.top().join("overlays");
    let _ = fs::remove_dir_all(&copies);
    for entry in fs::read_dir(workspace.root().join("tests/cluster/overlays"))? {
        let entry = entry?;
        let copy = copies.join(entry.file_name());
        fs::create_dir_all(&copy)?;
        for file in fs::read_dir(entry.path())? {
            let file = file?;
            fs::copy(file.path(), copy.join(file.file_name()))?;
        }
    }
    for (shipped, overlay) in DRIVERS_FILES {
        let shipped = workspace.root().join(shipped);
        let text = fs::read_to_string(&shipped)
            .with_context(|| format!("cannot read {}", shipped.display()))?;
        let text =
            for_this_cloud(&text).with_context(|| format!("cannot use {}", shipped.display()))?;
        fs::write(copies.join(overlay).join("alicloud-disk.toml"), text)?;
    }
    for (name, overlay) in CLOUDS_FILES {
        let file = places.running("cloud").join(name);
        fs::copy(&file, copies.join(overlay).join(name))
            .with_context(|| format!("cannot copy {}", file.display()))?;
    }
    Ok(())
}

/// Every image that an overlay asks for.
fn images_of(namespaces: &Namespaces, overlay: &Path) -> Result<Vec<String>> {
    let mut kubectl = namespaces.command("kubectl");
    let rendered = answer(kubectl.arg("kustomize").arg(overlay))?;
    Ok(images_in(&rendered))
}

fn images_in(rendered: &str) -> Vec<String> {
    let images = rendered.lines().filter_map(|line| {
        let line = line.trim().trim_start_matches("- ");
        line.strip_prefix("image: ")
    });
    let mut images: Vec<String> = images.map(str::to_owned).collect();
    images.sort();
    images.dedup();
    images
}

fn for_this_cloud(shipped: &str) -> Result<String> {
    let mut text = shipped.to_owned();
    for (before, after) in CLOUD {
        ensure!(
            text.contains(before),
            "it has no {before:?}, where the emulated cloud differs"
        );
        text = text.replacen(before, &after.replace("CLOUD_ADDRESS", CLOUD_ADDRESS), 1);
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shipped_file_can_be_made_one_for_the_emulated_cloud() {
        let workspace = Workspace::find().unwrap();
        let shipped = workspace.root().join("deploy/drivers.d/alicloud-disk.toml");
        let text = for_this_cloud(&fs::read_to_string(shipped).unwrap()).unwrap();
        assert!(text.contains("\n    \"10.99.0.2\",\n"), "{text}");
        assert!(for_this_cloud("component = \"other\"\n").is_err());
    }

    #[test]
    fn each_image_is_named_once() {
        let rendered =
            "      - image: a:1\n        name: x\n        image: b/c:2\n      - image: a:1\n";
        assert_eq!(images_in(rendered), ["a:1", "b/c:2"]);
    }
}
