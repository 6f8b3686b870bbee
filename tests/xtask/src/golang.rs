//! Go, which only the tests need: the programs in tests/kubelet, tests/csi, tests/cluster and tests/sdk/go link
//! Kubernetes' own code, that of the CSI project, and Alibaba Cloud's SDKs.
//!
//! Any Go since 1.21 fetches the version that a go.mod asks for by itself. Debian 12's is older, but good
//! enough to fetch that same module, checked against Go's checksum database.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::packages;
use crate::process::{self, Echo, answer, command};
use crate::workspace::Workspace;

/// As tests/kubelet/go.mod asks for, or newer.
const TOOLCHAIN: &str = "v0.0.1-go1.26.8";

/// Whether there is a Go that can build the program.
pub(crate) fn is_there(workspace: &Workspace) -> bool {
    fetches_others() || fetched(workspace).is_ok_and(|toolchain| toolchain.join("bin/go").exists())
}

/// Debian's Go, and by its hand a newer one into target/.
pub(crate) fn install(workspace: &Workspace) -> Result<()> {
    packages::install(&["golang-go"])?;
    let toolchain = fetched(workspace)?;
    let module = format!("golang.org/toolchain@{}", version()?);
    let mut go = command("go");
    go.current_dir(workspace.target())
        .env("GOMODCACHE", modules(workspace))
        .args(["mod", "download", &module]);
    process::run(&mut go, Echo::Silent).context(
        "cannot fetch Go by Go's module proxy; put Go 1.26 on PATH, from https://go.dev/dl",
    )?;
    // A module's files are not executable; newer Go does the same for its own toolchains.
    let mut chmod = command("chmod");
    chmod.args(["-R", "u+wx"]);
    chmod.args([toolchain.join("bin"), toolchain.join("pkg/tool")]);
    process::run(&mut chmod, Echo::Silent).map(drop)
}

/// Builds the programs of kubelet's own code: what drives a FlexVolume driver, what writes a mounted ConfigMap, and what
/// finds CSI drivers.
pub(crate) fn build_kubelet(workspace: &Workspace) -> Result<()> {
    for (program, how, package) in [
        ("kubelet-flexvolume", &["test", "-c"][..], "."),
        ("atomic-writer", &["build"], "./atomic-writer"),
        ("plugin-manager", &["build"], "./plugin-manager"),
    ] {
        build(workspace, program, "tests/kubelet", how, package)?;
    }
    Ok(())
}

/// Builds csi-sanity and the caller that plays the CSI sidecars, both from the module in tests/csi.
pub(crate) fn build_csi(workspace: &Workspace) -> Result<()> {
    for (program, package) in [
        ("csi-callers", "."),
        (
            "csi-sanity",
            "github.com/kubernetes-csi/csi-test/v5/cmd/csi-sanity",
        ),
    ] {
        build(workspace, program, "tests/csi", &["build"], package)?;
    }
    Ok(())
}

/// Builds the clients of Alibaba Cloud's SDKs for Go, one program, and says where it is.
pub(crate) fn build_sdks(workspace: &Workspace) -> Result<PathBuf> {
    build(workspace, "go-sdks", "tests/sdk/go", &["build"], ".")
}

/// Releases of gRPC that kubelet was built with: up to Kubernetes 1.22, and up to 1.25.
const OLD_GRPC: [&str; 2] = ["1.38", "1.47"];

/// Builds one caller with each of them; each has a module file of its own.
pub(crate) fn build_old_callers(workspace: &Workspace) -> Result<()> {
    for version in OLD_GRPC {
        let (program, modules) = (
            format!("grpc-{version}"),
            format!("-modfile=grpc-{version}.mod"),
        );
        build(
            workspace,
            &program,
            "tests/csi/old",
            &["build", &modules],
            ".",
        )?;
    }
    Ok(())
}

/// Builds one program of a module, static, as the VM and a bare host run it, and says where it is. `how` is go's
/// command and what it needs besides.
fn build(
    workspace: &Workspace,
    program: &str,
    module: &str,
    how: &[&str],
    package: &str,
) -> Result<PathBuf> {
    let program = workspace.target().join("dist/tests").join(program);
    let mut go = within(workspace, module)?;
    go.args(how)
        .args(["-trimpath", "-ldflags=-s -w", "-o"])
        .arg(&program)
        .arg(package);
    process::run(&mut go, Echo::Live)?;
    Ok(program)
}

/// `go` in a module of the repository's; what it builds is static.
pub(crate) fn within(workspace: &Workspace, module: &str) -> Result<Command> {
    let mut go = go(workspace)?;
    go.current_dir(workspace.root().join(module))
        .env("CGO_ENABLED", "0");
    Ok(go)
}

fn go(workspace: &Workspace) -> Result<Command> {
    if fetches_others() {
        return Ok(command("go"));
    }
    let mut go = command(fetched(workspace)?.join("bin/go"));
    go.env("GOTOOLCHAIN", "local");
    Ok(go)
}

/// PATH for whoever looks for `go` there, with the one that is good enough in front.
pub(crate) fn search_path(workspace: &Workspace) -> Result<OsString> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    if fetches_others() {
        return Ok(path);
    }
    let first = fetched(workspace)?.join("bin");
    let rest = std::env::split_paths(&path);
    std::env::join_paths([first].into_iter().chain(rest)).context("cannot put Go on PATH")
}

fn fetches_others() -> bool {
    answer(command("go").arg("version")).is_ok_and(|answer| minor(&answer) >= Some(21))
}

/// The second number in `go version go1.26.8 linux/amd64`.
fn minor(answer: &str) -> Option<u32> {
    let (_, rest) = answer.split_once(" go1.")?;
    rest.split(['.', ' ', 'r']).next()?.parse().ok()
}

fn modules(workspace: &Workspace) -> PathBuf {
    workspace.target().join("go")
}

fn fetched(workspace: &Workspace) -> Result<PathBuf> {
    let directory = format!("golang.org/toolchain@{}", version()?);
    Ok(modules(workspace).join(directory))
}

fn version() -> Result<String> {
    ensure!(
        cfg!(target_arch = "x86_64"),
        "put Go 1.26 on PATH, from https://go.dev/dl"
    );
    Ok(format!("{TOOLCHAIN}.linux-amd64"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_of_go_are_told_apart() {
        assert_eq!(minor("go version go1.19.8 linux/amd64"), Some(19));
        assert_eq!(minor("go version go1.26 linux/amd64\n"), Some(26));
        assert_eq!(minor("go version go1.27rc1 linux/amd64"), Some(27));
        assert_eq!(minor("gccgo"), None);
    }
}
