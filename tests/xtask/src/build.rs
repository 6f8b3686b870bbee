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
            speak_for(Some("drivebay"));
            let result = HOST.ship(workspace, &Platform::here());
            begun.end(if result.is_ok() { "done" } else { "failed" });
            result
        });
        let guests = steps.run("build the guests", || guests::build(workspace));
        let shim = steps.run("build drivebay-shim", || {
            SHIM.ship(workspace, &Platform::here())
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
    for binaries in [HOST, SHIM] {
        let names = binaries.names.join(" and ");
        let about = format!("build {names} for {}", architecture.name());
        steps.run(about, || binaries.ship(workspace, &platform))?;
    }
    Ok(())
}

/// A shipped binary, and the words by which cargo chooses what is linked into it.
pub(crate) struct Shipped {
    /// Its package has the same name, but for the shim's.
    pub(crate) name: &'static str,
    pub(crate) package: &'static str,
    pub(crate) chosen: Vec<&'static str>,
}

pub(crate) fn shipped() -> Vec<Shipped> {
    let all = [HOST, SHIM].map(|binaries| {
        let each = binaries.names.iter().zip(binaries.packages);
        let each = each.map(move |(name, package)| Shipped {
            name,
            package,
            chosen: binaries.chosen(),
        });
        each.collect::<Vec<_>>()
    });
    all.into_iter().flatten().collect()
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

/// What cargo builds at once, as it is shipped. Packages that are chosen together have the same features of all that they
/// share; each by itself, they would have an engine of their own compiled for a feature of libc's.
struct Binaries {
    packages: &'static [&'static str],
    /// `--bin` or `--example`.
    kind: &'static str,
    names: &'static [&'static str],
    profile: &'static str,
    features: &'static [&'static str],
}

const HOST: Binaries = Binaries {
    packages: &["drivebay", "drivebay-provision"],
    kind: "--bin",
    names: &["drivebay", "drivebay-provision"],
    profile: "dist",
    features: &[],
};

const SHIM: Binaries = Binaries {
    packages: &["drivebay"],
    kind: "--bin",
    names: &["drivebay-shim"],
    profile: "dist-shim",
    features: &["--no-default-features"],
};

const WARM_CALL: Binaries = Binaries {
    kind: "--example",
    names: &["warm_call"],
    ..HOST
};

/// Builds what measures a guest's call, as `drivebay` is built, and tells where it is.
pub(crate) fn warm_call(workspace: &Workspace) -> Result<PathBuf> {
    only(WARM_CALL.compile(workspace, &Platform::here())?)
}

const EMULATOR: Binaries = Binaries {
    packages: &["drivebay-ecs-emulator"],
    kind: "--bin",
    names: &["ecs-emulator"],
    profile: "dist",
    features: &[],
};

/// Builds the cloud's emulator with what `drivebay` has built already, and tells where it is.
pub(crate) fn emulator(workspace: &Workspace) -> Result<PathBuf> {
    only(EMULATOR.compile(workspace, &Platform::here())?)
}

fn only(built: Vec<PathBuf>) -> Result<PathBuf> {
    built.into_iter().next().context("nothing was built")
}

impl Binaries {
    fn ship(&self, workspace: &Workspace, platform: &Platform) -> Result<()> {
        for built in self.compile(workspace, platform)? {
            ensure_static(&built)?;
            let name = built.file_name().context("a program has a name")?;
            let shipped = platform.binaries(workspace).join(name);
            put(&built, &shipped)?;
            say_size(&shipped)?;
        }
        Ok(())
    }

    /// The words by which cargo chooses packages and features.
    fn chosen(&self) -> Vec<&'static str> {
        let packages = self.packages.iter();
        let packages = packages.flat_map(|package| ["--package", package]);
        packages.chain(self.features.iter().copied()).collect()
    }

    fn compile(&self, workspace: &Workspace, platform: &Platform) -> Result<Vec<PathBuf>> {
        let mut cargo = command("cargo");
        cargo.current_dir(workspace.root()).arg("build");
        cargo.args(self.chosen()).args(["--profile", self.profile]);
        cargo.args(self.names.iter().flat_map(|name| [self.kind, name]));
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
        let directory = match self.kind {
            "--example" => directory.join(self.profile).join("examples"),
            _ => directory.join(self.profile),
        };
        let names = self.names.iter();
        Ok(names.map(|name| directory.join(name)).collect())
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
