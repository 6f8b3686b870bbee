//! `cargo xtask build`: what is shipped, into target/dist: two static binaries and the components.

use std::fs;
use std::path::{Path, PathBuf};
use std::thread;

use anyhow::{Context, Result, anyhow, ensure};

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
    let begun = steps.begin("build drivebay");
    thread::scope(|scope| {
        let drivebay = scope.spawn(|| {
            speak_for(Some(DRIVEBAY.name));
            let result = DRIVEBAY.build(workspace);
            begun.end(if result.is_ok() { "done" } else { "failed" });
            result
        });
        let guests = steps.run("build the guests", || guests::build(workspace));
        let shim = steps.run("build drivebay-shim", || SHIM.build(workspace));
        let drivebay = drivebay.join();
        let drivebay = drivebay.unwrap_or_else(|_| Err(anyhow!("building it panicked")));
        drivebay
            .context("cannot build drivebay")
            .and(guests)
            .and(shim)
    })
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

const WARM_CALL: Binary = Binary {
    kind: "--example",
    name: "warm_call",
    ..DRIVEBAY
};

/// Builds what measures a guest's call, as `drivebay` is built, and tells where it is.
pub(crate) fn warm_call(workspace: &Workspace) -> Result<PathBuf> {
    WARM_CALL.compile(workspace)
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
    EMULATOR.compile(workspace)
}

impl Binary {
    fn build(&self, workspace: &Workspace) -> Result<()> {
        let built = self.compile(workspace)?;
        ensure_static(&built)?;
        let shipped = workspace.binaries().join(self.name);
        put(&built, &shipped)?;
        say_size(&shipped)
    }

    fn compile(&self, workspace: &Workspace) -> Result<PathBuf> {
        let target = format!("{}-unknown-linux-gnu", std::env::consts::ARCH);
        let mut cargo = command("cargo");
        cargo.current_dir(workspace.root()).args([
            "build",
            "--package",
            self.package,
            self.kind,
            self.name,
        ]);
        cargo.args(["--profile", self.profile]).args(self.features);
        // Named, although it is this machine's own: only so do build scripts stay dynamic.
        cargo.args(["--target", &target]);
        let variable = format!(
            "CARGO_TARGET_{}_RUSTFLAGS",
            target.to_uppercase().replace('-', "_")
        );
        cargo.env(variable, "-C target-feature=+crt-static");
        // They would take the place of the variable above.
        cargo
            .env_remove("RUSTFLAGS")
            .env_remove("CARGO_ENCODED_RUSTFLAGS");
        process::run(&mut cargo, Echo::Live)?;
        let directory = workspace.cargo_target()?.join(target).join(self.profile);
        Ok(match self.kind {
            "--example" => directory.join("examples").join(self.name),
            _ => directory.join(self.name),
        })
    }
}

/// A dynamic binary would not start in the image, which holds nothing else.
fn ensure_static(binary: &Path) -> Result<()> {
    let (_, answer) = process::finish(command("ldd").arg(binary), Echo::Silent)?;
    let is_static =
        answer.contains("statically linked") || answer.contains("not a dynamic executable");
    ensure!(
        is_static,
        "{} is not static; it needs\n{answer}",
        binary.display()
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
