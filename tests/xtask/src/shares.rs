//! The example `shares`, built by the commands of its README, for tests on a kernel that mounts NFS.

use std::fs;
use std::path::PathBuf;

use anyhow::Result;

use crate::build;
use crate::process::{self, Echo, command};
use crate::workspace::Workspace;

const NAME: &str = "shares";

/// Makes the skeleton in C, lays the example over it and builds it, into target/dist/tests. Needs what is shipped, and the
/// toolchain of C.
pub(crate) fn build(workspace: &Workspace) -> Result<()> {
    let work = workspace.target().join("examples");
    let folder = work.join(NAME);
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&work)?;
    let mut new = command(workspace.binaries().join("drivebay"));
    new.args(["new", NAME, "--language", "c"]);
    process::run(new.current_dir(&work), Echo::Silent)?;
    let mut lay = command("cp");
    lay.arg("-r");
    lay.arg(workspace.guests().join("examples").join(NAME).join("."));
    process::run(lay.arg(&folder), Echo::Silent)?;
    let mut bindings = command(workspace.binaries().join("drivebay"));
    bindings.args(["bindings", "--language", "c"]);
    process::run(bindings.current_dir(&folder), Echo::Silent)?;
    process::run(
        command("sh").arg("./build.sh").current_dir(&folder),
        Echo::Silent,
    )?;
    build::put(&folder.join("shares.wasm"), &component(workspace))
}

/// Where it is.
fn component(workspace: &Workspace) -> PathBuf {
    workspace.target().join("dist/tests/shares.wasm")
}
