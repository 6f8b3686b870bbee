//! `cargo xtask build`: what is shipped, into target/dist: three static binaries and the components.

use std::fs;
use std::path::{Path, PathBuf};
use std::thread;

use anyhow::{Context, Result, anyhow, ensure};

use crate::architecture::Architecture;
use crate::cross;
use crate::elf::Elf;
use crate::guests;
use crate::process::{self, Echo, command};
use crate::setup::{self, Part};
use crate::steps::{Steps, speak_for};
use crate::workspace::Workspace;

pub(crate) fn run(workspace: &Workspace) -> Result<()> {
    let mut steps = Steps::new("cargo xtask build", STEPS);
    everything(workspace, &mut steps)?;
    steps.verdict("target/dist is complete");
    Ok(())
}

/// Steps of a build on a machine that lacks nothing.
pub(crate) const STEPS: usize = 3;

/// Builds all that is shipped: `drivebay`, which takes longest, beside the others. They share nothing of cargo's, and
/// each has long stretches in which it keeps no more than one processor busy.
pub(crate) fn everything(workspace: &Workspace, steps: &mut Steps) -> Result<()> {
    setup::ensure(workspace, &[Part::Build], steps)?;
    let begun = steps.begin("build drivebay and drivebay-provision");
    thread::scope(|scope| {
        let drivebay = scope.spawn(|| {
            speak_for(Some(DRIVEBAY.name));
            // One after the other: cargo lets one build at a time into the directory that they have in common.
            let mut binaries = [DRIVEBAY, PROVISION].into_iter();
            let result = binaries.try_for_each(|it| it.build(workspace, &Platform::here()));
            begun.end(if result.is_ok() { "done" } else { "failed" });
            result
        });
        let guests = steps.run("build the guests", || guests::build(workspace));
        let shim = steps.run("build drivebay-shim", || {
            SHIM.build(workspace, &Platform::here())
        });
        let drivebay = drivebay.join();
        let drivebay = drivebay.unwrap_or_else(|_| Err(anyhow!("building it panicked")));
        drivebay
            .context("cannot build drivebay")
            .and(guests)
            .and(shim)
    })
}

/// The same with the binaries of another architecture; components are for all of them. One after the other, as nobody
/// waits for it.
pub(crate) fn for_another(
    workspace: &Workspace,
    architecture: Architecture,
    steps: &mut Steps,
) -> Result<()> {
    setup::ensure(workspace, &[Part::Build], steps)?;
    cross::ensure(architecture, steps)?;
    steps.run("build the guests", || guests::build(workspace))?;
    let platform = Platform::of(architecture);
    for binaries in [&[DRIVEBAY, PROVISION][..], &[SHIM]] {
        let names: Vec<&str> = binaries.iter().map(|binary| binary.name).collect();
        let about = format!("build {} for {}", names.join(" and "), architecture.name());
        steps.run(about, || {
            let mut binaries = binaries.iter();
            binaries.try_for_each(|binary| binary.build(workspace, &platform))
        })?;
    }
    Ok(())
}

/// The shipped binaries, each with the words by which cargo chooses what is linked into it.
pub(crate) fn linked_with() -> [(&'static str, Vec<&'static str>); 3] {
    [DRIVEBAY, SHIM, PROVISION].map(|binary| {
        let package = ["--package", binary.package];
        (binary.name, [&package, binary.features].concat())
    })
}

/// For what is built.
struct Platform {
    /// rustc's name.
    target: String,
    /// Of another architecture; this machine's own is rustc's choice.
    another: Option<Architecture>,
}

impl Platform {
    /// This machine's own. It is named, although it would be chosen anyway: only so do build scripts stay dynamic.
    fn here() -> Self {
        Self {
            target: format!("{}-unknown-linux-gnu", std::env::consts::ARCH),
            another: None,
        }
    }

    fn of(architecture: Architecture) -> Self {
        Self {
            target: architecture.target().to_owned(),
            another: (!architecture.is_here()).then_some(architecture),
        }
    }

    fn binaries(&self, workspace: &Workspace) -> PathBuf {
        self.another.map_or_else(
            || workspace.binaries(),
            |architecture| workspace.binaries_for(architecture),
        )
    }

    /// A setting of cargo's for it.
    fn variable(&self, setting: &str) -> String {
        let target = self.target.to_uppercase().replace('-', "_");
        format!("CARGO_TARGET_{target}_{setting}")
    }
}

/// What is built as it is shipped.
struct Binary {
    package: &'static str,
    /// `--bin` or `--example`.
    kind: &'static str,
    name: &'static str,
    profile: &'static str,
    features: &'static [&'static str],
}

const DRIVEBAY: Binary = Binary {
    package: "drivebay",
    kind: "--bin",
    name: "drivebay",
    profile: "dist",
    features: &["--features", "compiler"],
};
const SHIM: Binary = Binary {
    package: "drivebay",
    kind: "--bin",
    name: "drivebay-shim",
    profile: "dist-shim",
    features: &["--no-default-features"],
};

const PROVISION: Binary = Binary {
    package: "drivebay-provision",
    kind: "--bin",
    name: "drivebay-provision",
    profile: "dist",
    features: &[],
};

const WARM_CALL: Binary = Binary {
    kind: "--example",
    name: "warm_call",
    ..DRIVEBAY
};

/// Builds what measures a guest's call, as `drivebay` is built, and tells where it is.
pub(crate) fn warm_call(workspace: &Workspace) -> Result<PathBuf> {
    WARM_CALL.compile(workspace, &Platform::here())
}

const EMULATOR: Binary = Binary {
    package: "drivebay-ecs-emulator",
    kind: "--bin",
    name: "ecs-emulator",
    profile: "dist",
    features: &[],
};

/// Builds the cloud's emulator with what `drivebay` has built already, and tells where it is.
pub(crate) fn emulator(workspace: &Workspace) -> Result<PathBuf> {
    EMULATOR.compile(workspace, &Platform::here())
}

impl Binary {
    fn build(&self, workspace: &Workspace, platform: &Platform) -> Result<()> {
        let built = self.compile(workspace, platform)?;
        ensure_static(&built)?;
        let shipped = platform.binaries(workspace).join(self.name);
        put(&built, &shipped)?;
        say_size(&shipped)
    }

    fn compile(&self, workspace: &Workspace, platform: &Platform) -> Result<PathBuf> {
        let mut cargo = command("cargo");
        cargo.current_dir(workspace.root()).args([
            "build",
            "--package",
            self.package,
            self.kind,
            self.name,
        ]);
        cargo.args(["--profile", self.profile]).args(self.features);
        cargo.args(["--target", &platform.target]);
        cargo.env(
            platform.variable("RUSTFLAGS"),
            "-C target-feature=+crt-static",
        );
        if let Some(architecture) = platform.another {
            let linker = format!("{}-gcc", architecture.triplet());
            cargo.env(platform.variable("LINKER"), linker);
        }
        // They would take the place of the variable above.
        cargo
            .env_remove("RUSTFLAGS")
            .env_remove("CARGO_ENCODED_RUSTFLAGS");
        process::run(&mut cargo, Echo::Live)?;
        let directory = workspace.cargo_target()?.join(&platform.target);
        let directory = directory.join(self.profile);
        Ok(match self.kind {
            "--example" => directory.join("examples").join(self.name),
            _ => directory.join(self.name),
        })
    }
}

/// A dynamic binary would not start in the image, which holds nothing else.
fn ensure_static(binary: &Path) -> Result<()> {
    let content = fs::read(binary).with_context(|| format!("cannot read {}", binary.display()))?;
    let elf = Elf::read(&content)?.context("cargo built no program")?;
    ensure!(
        elf.is_static(),
        "{} is not static; it needs {}",
        binary.display(),
        elf.needed.join(", ")
    );
    Ok(())
}

/// Copies beside and renames: a program that is running cannot be written to.
pub(crate) fn put(built: &Path, program: &Path) -> Result<()> {
    let partial = program.with_extension("partial");
    fs::create_dir_all(program.parent().context("a program lies in a directory")?)?;
    fs::copy(built, &partial).with_context(|| format!("cannot copy {}", built.display()))?;
    fs::rename(&partial, program)
        .with_context(|| format!("cannot put {} in place", program.display()))
}

fn say_size(shipped: &Path) -> Result<()> {
    let megabytes = fs::metadata(shipped)?.len().div_ceil(100_000);
    crate::steps::say(format_args!(
        "      {} {}.{} MB",
        shipped.display(),
        megabytes / 10,
        megabytes % 10
    ));
    Ok(())
}
