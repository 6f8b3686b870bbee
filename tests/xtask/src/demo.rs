//! `cargo xtask demo`: Drivebay at work, from nothing, in one command.
//!
//! A pod's life twice, as kubelet lives it: on this kernel with a disk of an emulated cloud, within a minute;
//! then with a real NFS server, which stock kernels have and this one may not, in the VM. Between them a component is
//! swapped while calls go on. Nothing stays behind.

mod callout;
mod disk;
mod nfs;
mod node;
mod swap;

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use clap::Args;

use crate::build;
use crate::emulator;
use crate::process::Echo;
use crate::setup::{self, Part};
use crate::steps::{Steps, say};
use crate::vm;
use crate::workspace::Workspace;

/// Emulation is slow, and so may be the machine.
const VM_TIMEOUT: Duration = Duration::from_secs(600);

#[derive(Args)]
pub(crate) struct Arguments {
    /// Leave out NFS, for which a virtual machine is started
    #[arg(long)]
    skip_vm: bool,

    /// Be the part in the virtual machine
    #[arg(long, hide = true)]
    inside_vm: bool,
}

pub(crate) fn run(workspace: &Workspace, arguments: &Arguments) -> Result<()> {
    if arguments.inside_vm {
        return nfs::show(workspace);
    }
    let mut steps = Steps::new("cargo xtask demo", build::STEPS + 3);
    setup::ensure(workspace, &[Part::Demo], &mut steps)?;
    build::everything(workspace, &mut steps)?;
    steps.run("build the cloud's emulator", || emulator::build(workspace))?;
    let disk = steps.run("a disk, on this kernel", || disk::show(workspace))?;
    let swap = steps.run("another version of a component, while calls go on", || {
        swap::show(workspace)
    })?;
    if arguments.skip_vm {
        steps.verdict(format_args!("{disk}; {swap}; NFS was left out"));
        return Ok(());
    }
    setup::ensure(workspace, &[Part::Vm], &mut steps)?;
    steps.another("an NFS volume, in a virtual machine", || in_vm(workspace))?;
    steps.verdict(format_args!(
        "{disk}; {swap}; a pod wrote to a real NFS server through Drivebay, and nothing stayed behind"
    ));
    Ok(())
}

fn in_vm(workspace: &Workspace) -> Result<()> {
    say(
        "  Booting Debian's stock kernel in software emulation: some ten times slower than a machine.",
    );
    let program = std::env::current_exe().context("cannot find this program")?;
    let script = format!("'{}' demo --inside-vm", program.display());
    let machine = vm::machine(workspace, VM_TIMEOUT)?;
    let finished = machine.run(workspace.root(), &script, Echo::Live)?;
    ensure!(finished.code == 0, "the part in the virtual machine failed");
    Ok(())
}
