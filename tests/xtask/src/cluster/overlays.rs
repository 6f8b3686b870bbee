//! Drivebay in the cluster: the shipped overlays, through those of tests/cluster/overlays, which add what a cluster with
//! an emulated cloud needs.
//!
//! What they add cannot all be kept in the repository: the cloud's certificate and key are made when it starts. So they are
//! copied to target/cluster/overlays, which is as deep in the checkout, and completed there.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};

use super::namespaces::Namespaces;
use super::places::{CLOUD_ADDRESS, Places};
use crate::process::{self, Echo, answer};
use crate::workspace::Workspace;

/// What alicloud-disk's file has to say of this cloud, in place of what is shipped.
const CLOUD: [(&str, &str); 3] = [
    // Its devices are known by the name of their file.
    ("devices = [\"virtio-*\", ", "devices = [\"loop-*\", \"virtio-*\", "),
    (
        "origin = \"https://ecs.{region}.aliyuncs.com\"\n",
        "origin = \"https://ecs.{region}.aliyuncs.com\"\nca = \"/etc/drivebay/ca/ca.pem\"\n",
    ),
    ("    # \"100.100.0.0/16\",\n", "    \"CLOUD_ADDRESS\",\n"),
];

/// Files of alicloud-disk's as they are shipped, and the overlays that bring them in.
const DRIVERS_FILES: [(&str, &str); 2] = [
    ("deploy/drivers.d/alicloud-disk.toml", "cloud"),
    ("deploy/overlays/flexvolume/alicloud-disk.toml", "flexvolume"),
];

/// Copies the overlays and completes them; the cloud has to run.
pub(super) fn complete(workspace: &Workspace, places: &Places) -> Result<()> {
    let copies = directory(places);
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
        let text = for_this_cloud(&text)
            .with_context(|| format!("cannot use {}", shipped.display()))?;
        fs::write(copies.join(overlay).join("alicloud-disk.toml"), text)?;
    }
    for name in ["ca.pem", "secret"] {
        let file = places.running("cloud").join(name);
        fs::copy(&file, copies.join("cloud").join(name))
            .with_context(|| format!("cannot copy {}", file.display()))?;
    }
    Ok(())
}

/// Where one of them is.
pub(super) fn overlay(places: &Places, name: &str) -> PathBuf {
    directory(places).join(name)
}

fn directory(places: &Places) -> PathBuf {
    places.top().join("overlays")
}

/// `kubectl apply -k`.
pub(super) fn apply(namespaces: &Namespaces, overlay: &Path) -> Result<()> {
    let mut kubectl = namespaces.command("kubectl");
    kubectl.args(["apply", "-k"]).arg(overlay);
    process::run(&mut kubectl, Echo::Silent).map(drop)
}

/// Every image that an overlay asks for.
pub(super) fn images(namespaces: &Namespaces, overlay: &Path) -> Result<Vec<String>> {
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
        let rendered = "      - image: a:1\n        name: x\n        image: b/c:2\n      - image: a:1\n";
        assert_eq!(images_in(rendered), ["a:1", "b/c:2"]);
    }
}
