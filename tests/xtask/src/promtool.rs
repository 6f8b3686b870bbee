//! Prometheus' promtool, which only the tests need: it checks alert rules and tries them on made-up figures.
//!
//! Unpacked, never installed: Debian's package would start a server.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result};

use crate::packages;
use crate::process::{self, Echo, command};
use crate::workspace::Workspace;

const PACKAGE: &str = "prometheus";

pub(crate) fn is_there(workspace: &Workspace) -> bool {
    directory(workspace).join("usr/bin/promtool").exists()
}

/// Nobody sees a half of it.
pub(crate) fn unpack(workspace: &Workspace) -> Result<()> {
    let (archives, partial) = (
        workspace.target().join("promtool.debs"),
        workspace.target().join("promtool.partial"),
    );
    for stale in [&archives, &partial] {
        let _ = fs::remove_dir_all(stale);
    }
    fs::create_dir_all(&archives)?;
    packages::download_alone(PACKAGE, &archives)?;
    let archive = fs::read_dir(&archives)?.next();
    let archive = archive.context("apt fetched nothing")??.path();
    let mut dpkg = command("dpkg-deb");
    dpkg.arg("--extract").arg(archive).arg(&partial);
    process::run(&mut dpkg, Echo::Silent)?;
    fs::remove_dir_all(&archives)?;
    fs::rename(&partial, directory(workspace)).context("cannot put promtool in place")
}

fn directory(workspace: &Workspace) -> PathBuf {
    workspace.target().join("promtool")
}
