//! What `cargo xtask test` runs, one function a step.

use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, ensure};

use super::built::Built;
use super::counts::Counts;
use super::programs::{self, Program};
use super::schedule::Claim;
use crate::architecture::Architecture;
use crate::build;
use crate::cluster;
use crate::emulator;
use crate::golang;
use crate::guests::Compiler;
use crate::image;
use crate::process::{self, Echo, command};
use crate::sdks::CLIENTS;
use crate::setup::{self, Part};
use crate::shares;
use crate::steps::{Steps, say, speak_for};
use crate::vm::{self, Labels};
use crate::workspace::Workspace;

/// Emulation is ten times slower than the machine, and the tier mounts, formats and waits, beside other steps.
const VM_TIMEOUT: Duration = Duration::from_secs(3600);

/// What its kernel says of a process that it ended, which itself says nothing any more.
const KILLED: &str = "Out of memory|segfault|general protection|traps:";

/// What makes target/dist. Tests that ran what an earlier build left there would tell of another tree.
const BUILD: &str = "build";

/// What makes the tests that run it. They run two at once, and find nothing left to build that would hold up the other.
const BUILD_TESTS: &str = "build-tests";

/// What takes longest to build, and is needed last.
const BUILD_CLUSTER: &str = "build-cluster";

/// Targets of tests/ with needs of their own; their tests are ignored where those are not met.
const ALONE: &str = "alone";
const AUTHORS: &str = "authors";
const CLUSTER: &str = "cluster";
const IMAGE: &str = "image";
const KUBELET: &str = "kubelet";
pub(super) const PROVISION: &str = "provision";
const SWAP: &str = "swap";
const VM: &str = "vm";

/// Those of [`CLUSTER`] that come after its others.
const LEFTOVERS: &str = "leftovers::";

/// What a cluster is started with, and its tests.
pub(super) const ON_A_CLUSTER: [&str; 3] = [BUILD, BUILD_CLUSTER, CLUSTER];

/// One thing that is checked.
pub(super) struct Step {
    pub(super) name: &'static str,
    pub(super) about: &'static str,
    /// Names of earlier steps without whose success this one would say nothing, or the wrong thing.
    pub(super) needs: &'static [&'static str],
    /// What it has for itself while it runs.
    pub(super) claims: &'static [Claim],
    pub(super) check: fn(&Workspace) -> Result<Counts>,
}

/// All steps, in the order in which they begin, as far as what they need and claim lets them. The VM is the longest
/// of those that need what is built, so it comes before those that run beside it.
pub(super) const STEPS: [Step; 21] = [
    Step {
        name: "format",
        about: "both workspaces are formatted",
        needs: &[],
        claims: &[],
        check: format,
    },
    Step {
        name: BUILD_CLUSTER,
        about: "Kubernetes and the CSI sidecars, from their modules",
        needs: &[],
        claims: &[],
        check: build_cluster,
    },
    Step {
        name: "lint",
        about: "clippy has no word against the host and its tests",
        needs: &[],
        claims: &[Claim::Workspace],
        check: lint,
    },
    Step {
        name: "lint-guests",
        about: "clippy has no word against the guests",
        needs: &[],
        claims: &[Claim::Guests],
        check: lint_guests,
    },
    Step {
        name: "unit",
        about: "the host's, the tasks' and the ECS emulator's own tests; each side of the line without the other",
        needs: &[],
        claims: &[Claim::Workspace, Claim::Kernel],
        check: unit,
    },
    Step {
        name: "guests",
        about: "the guests' unit tests, native",
        needs: &[],
        claims: &[Claim::Guests],
        check: guests,
    },
    Step {
        name: BUILD,
        about: "what is shipped",
        needs: &[],
        claims: &[Claim::Workspace, Claim::Guests, Claim::Shipped],
        check: build,
    },
    Step {
        name: BUILD_TESTS,
        about: "what runs beside it in tests: their programs, the emulator, callers in Go",
        needs: &[],
        claims: &[Claim::Workspace, Claim::Guests, Claim::Shipped],
        check: build_tests,
    },
    Step {
        name: IMAGE,
        about: "the container image: what is in it, that it runs, that it is made the same twice",
        needs: &[BUILD, BUILD_TESTS],
        claims: &[Claim::Shipped],
        check: image,
    },
    Step {
        name: ALONE,
        about: "promises about load and time, with the machine to themselves",
        needs: &[BUILD, BUILD_TESTS],
        claims: &[Claim::Machine],
        check: alone,
    },
    Step {
        name: VM,
        about: "NFS and hot-plugged disks on Debian's kernel",
        needs: &[BUILD, BUILD_TESTS, BUILD_CLUSTER, IMAGE],
        claims: &[Claim::Vm],
        check: virtual_machine,
    },
    Step {
        name: "outside",
        about: "promises kept by the built binaries",
        needs: &[BUILD, BUILD_TESTS],
        claims: &[Claim::Kernel],
        check: outside,
    },
    Step {
        name: CLUSTER,
        about: "Drivebay on a cluster, by kubectl, with the shipped manifests and image",
        needs: &[BUILD, BUILD_TESTS, BUILD_CLUSTER],
        claims: &[Claim::Kernel, Claim::Shipped],
        check: on_a_cluster,
    },
    Step {
        name: PROVISION,
        about: "claims of FlexVolume's classes become disks, with a real API server",
        needs: &[BUILD, BUILD_TESTS, BUILD_CLUSTER],
        claims: &[],
        check: provision,
    },
    Step {
        name: KUBELET,
        about: "kubelet's own FlexVolume package as the caller",
        needs: &[BUILD, BUILD_TESTS],
        claims: &[Claim::Kernel],
        check: kubelet,
    },
    Step {
        name: SWAP,
        about: "components are swapped while they serve, by kubelet's own code as the writer",
        needs: &[BUILD, BUILD_TESTS],
        claims: &[Claim::Kernel],
        check: swap,
    },
    Step {
        name: AUTHORS,
        about: "skeletons of backends, by the guide's commands and with their toolchains",
        needs: &[BUILD, BUILD_TESTS],
        claims: &[Claim::Guests, Claim::Kernel],
        check: authors,
    },
    Step {
        name: "sdks",
        about: "Alibaba Cloud's SDKs against the ECS emulator",
        needs: &[BUILD_TESTS],
        claims: &[],
        check: sdks,
    },
    Step {
        name: "docs",
        about: "the documentation's links",
        needs: &[],
        claims: &[Claim::Workspace],
        check: docs,
    },
    Step {
        name: "deny",
        about: "dependencies' licences and sources",
        needs: &[],
        claims: &[],
        check: deny,
    },
    Step {
        name: "advisories",
        about: "known vulnerabilities of dependencies",
        needs: &[],
        claims: &[],
        check: advisories,
    },
];

fn format(workspace: &Workspace) -> Result<Counts> {
    let workspaces = [workspace.root(), &workspace.guests()];
    all(workspaces.map(|directory| live(cargo(directory).args(["fmt", "--all", "--check"]))))
}

fn lint(workspace: &Workspace) -> Result<Counts> {
    let clippy = |arguments: &[&str]| {
        let mut cargo = cargo(workspace.root());
        live(cargo.arg("clippy").args(arguments).args([
            "--all-targets",
            "--",
            "--deny",
            "warnings",
        ]))
    };
    // csi-load beside it, so that procedural macros have the same features both times and are built once.
    let shim = ["--package", "drivebay", "--package", "drivebay-csi-load"];
    let shim = [&shim[..], &["--no-default-features"]].concat();
    all([clippy(&["--workspace"]), clippy(&shim)])
}

fn lint_guests(workspace: &Workspace) -> Result<Counts> {
    let mut cargo = cargo(&workspace.guests());
    live(cargo.args([
        "clippy",
        "--workspace",
        "--all-targets",
        "--",
        "--deny",
        "warnings",
    ]))
}

/// What needs root runs as root, and nothing is skipped in silence. Beside the host's own tests, those of each side of
/// the line run without the other.
fn unit(workspace: &Workspace) -> Result<Counts> {
    setup::ensure(workspace, &[Part::Test], &mut Steps::new("setup", 0))?;
    let programs = test_programs(workspace)?;
    let line = workspace.root().join("tests/line");
    let is_side = |program: &Program| program.directory.starts_with(&line);
    let is_unit = |program: &Program| !is_outside(workspace, program) && !is_side(program);
    let units = programs::run(&programs, is_unit, &["--include-ignored"]);
    let sides = programs::run(&programs, is_side, &["broker::", "runtime::"]);
    all([units, sides])
}

pub(super) fn is_outside(workspace: &Workspace, program: &Program) -> bool {
    program.directory == workspace.root().join("tests")
}

fn guests(workspace: &Workspace) -> Result<Counts> {
    rust(cargo(&workspace.guests()).args(["test", "--no-fail-fast", "--workspace"]))
}

fn build(workspace: &Workspace) -> Result<Counts> {
    build::everything(workspace, &mut Steps::new("build", build::STEPS))?;
    Ok(Counts::default())
}

/// What the tests run and run by, and what they need of this machine.
fn build_tests(workspace: &Workspace) -> Result<Counts> {
    let parts = [
        Part::Test,
        Part::Go,
        Part::Grpc,
        Part::Vm,
        Part::C,
        Part::Promtool,
    ];
    setup::ensure(workspace, &parts, &mut Steps::new("setup", 0))?;
    thread::scope(|scope| {
        let callers = scope.spawn(|| {
            speak_for(Some("go"));
            build_callers(workspace)?;
            build_kubelet(workspace)
        });
        build_emulator(workspace)?;
        test_programs(workspace)?;
        let callers = callers.join();
        callers.unwrap_or_else(|_| Err(anyhow!("building the callers panicked")))
    })?;
    Ok(Counts::default())
}

/// All targets of tests/ that need nothing but the built binaries; the others are steps of their own.
fn outside(workspace: &Workspace) -> Result<Counts> {
    let parts = [Part::Test, Part::Go, Part::Grpc, Part::Promtool];
    setup::ensure(workspace, &parts, &mut Steps::new("setup", 0))?;
    build_emulator(workspace)?;
    build_callers(workspace)?;
    let of_others = |program: &Program| {
        let others = [ALONE, AUTHORS, CLUSTER, IMAGE, KUBELET, PROVISION, SWAP, VM];
        others.contains(&program.name.as_str())
    };
    let chosen = |program: &Program| is_outside(workspace, program) && !of_others(program);
    programs::run(&test_programs(workspace)?, chosen, &[])
}

/// Made twice, as the same files have to make the same image.
fn image(workspace: &Workspace) -> Result<Counts> {
    let mut steps = Steps::new("image", 2 * image::STEPS);
    let architecture = Architecture::here()?;
    let made = [(); 2].map(|()| image::assemble(workspace, architecture, &mut steps));
    let [one, other] = made;
    let (one, other) = (one?.digest, other?.digest);
    ensure!(
        one == other,
        "the same files made two images, {one} and {other}"
    );
    let chosen = |program: &Program| is_outside(workspace, program) && program.name == IMAGE;
    programs::run(&test_programs(workspace)?, chosen, &[])
}

fn alone(workspace: &Workspace) -> Result<Counts> {
    setup::ensure(workspace, &[Part::Test], &mut Steps::new("setup", 0))?;
    build_emulator(workspace)?;
    let chosen = |program: &Program| is_outside(workspace, program) && program.name == ALONE;
    programs::run(&test_programs(workspace)?, chosen, &[])
}

fn kubelet(workspace: &Workspace) -> Result<Counts> {
    build_kubelet(workspace)?;
    let chosen = |program: &Program| is_outside(workspace, program) && program.name == KUBELET;
    let programs = test_programs(workspace)?;
    programs::run(&programs, chosen, &["--include-ignored"])
}

fn swap(workspace: &Workspace) -> Result<Counts> {
    setup::ensure(workspace, &[Part::Test], &mut Steps::new("setup", 0))?;
    build_kubelet(workspace)?;
    let chosen = |program: &Program| is_outside(workspace, program) && program.name == SWAP;
    programs::run(&test_programs(workspace)?, chosen, &[])
}

/// One language after the other: each keeps both processors busy.
fn authors(workspace: &Workspace) -> Result<Counts> {
    let parts = [Part::Authors, Part::C, Part::Build];
    setup::ensure(workspace, &parts, &mut Steps::new("setup", 0))?;
    let programs = test_programs(workspace)?;
    let mut outside = programs.iter().filter(|it| is_outside(workspace, it));
    let program = outside.find(|program| program.name == AUTHORS);
    let program = program.context("tests/ has no test target named authors")?;
    let mut tests = command(&program.path);
    tests
        .current_dir(&program.directory)
        .env("PATH", golang::search_path(workspace)?)
        .args(["--include-ignored", "--test-threads", "1"]);
    let has_target = matches!(Compiler::find()?, Some(Compiler::Rustup));
    if !has_target {
        say(format_args!(
            "SKIPPED: rustup cannot add a WebAssembly target here, and skeletons in Rust need it"
        ));
        tests.args(["--skip", "rust_"]);
    }
    let mut counts = rust(&mut tests)?;
    counts.skipped += usize::from(!has_target);
    Ok(counts)
}

fn build_cluster(workspace: &Workspace) -> Result<Counts> {
    cluster::build_programs(workspace, &mut Steps::new("setup", cluster::PROGRAMS))?;
    Ok(Counts::default())
}

/// One cluster for all of them, which ends with them.
fn on_a_cluster(workspace: &Workspace) -> Result<Counts> {
    build_emulator(workspace)?;
    let programs = test_programs(workspace)?;
    let total = cluster::PROGRAMS + image::STEPS + cluster::STEPS;
    let mut steps = Steps::new("cluster", total);
    cluster::build_programs(workspace, &mut steps)?;
    image::assemble(workspace, Architecture::here()?, &mut steps)?;
    let cluster = cluster::Cluster::start(workspace, &mut steps)?;
    let chosen = |program: &Program| is_outside(workspace, program) && program.name == CLUSTER;
    let threads = ["--include-ignored", "--test-threads", cluster::AT_ONCE];
    let run = |which: &[&str]| programs::run(&programs, chosen, &[&threads[..], which].concat());
    // What the others left can be seen after them only.
    let counts = all([run(&["--skip", LEFTOVERS]), run(&[LEFTOVERS])]);
    let stopped = cluster.stop().context("the cluster left something behind");
    all([counts, stopped.map(|()| Counts::default())])
}

/// The cluster's programs, without a cluster.
fn provision(workspace: &Workspace) -> Result<Counts> {
    build_emulator(workspace)?;
    let programs = test_programs(workspace)?;
    cluster::build_programs(workspace, &mut Steps::new("setup", cluster::PROGRAMS))?;
    let chosen = |program: &Program| is_outside(workspace, program) && program.name == PROVISION;
    let threads = ["--test-threads", cluster::AT_ONCE];
    programs::run(&programs, chosen, &threads)
}

fn build_emulator(workspace: &Workspace) -> Result<()> {
    static BUILT: Built<()> = Built::not_yet();
    BUILT.once(|| emulator::build(workspace))
}

fn test_programs(workspace: &Workspace) -> Result<Vec<Program>> {
    static BUILT: Built<Vec<Program>> = Built::not_yet();
    BUILT.once(|| programs::build(workspace))
}

fn build_callers(workspace: &Workspace) -> Result<()> {
    static BUILT: Built<()> = Built::not_yet();
    BUILT.once(|| {
        setup::ensure(workspace, &[Part::Go], &mut Steps::new("setup", 0))?;
        golang::build_csi(workspace)?;
        golang::build_old_callers(workspace)
    })
}

fn build_kubelet(workspace: &Workspace) -> Result<()> {
    static BUILT: Built<()> = Built::not_yet();
    BUILT.once(|| {
        setup::ensure(workspace, &[Part::Go], &mut Steps::new("setup", 0))?;
        golang::build_kubelet(workspace)
    })
}

/// Built here, run there.
fn virtual_machine(workspace: &Workspace) -> Result<Counts> {
    setup::ensure(workspace, &[Part::Vm, Part::C], &mut Steps::new("setup", 0))?;
    build_kubelet(workspace)?;
    build_callers(workspace)?;
    build_emulator(workspace)?;
    shares::build(workspace)?;
    let mut machine = vm::machine(workspace, VM_TIMEOUT)?;
    let programs = test_programs(workspace)?;
    let mut outside = programs.iter().filter(|it| is_outside(workspace, it));
    let program = outside.find(|program| program.name == VM);
    let program = &program.context("tests/ has no test target named vm")?.path;
    // A policy that a kernel has loaded stays, so that those who load one have a boot of their own.
    let boots = [
        (Labels::Nobody, "--skip labels::"),
        (Labels::Selinux, "labels::"),
    ];
    all(boots.map(|(labels, which)| {
        machine.labels = labels;
        let script = format!(
            "'{program}' --include-ignored --test-threads 1 {which}; code=$?; dmesg | grep -E '{KILLED}'; exit $code"
        );
        let finished = machine.run(workspace.root(), &script, Echo::Live)?;
        let counts = Counts::of_rust(&finished.output);
        Ok(counted(Some(i32::from(finished.code)), counts))
    }))
}

/// One client after the other; those that come after one that failed run too, as they show where it differs.
fn sdks(workspace: &Workspace) -> Result<Counts> {
    setup::ensure(workspace, &[Part::Sdks], &mut Steps::new("setup", 0))?;
    build_emulator(workspace)?;
    all(CLIENTS.each_ref().map(|client| {
        let (code, output) = client.run(workspace)?;
        Ok(counted(code, Counts::of_checks(&output)))
    }))
}

fn docs(workspace: &Workspace) -> Result<Counts> {
    live(
        cargo(workspace.root())
            .args(["doc", "--workspace", "--no-deps"])
            .env("RUSTDOCFLAGS", "--deny warnings"),
    )
}

fn deny(workspace: &Workspace) -> Result<Counts> {
    setup::ensure(workspace, &[Part::Deny], &mut Steps::new("setup", 0))?;
    let check = ["deny", "check", "bans", "licenses", "sources"];
    let workspaces = [workspace.root(), &workspace.guests()];
    all(workspaces.map(|directory| live(cargo(directory).args(check))))
}

/// The database of advisories is a repository that not every machine reaches; where it does not, the check
/// counts as skipped and says so.
fn advisories(workspace: &Workspace) -> Result<Counts> {
    setup::ensure(workspace, &[Part::Deny], &mut Steps::new("setup", 0))?;
    let fetch = process::run(
        cargo(workspace.root()).args(["deny", "fetch", "db"]),
        Echo::Silent,
    );
    if let Err(error) = fetch {
        say(format_args!(
            "SKIPPED: the advisory database cannot be fetched: {error:#}"
        ));
        return Ok(Counts {
            skipped: 1,
            ..Counts::default()
        });
    }
    let workspaces = [workspace.root(), &workspace.guests()];
    all(workspaces.map(|directory| live(cargo(directory).args(["deny", "check", "advisories"]))))
}

pub(super) fn cargo(directory: &Path) -> Command {
    let mut cargo = command("cargo");
    cargo.current_dir(directory);
    // What would save time at the next build costs gigabytes, and time, where there is none.
    if std::env::var_os("CI").is_some() {
        cargo.env("CARGO_INCREMENTAL", "0");
    }
    cargo
}

/// The counts of several checks. What could not be gone through counts as a failure beside them.
pub(super) fn all(checks: impl IntoIterator<Item = Result<Counts>>) -> Result<Counts> {
    let mut all = Counts::default();
    for check in checks {
        all.add(check.unwrap_or_else(|error| Counts::of_failure(&error)));
    }
    Ok(all)
}

pub(super) fn live(command: &mut Command) -> Result<Counts> {
    process::run(command, Echo::Live)?;
    Ok(Counts::default())
}

pub(super) fn rust(command: &mut Command) -> Result<Counts> {
    let (code, output) = process::finish(command, Echo::Live)?;
    Ok(counted(code, Counts::of_rust(&output)))
}

/// Counts stand also when tests failed; a failure that no test explains is one of its own.
fn counted(code: Option<i32>, mut counts: Counts) -> Counts {
    if code != Some(0) && counts.failed == 0 {
        let unexplained = anyhow!("the tests did not run to their end");
        counts.add(Counts::of_failure(&unexplained));
    }
    counts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_could_not_be_checked_leaves_the_other_counts_whole() {
        let counts = all([
            Ok(Counts::of_checks("ok - one\n")),
            Err(anyhow!("cannot start")),
            Ok(Counts::of_checks("ok - two\nnot ok - three\n")),
        ]);
        let counts = counts.unwrap();
        assert_eq!(counts.to_string(), "2 passed, 2 failed, 0 skipped");
        assert_eq!(counts.failures, ["cannot start", "three"]);
    }

    #[test]
    fn a_failure_that_no_test_explains_counts() {
        let passed = || Counts::of_checks("ok - one\n");
        assert_eq!(counted(Some(0), passed()).failed, 0);
        assert_eq!(counted(Some(101), passed()).failed, 1);
        assert_eq!(counted(None, passed()).failed, 1);
        assert_eq!(
            counted(Some(101), Counts::of_checks("not ok - one\n")).failed,
            1
        );
    }
}
