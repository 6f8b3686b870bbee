//! `cargo xtask setup`: what each task needs from the machine, installed where it is missing.
//!
//! Tasks call [`ensure`] for their own part, so that building needs no VM and nobody has to set up first.
//! When nothing is missing it costs one question to dpkg.

use std::sync::{Mutex, PoisonError};

use anyhow::Result;
use clap::{Args, ValueEnum};

use crate::cluster;
use crate::golang;
use crate::guests::Compiler;
use crate::packages;
use crate::process::{self, Echo, command};
use crate::promtool;
use crate::python;
use crate::sdks;
use crate::steps::Steps;
use crate::vm::Image;
use crate::workspace::Workspace;

/// What a part is for, and so who needs it.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Part {
    /// A compiler for the guests
    Build,
    /// QEMU, and the VM's kernel and packages
    Vm,
    /// Filesystem tools, a tracer, and what signs and compresses, for tests on this kernel
    Test,
    /// What other drivers' scripts use
    Bench,
    /// What the demonstration shows with
    Demo,
    /// Go, for the programs that link other projects' code
    Go,
    /// Alibaba Cloud's SDKs for Python, Node and Go
    Sdks,
    /// What backends in other languages are built with
    Authors,
    /// What backends in C are built with
    C,
    /// gRPC for Python, a caller of the CSI socket
    Grpc,
    /// The checker of dependencies
    Deny,
    /// What compresses components for an image and for ConfigMaps
    Image,
    /// What a cluster is laid out with, and Debian's part of what runs in it
    Cluster,
    /// Prometheus' checker of alert rules
    Promtool,
}

#[derive(Args)]
pub(crate) struct Arguments {
    /// Only these parts; all of them by default
    parts: Vec<Part>,
}

pub(crate) fn run(workspace: &Workspace, arguments: &Arguments) -> Result<()> {
    let parts = if arguments.parts.is_empty() {
        Part::value_variants()
    } else {
        &arguments.parts
    };
    let mut steps = Steps::new("cargo xtask setup", 0);
    ensure(workspace, parts, &mut steps)?;
    steps.verdict("everything is there");
    Ok(())
}

/// Two at once would lock each other out of apt, or unpack the same thing twice.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

/// Installs what is missing of some parts; steps are taken only for what is.
pub(crate) fn ensure(workspace: &Workspace, parts: &[Part], steps: &mut Steps) -> Result<()> {
    // Nothing is guarded but the order, so that one that panicked leaves nothing to mistrust.
    let _alone = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let wanted: Vec<&str> = parts
        .iter()
        .flat_map(|part| part.packages())
        .copied()
        .collect();
    let mut missing = packages::missing(&wanted)?;
    let needs_node = parts.contains(&Part::Sdks) || parts.contains(&Part::Authors);
    if needs_node {
        missing.extend(sdks::missing_packages());
    }
    let needs_python = [Part::Grpc, Part::Authors, Part::C]
        .iter()
        .any(|part| parts.contains(part));
    if needs_python {
        missing.extend(python::missing_packages());
    }
    if !missing.is_empty() {
        let list = missing.join(" ");
        steps.another(format_args!("install {list}"), || {
            packages::install(&missing)
        })?;
    }
    if parts.contains(&Part::Build) && Compiler::find()?.is_none() {
        steps.another("install a compiler for the guests", Compiler::install)?;
    }
    if parts.contains(&Part::Vm) && Image::find(workspace).is_none() {
        steps.another("unpack the VM's kernel and packages", || {
            Image::unpack(workspace)
        })?;
    }
    let with_go = [Part::Go, Part::Sdks, Part::Authors];
    let needs_go = with_go.iter().any(|part| parts.contains(part));
    if needs_go && !golang::is_there(workspace) {
        steps.another("install Go", || golang::install(workspace))?;
    }
    if parts.contains(&Part::Sdks) && !sdks::is_there(workspace) {
        steps.another("install Alibaba Cloud's SDKs", || sdks::install(workspace))?;
    }
    let grpc = python::grpc(workspace);
    if parts.contains(&Part::Grpc) && !grpc.is_there() {
        steps.another("install gRPC for Python", || grpc.install())?;
    }
    if parts.contains(&Part::Cluster) && !cluster::packages_are_there(workspace) {
        steps.another("unpack etcd, containerd and what they need", || {
            cluster::unpack_packages(workspace)
        })?;
    }
    if parts.contains(&Part::Promtool) && !promtool::is_there(workspace) {
        steps.another("unpack promtool", || promtool::unpack(workspace))?;
    }
    if parts.contains(&Part::Deny) && !has_cargo_deny() {
        steps.another("build cargo-deny, which takes minutes", install_cargo_deny)?;
    }
    Ok(())
}

impl Part {
    /// Packages to install; none of them starts anything.
    fn packages(self) -> &'static [&'static str] {
        match self {
            Self::Authors | Self::Build | Self::Go | Self::Grpc | Self::Deny | Self::Promtool => {
                &[]
            }
            Self::C => &[
                "clang-19",
                "libclang-rt-19-dev-wasm32",
                "lld-19",
                "wasi-libc",
            ],
            Self::Image => &["zstd"],
            // setpriv, which sees to it that no QEMU is left behind, is util-linux's.
            Self::Vm => &["qemu-system-x86", "util-linux"],
            // openssl and zstd make what a component's source holds.
            Self::Test => &[
                "e2fsprogs",
                "fdisk",
                "openssl",
                "strace",
                "util-linux",
                "xfsprogs",
                "zstd",
            ],
            Self::Bench => &["jq", "time", "util-linux"],
            // Python and Node may be there in other ways than by a package; sdks looks for them itself.
            Self::Sdks => &["iproute2", "util-linux"],
            Self::Demo => &["util-linux", "xfsprogs"],
            Self::Cluster => &["iproute2", "openssl", "util-linux"],
        }
    }
}

fn has_cargo_deny() -> bool {
    process::run(command("cargo").args(["deny", "--version"]), Echo::Silent).is_ok()
}

/// Hardly optimised: what that saves at each check, seconds, is a tenth of what it takes to build.
fn install_cargo_deny() -> Result<()> {
    let mut install = command("cargo");
    install.args(["install", "cargo-deny", "--locked"]);
    for (setting, value) in [
        ("CODEGEN_UNITS", "16"),
        ("DEBUG", "false"),
        ("LTO", "off"),
        ("OPT_LEVEL", "1"),
    ] {
        install.env(format!("CARGO_PROFILE_RELEASE_{setting}"), value);
    }
    process::run(&mut install, Echo::Live).map(drop)
}
