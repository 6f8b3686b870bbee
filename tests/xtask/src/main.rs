//! `cargo xtask`: what a person or CI types to set a machine up, build, try, test and measure Drivebay.
//!
//! Each task prints its steps and ends with one line that says how it went. Nothing here is shipped.

mod architecture;
mod bench;
mod build;
mod cluster;
mod component;
mod cross;
mod demo;
mod elf;
mod emulator;
mod golang;
mod guests;
mod image;
mod packages;
mod process;
mod promtool;
mod python;
mod sdks;
mod setup;
mod shares;
mod steps;
mod test;
mod version;
mod vm;
mod workspace;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::workspace::Workspace;

/// Drivebay's tasks.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Cli {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Install what is missing on this machine
    Setup(setup::Arguments),
    /// Build the two binaries and the components into target/dist
    Build,
    /// Make a container image of it, and the components as the manifests have them
    Image(image::Arguments),
    /// Show Drivebay at work
    Demo(demo::Arguments),
    /// Check everything, ending with counts and a verdict
    Test(test::Arguments),
    /// Kill who makes disks for claims, as often as is promised
    Kills(test::Kills),
    /// Measure what tests/README.md claims
    Bench(bench::Arguments),
    /// Run Kubernetes with Drivebay in it, for its tests or for a person
    Cluster(cluster::Arguments),
    /// Run a command on Debian's stock kernel, in a virtual machine
    Vm(vm::Arguments),
}

fn main() -> ExitCode {
    let task = Cli::parse().task;
    Workspace::find()
        .and_then(|workspace| perform(task, &workspace))
        .unwrap_or_else(|error| {
            let causes: Vec<String> = error.chain().map(ToString::to_string).collect();
            let causes = causes.join("\n  because ");
            steps::say(format_args!("\nerror: {causes}\n\ncargo xtask: FAILED"));
            ExitCode::FAILURE
        })
}

fn perform(task: Task, workspace: &Workspace) -> anyhow::Result<ExitCode> {
    match task {
        Task::Setup(arguments) => setup::run(workspace, &arguments)?,
        Task::Build => build::run(workspace)?,
        Task::Image(arguments) => image::run(workspace, &arguments)?,
        Task::Demo(arguments) => demo::run(workspace, &arguments)?,
        Task::Test(arguments) => test::run(workspace, &arguments)?,
        Task::Kills(arguments) => test::kill(workspace, &arguments)?,
        Task::Bench(arguments) => bench::run(workspace, &arguments)?,
        Task::Cluster(arguments) if arguments.is_for_tests() => test::on_a_cluster(workspace)?,
        Task::Cluster(arguments) => cluster::run(workspace, &arguments)?,
        Task::Vm(arguments) => return vm::run(workspace, &arguments),
    }
    Ok(ExitCode::SUCCESS)
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    #[test]
    fn command_line_is_consistent() {
        super::Cli::command().debug_assert();
    }
}
