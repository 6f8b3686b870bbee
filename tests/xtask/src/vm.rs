//! `cargo xtask vm`: a command on Debian's stock kernel, which has NFS and hot-plug where this machine's may not.
//!
//! The VM sees this machine's root, can write anywhere for as long as it lives, and really writes only to
//! the share. It has loopback and no other network.

mod image;
mod initramfs;
mod machine;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result};
use clap::Args;

pub(crate) use image::Image;
pub(crate) use machine::{Labels, Machine};

use crate::process::Echo;
use crate::setup::{self, Part};
use crate::steps::Steps;
use crate::workspace::Workspace;

#[derive(Args)]
pub(crate) struct Arguments {
    /// Seconds until the VM is stopped
    #[arg(long, value_name = "SECONDS", default_value_t = 900)]
    timeout: u64,

    /// The directory the VM can write to, instead of target/
    #[arg(long, value_name = "DIRECTORY")]
    share: Option<PathBuf>,

    /// Start SELinux, without a policy
    #[arg(long)]
    selinux: bool,

    /// What to run, as root, in the checkout
    #[arg(last = true, required = true)]
    command: Vec<String>,
}

/// Runs a command in the VM; its exit code becomes ours.
pub(crate) fn run(workspace: &Workspace, arguments: &Arguments) -> Result<ExitCode> {
    let mut steps = Steps::new("cargo xtask vm", 1);
    setup::ensure(workspace, &[Part::Vm], &mut steps)?;
    let mut machine = machine(workspace, Duration::from_secs(arguments.timeout))?;
    if let Some(share) = &arguments.share {
        machine.share = share
            .canonicalize()
            .with_context(|| format!("cannot share {}", share.display()))?;
    }
    if arguments.selinux {
        machine.labels = Labels::Selinux;
    }
    let words: Vec<String> = arguments
        .command
        .iter()
        .map(|word| machine::quoted(word))
        .collect();
    let command = words.join(" ");
    let finished = steps.run(
        format_args!("run in the VM: {}", arguments.command.join(" ")),
        || machine.run(workspace.root(), &command, Echo::Live),
    )?;
    steps.verdict(format_args!("the command exited with {}", finished.code));
    Ok(ExitCode::from(finished.code))
}

/// A VM that can write to target/; its parts must be there.
pub(crate) fn machine(workspace: &Workspace, timeout: Duration) -> Result<Machine> {
    let image =
        Image::find(workspace).context("the VM's parts are missing; run `cargo xtask setup vm`")?;
    Ok(Machine {
        image,
        share: workspace.target(),
        timeout,
        labels: Labels::Nobody,
    })
}
