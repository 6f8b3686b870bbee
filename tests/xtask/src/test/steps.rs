//! What `cargo xtask test` runs, one function a step.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use super::tally::Tally;
use crate::build;
use crate::emulator;
use crate::golang;
use crate::process::{self, Echo, answer, command};
use crate::sdks::CLIENTS;
use crate::setup::{self, Part};
use crate::steps::{Steps, say};
use crate::vm;
use crate::workspace::Workspace;

/// Emulation is ten times slower than the machine, and the tier mounts, formats and waits.
const VM_TIMEOUT: Duration = Duration::from_secs(1800);

/// Targets of tests/ with needs of their own; their tests are ignored where those are not met.
const KUBELET: &str = "kubelet";
const VM: &str = "vm";

/// One thing that is checked.
pub(super) struct Step {
    pub(super) name: &'static str,
    pub(super) about: &'static str,
    pub(super) check: fn(&Workspace) -> Result<Tally>,
}

/// All steps, in order.
pub(super) const STEPS: [Step; 13] = [
    Step {
        name: "format",
        about: "both workspaces are formatted",
        check: format,
    },
    Step {
        name: "lint",
        about: "clippy has no word against the host and its tests",
        check: lint,
    },
    Step {
        name: "lint-guests",
        about: "clippy has no word against the guests",
        check: lint_guests,
    },
    Step {
        name: "unit",
        about: "the host's, the tasks' and the ECS emulator's own tests",
        check: unit,
    },
    Step {
        name: "guests",
        about: "the guests' unit tests, native",
        check: guests,
    },
    Step {
        name: "build",
        about: "what is shipped",
        check: build,
    },
    Step {
        name: "outside",
        about: "promises kept by the built binaries",
        check: outside,
    },
    Step {
        name: "kubelet",
        about: "kubelet's own FlexVolume package as the caller",
        check: kubelet,
    },
    Step {
        name: "vm",
        about: "NFS and hot-plugged disks on Debian's kernel",
        check: virtual_machine,
    },
    Step {
        name: "sdks",
        about: "Alibaba Cloud's SDKs against the ECS emulator",
        check: sdks,
    },
    Step {
        name: "docs",
        about: "the documentation's links",
        check: docs,
    },
    Step {
        name: "deny",
        about: "dependencies' licences and sources",
        check: deny,
    },
    Step {
        name: "advisories",
        about: "known vulnerabilities of dependencies",
        check: advisories,
    },
];

fn format(workspace: &Workspace) -> Result<Tally> {
    live(cargo(workspace.root()).args(["fmt", "--all", "--check"]))?;
    live(cargo(&workspace.guests()).args(["fmt", "--all", "--check"]))
}

fn lint(workspace: &Workspace) -> Result<Tally> {
    let clippy = |arguments: &[&str]| {
        let mut cargo = cargo(workspace.root());
        live(cargo.arg("clippy").args(arguments).args([
            "--all-targets",
            "--",
            "--deny",
            "warnings",
        ]))
    };
    clippy(&["--workspace"])?;
    clippy(&["--package", "drivebay", "--no-default-features"])
}

fn lint_guests(workspace: &Workspace) -> Result<Tally> {
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

/// Without Cranelift, which unit tests have no use for and which takes minutes to build.
fn unit(workspace: &Workspace) -> Result<Tally> {
    setup::ensure(workspace, &[Part::Test], &mut Steps::new("setup", 0))?;
    let mut tally = rust(cargo(workspace.root()).args([
        "test",
        "--package",
        "drivebay",
        "--lib",
        "--no-default-features",
        "--features",
        "network,csi",
        "--",
        // What needs root runs as root, and nothing is skipped in silence.
        "--include-ignored",
    ]))?;
    tally.add(rust(cargo(workspace.root()).args([
        "test",
        "--package",
        "xtask",
    ]))?);
    tally.add(rust(cargo(workspace.root()).args([
        "test",
        "--package",
        "drivebay-ecs-emulator",
        "--",
        "--include-ignored",
    ]))?);
    Ok(tally)
}

fn guests(workspace: &Workspace) -> Result<Tally> {
    rust(cargo(&workspace.guests()).args(["test", "--workspace"]))
}

fn build(workspace: &Workspace) -> Result<Tally> {
    build::everything(workspace, &mut Steps::new("build", build::STEPS))?;
    Ok(Tally::default())
}

/// All targets of tests/ that need nothing but the built binaries; the others are steps of their own.
fn outside(workspace: &Workspace) -> Result<Tally> {
    let parts = [Part::Test, Part::Go];
    setup::ensure(workspace, &parts, &mut Steps::new("setup", 0))?;
    emulator::build(workspace)?;
    golang::build_csi(workspace)?;
    let mut tests = cargo(workspace.root());
    tests.args(["test", "--package", "drivebay-tests", "--lib"]);
    for name in targets(workspace)? {
        if ![KUBELET, VM].contains(&name.as_str()) {
            tests.args(["--test", &name]);
        }
    }
    rust(&mut tests)
}

fn targets(workspace: &Workspace) -> Result<Vec<String>> {
    let metadata = workspace.metadata(workspace.root())?;
    let list = |value: &serde_json::Value| value.as_array().cloned().unwrap_or_default();
    let mut packages = list(&metadata["packages"]).into_iter();
    let tests = packages.find(|package| package["name"] == "drivebay-tests");
    let targets = list(&tests.context("the workspace has no tests")?["targets"]);
    let names = targets
        .iter()
        .filter(|target| target["kind"][0] == "test")
        .filter_map(|target| target["name"].as_str());
    Ok(names.map(str::to_owned).collect())
}

fn kubelet(workspace: &Workspace) -> Result<Tally> {
    kubelet_program(workspace)?;
    rust(cargo(workspace.root()).args([
        "test",
        "--package",
        "drivebay-tests",
        "--test",
        KUBELET,
        "--",
        "--include-ignored",
    ]))
}

fn kubelet_program(workspace: &Workspace) -> Result<()> {
    setup::ensure(workspace, &[Part::Go], &mut Steps::new("setup", 0))?;
    golang::build_kubelet(workspace)
}

/// Built here, run there.
fn virtual_machine(workspace: &Workspace) -> Result<Tally> {
    setup::ensure(workspace, &[Part::Vm], &mut Steps::new("setup", 0))?;
    kubelet_program(workspace)?;
    golang::build_csi(workspace)?;
    emulator::build(workspace)?;
    let machine = vm::machine(workspace, VM_TIMEOUT)?;
    let program = vm_tests(workspace)?.context("tests/ has no test target named vm")?;
    let script = format!("'{program}' --include-ignored --test-threads 1");
    let finished = machine.run(workspace.root(), &script, Echo::Live)?;
    counted(
        Some(i32::from(finished.code)),
        Tally::of_rust(&finished.output),
    )
}

fn vm_tests(workspace: &Workspace) -> Result<Option<String>> {
    let mut cargo = cargo(workspace.root());
    cargo.args(["test", "--package", "drivebay-tests", "--test", VM]);
    cargo.args(["--no-run", "--message-format", "json"]);
    let messages = answer(&mut cargo)?;
    let mut messages = messages
        .lines()
        .filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
    Ok(messages.find_map(|message| message["executable"].as_str().map(str::to_owned)))
}

/// One client after the other; those that come after one that failed run too, as they show where it differs.
fn sdks(workspace: &Workspace) -> Result<Tally> {
    setup::ensure(workspace, &[Part::Sdks], &mut Steps::new("setup", 0))?;
    emulator::build(workspace)?;
    let mut tally = Tally::default();
    for client in &CLIENTS {
        let (code, output) = client.run(workspace)?;
        tally.add(counted(code, Tally::of_checks(&output))?);
    }
    Ok(tally)
}

fn docs(workspace: &Workspace) -> Result<Tally> {
    live(
        cargo(workspace.root())
            .args(["doc", "--workspace", "--no-deps"])
            .env("RUSTDOCFLAGS", "--deny warnings"),
    )
}

fn deny(workspace: &Workspace) -> Result<Tally> {
    setup::ensure(workspace, &[Part::Deny], &mut Steps::new("setup", 0))?;
    for directory in [workspace.root(), &workspace.guests()] {
        live(cargo(directory).args(["deny", "check", "bans", "licenses", "sources"]))?;
    }
    Ok(Tally::default())
}

/// The database of advisories is a repository that not every machine reaches; where it does not, the check
/// counts as skipped and says so.
fn advisories(workspace: &Workspace) -> Result<Tally> {
    let fetch = process::run(
        cargo(workspace.root()).args(["deny", "fetch", "db"]),
        Echo::Silent,
    );
    if let Err(error) = fetch {
        say(format_args!(
            "SKIPPED: the advisory database cannot be fetched: {error:#}"
        ));
        return Ok(Tally {
            skipped: 1,
            ..Tally::default()
        });
    }
    for directory in [workspace.root(), &workspace.guests()] {
        live(cargo(directory).args(["deny", "check", "advisories"]))?;
    }
    Ok(Tally::default())
}

fn cargo(directory: &Path) -> Command {
    let mut cargo = command("cargo");
    cargo.current_dir(directory);
    cargo
}

fn live(command: &mut Command) -> Result<Tally> {
    process::run(command, Echo::Live)?;
    Ok(Tally::default())
}

fn rust(command: &mut Command) -> Result<Tally> {
    let (code, output) = process::finish(command, Echo::Live)?;
    counted(code, Tally::of_rust(&output))
}

/// Counts stand also when tests failed; a failure that no test explains is an error of its own.
fn counted(code: Option<i32>, tally: Tally) -> Result<Tally> {
    ensure!(
        code == Some(0) || tally.failed > 0,
        "the tests did not run to their end"
    );
    Ok(tally)
}
