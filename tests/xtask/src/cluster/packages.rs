//! Debian's part of the cluster: etcd, containerd, runc, CNI's plugins and BusyBox, unpacked and never installed.
//!
//! Installed, etcd and containerd would start on the machine itself, and another containerd may run there already.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::places::Places;
use crate::packages;
use crate::process::{self, Echo, command};

const PACKAGES: [&str; 5] = [
    "busybox-static",
    "containerd",
    "containernetworking-plugins",
    "etcd-server",
    "runc",
];

/// Whether they are unpacked.
pub(super) fn are_there(places: &Places) -> bool {
    places.packages().exists()
}

/// Fetches and unpacks them; nobody sees a half of them.
pub(super) fn unpack(places: &Places) -> Result<()> {
    let (archives, partial) = (
        places.top().join("archives"),
        places.top().join("root.partial"),
    );
    for directory in [&archives, &partial] {
        let _ = fs::remove_dir_all(directory);
        fs::create_dir_all(directory)
            .with_context(|| format!("cannot make {}", directory.display()))?;
    }
    for name in PACKAGES {
        packages::download_alone(name, &archives)?;
    }
    for archive in fs::read_dir(&archives)? {
        let mut dpkg = command("dpkg");
        dpkg.arg("-x").arg(archive?.path()).arg(&partial);
        process::run(&mut dpkg, Echo::Silent)?;
    }
    fs::remove_dir_all(&archives)?;
    fs::rename(&partial, places.packages()).context("cannot put the cluster's packages in place")
}

/// CNI's plugins.
pub(super) fn network_plugins(places: &Places) -> PathBuf {
    places.packages().join("usr/lib/cni")
}

/// The static BusyBox, of which images are made.
pub(super) fn busybox(places: &Places) -> PathBuf {
    existing(&places.packages(), &["bin/busybox", "usr/bin/busybox"])
}

/// runc, which Debian keeps among administrators' programs.
pub(super) fn runc(places: &Places) -> PathBuf {
    existing(&places.packages(), &["usr/sbin/runc", "usr/bin/runc"])
}

/// The first of them that is there, or the first, whose absence its user will report.
fn existing(root: &Path, names: &[&str]) -> PathBuf {
    let mut paths = names.iter().map(|name| root.join(name));
    let found = paths.clone().find(|path| path.exists());
    found.or_else(|| paths.next()).unwrap_or_default()
}
