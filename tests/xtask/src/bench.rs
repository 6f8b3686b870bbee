//! `cargo xtask bench`: the claims of tests/README.md, each a ratio from one run on one machine.
//!
//! Prints the tables as they stand there. A promise that is not kept is a verdict in its row and not a
//! failure: machines differ, and a slow one is no bug. What does not run at all is one.
//!
//! The driver is the example `local`, because a kernel without NFS has to do: up to the mount itself, which
//! an already mounted target never reaches, both guests take the same way.

mod claims;
mod cluster;
mod csi;
mod delivery;
mod full_node;
mod guest;
mod line;
mod measure;
mod node;
mod skeletons;
mod swap;
mod table;

use std::fs;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use anyhow::Result;
use clap::Args;

use self::measure::{REPETITIONS, medians, peak_memory};
use self::node::Node;
use self::table::Table;
use crate::architecture::Architecture;
use crate::build;
use crate::cluster::Cluster;
use crate::emulator;
use crate::image::{self, Image};
use crate::setup::{self, Part};
use crate::steps::{Steps, say};
use crate::workspace::Workspace;

const NOTHING: &str = "`/bin/true`";
const SCRIPT: &str = "bash+jq+findmnt script";

#[derive(Args)]
pub(crate) struct Arguments {
    /// The binary of csi-driver-nfs, `nfsplugin`, to measure beside `drivebay serve`
    #[arg(long, value_name = "PATH")]
    peer: Option<PathBuf>,
    /// Only how `drivebay serve` does
    #[arg(long)]
    only_csi: bool,
    /// Only what calls cost on a node with many mounts
    #[arg(long, conflicts_with = "only_csi")]
    only_mounts: bool,
    /// Only what a hot swap costs
    #[arg(long, conflicts_with_all = ["only_csi", "only_mounts"])]
    only_swap: bool,
    /// Only how `drivebay serve` does beside an earlier build, by turns: its `target/dist`, as `cargo xtask build` made it
    #[arg(long, value_name = "DIST", conflicts_with_all = ["peer", "only_csi", "only_mounts", "only_swap"])]
    earlier: Option<PathBuf>,
    /// Only what guests pay for what they ask, beside another build's `drivebay` and `drivebay-shim` in that directory
    #[arg(long, value_name = "DIR", conflicts_with_all = ["earlier", "only_csi", "only_mounts", "only_swap"])]
    only_line_beside: Option<PathBuf>,
    /// Only what an operator of a cluster gets, which takes half an hour and is part of no other run
    #[arg(long, conflicts_with_all = ["only_csi", "only_mounts", "only_swap", "only_line_beside"])]
    only_cluster: bool,
    /// Only what each language costs that `drivebay new` makes skeletons in; builds them with their toolchains, and is part
    /// of no other run
    #[arg(long, conflicts_with_all = ["peer", "earlier", "only_csi", "only_mounts", "only_swap", "only_line_beside", "only_cluster"])]
    guests: bool,
    /// Only what so many claims of FlexVolume's classes cost; takes a quarter of an hour, and is part of no other run
    #[arg(long, value_name = "N", num_args = 0..=1, default_missing_value = "10000", conflicts_with_all = ["peer", "earlier", "only_csi", "only_mounts", "only_swap", "only_line_beside", "only_cluster", "guests"])]
    claims: Option<NonZeroUsize>,
    /// Only how soon a component that is applied serves in a cluster, with the option `deliver` and without; takes ten minutes,
    /// and is part of no other run
    #[arg(long, conflicts_with_all = ["peer", "earlier", "only_csi", "only_mounts", "only_swap", "only_line_beside", "only_cluster", "guests", "claims"])]
    delivery: bool,
    /// How many versions are applied with it
    #[arg(long, value_name = "N", requires = "delivery", default_value = "20")]
    swaps: NonZeroUsize,
}

pub(crate) fn run(workspace: &Workspace, arguments: &Arguments) -> Result<()> {
    if let Some(other) = &arguments.only_line_beside {
        return line(workspace, other);
    }
    if let Some(claims) = arguments.claims {
        return claims::run(workspace, claims.get());
    }
    if arguments.guests {
        return in_each_language(workspace);
    }
    if arguments.only_cluster {
        let about = "apply components, and wait until they serve";
        return on_a_cluster(workspace, about, cluster::measure);
    }
    if arguments.delivery {
        let about = "apply components with a deliverer and without, and wait until they serve";
        let swaps = arguments.swaps.get();
        return on_a_cluster(workspace, about, |workspace, cluster, caller, table| {
            delivery::measure(workspace, cluster, caller, swaps, table)
        });
    }
    if let Some(dist) = &arguments.earlier {
        return earlier(workspace, dist);
    }
    let only = (
        arguments.only_csi,
        arguments.only_mounts,
        arguments.only_swap,
    );
    let steps = match only {
        (true, ..) => 4,
        (_, true, _) => 2,
        (.., true) => 3,
        _ => 12 + image::STEPS,
    };
    let mut steps = Steps::new("cargo xtask bench", build::STEPS + steps);
    setup::ensure(workspace, &[Part::Bench], &mut steps)?;
    build::everything(workspace, &mut steps)?;
    let caller = steps.run("build the callers", || csi::Caller::build(workspace))?;
    let is_all = only == (false, false, false);
    let mut missed = 0;
    if is_all || arguments.only_csi {
        missed += calls(workspace, arguments, &caller, &mut steps)?;
    }
    if is_all || arguments.only_mounts {
        missed += on_a_full_node(workspace, &caller, &mut steps)?;
    }
    if is_all || arguments.only_swap {
        missed += swaps(workspace, &caller, &mut steps)?;
    }
    match missed {
        0 => steps.verdict("every target is met"),
        missed => steps.verdict(format_args!("{missed} targets are missed on this machine")),
    }
    Ok(())
}

/// Prints what the line costs. Part of no other run, as it takes a second build.
fn line(workspace: &Workspace, other: &Path) -> Result<()> {
    let mut steps = Steps::new("cargo xtask bench", build::STEPS + 1);
    setup::ensure(workspace, &[Part::Bench], &mut steps)?;
    build::everything(workspace, &mut steps)?;
    let mut table = Table::default();
    let about = format!("call guests beside {}", other.display());
    steps.run(about, || line::measure(workspace, other, &mut table))?;
    say(format_args!("\n{table}"));
    steps.verdict(format_args!("{} targets are missed", table.missed()));
    Ok(())
}

/// Prints what is measured in a cluster.
fn on_a_cluster(
    workspace: &Workspace,
    about: &str,
    measure: impl FnOnce(&Workspace, &Cluster, &csi::Caller, &mut Table) -> Result<()>,
) -> Result<()> {
    let building = build::STEPS + image::STEPS + crate::cluster::PROGRAMS;
    let mut steps = Steps::new("cargo xtask bench", building + crate::cluster::STEPS + 3);
    image::everything(workspace, Architecture::here()?, &mut steps)?;
    crate::cluster::build_programs(workspace, &mut steps)?;
    steps.run("build the emulator", || emulator::build(workspace))?;
    let caller = steps.run("build the callers", || csi::Caller::build(workspace))?;
    let cluster = Cluster::start(workspace, &mut steps)?;
    let mut table = Table::default();
    let measured = steps.run(about, || measure(workspace, &cluster, &caller, &mut table));
    cluster.stop()?;
    measured?;
    say(format_args!("\n{table}"));
    steps.verdict(format_args!("{} targets are missed", table.missed()));
    Ok(())
}

/// Prints what languages cost. Part of no other run, as it takes the toolchain of each.
fn in_each_language(workspace: &Workspace) -> Result<()> {
    let languages = skeletons::languages(workspace)?;
    let own = languages.len() + skeletons::STEPS + 1;
    let mut steps = Steps::new("cargo xtask bench", build::STEPS + own);
    let parts = [
        Part::Bench,
        Part::Image,
        Part::Authors,
        Part::C,
        Part::Build,
    ];
    setup::ensure(workspace, &parts, &mut steps)?;
    build::everything(workspace, &mut steps)?;
    let caller = steps.run("build the callers", || csi::Caller::build(workspace))?;
    let comparison = skeletons::measure(workspace, languages, &caller, &mut steps)?;
    say(format_args!("\n{comparison}"));
    steps.verdict(format_args!("{} targets are missed", comparison.missed()));
    Ok(())
}

/// Prints what calls cost beside an earlier build. Part of no other run, as it takes a second build.
fn earlier(workspace: &Workspace, dist: &Path) -> Result<()> {
    let mut steps = Steps::new("cargo xtask bench", build::STEPS + 2);
    setup::ensure(workspace, &[Part::Bench], &mut steps)?;
    build::everything(workspace, &mut steps)?;
    let caller = steps.run("build the callers", || csi::Caller::build(workspace))?;
    let mut table = Table::default();
    let about = format!("call `drivebay serve` beside {}", dist.display());
    steps.run(about, || csi::beside(workspace, &caller, dist, &mut table))?;
    say(format_args!("\n{table}"));
    steps.verdict(format_args!("{} targets are missed", table.missed()));
    Ok(())
}

/// Prints the table of what calls cost, and tells how many targets were missed.
fn calls(
    workspace: &Workspace,
    arguments: &Arguments,
    caller: &csi::Caller,
    steps: &mut Steps,
) -> Result<usize> {
    steps.run("build the emulator", || emulator::build(workspace))?;
    let mut table = Table::default();
    if !arguments.only_csi {
        callouts(workspace, steps, &mut table)?;
    }
    serve(workspace, arguments, caller, steps, &mut table)?;
    say(format_args!("\n{table}"));
    if arguments.peer.is_none() {
        say(csi::NO_PEER);
    }
    Ok(table.missed())
}

/// The same of what they cost with more and more mounts.
fn on_a_full_node(workspace: &Workspace, caller: &csi::Caller, steps: &mut Steps) -> Result<usize> {
    let about = format!("time calls on a fuller and fuller node, medians of {REPETITIONS}");
    let growth = steps.run(about, || full_node::measure(workspace, caller))?;
    say(format_args!("\n{growth}"));
    Ok(growth.missed())
}

/// The same of what a hot swap costs.
fn swaps(workspace: &Workspace, caller: &csi::Caller, steps: &mut Steps) -> Result<usize> {
    steps.run("build the emulator", || emulator::build(workspace))?;
    let mut table = Table::default();
    let about = "swap components while calls go on";
    steps.run(about, || swap::measure(workspace, caller, &mut table))?;
    say(format_args!("\n{table}"));
    Ok(table.missed())
}

fn callouts(workspace: &Workspace, steps: &mut Steps, table: &mut Table) -> Result<()> {
    let node = steps.run("mount a volume by each driver", || Node::prepare(workspace))?;
    let about = format!("time the call-outs, medians of {REPETITIONS}");
    steps.run(about, || time(&node, table))?;
    let program = steps.run("build what calls in a loop", || build::warm_call(workspace))?;
    let about = "call a cloud through a guest and without one";
    steps.run(about, || guest::measure(workspace, &program, table))?;
    let image = image::assemble(workspace, Architecture::here()?, steps)?;
    steps.run("weigh", || weigh(workspace, &node, &image, table))
}

fn serve(
    workspace: &Workspace,
    arguments: &Arguments,
    caller: &csi::Caller,
    steps: &mut Steps,
    table: &mut Table,
) -> Result<()> {
    let peer = arguments.peer.as_deref();
    let about = "call `drivebay serve`, with 1, 16 and 128 callers";
    steps.run(about, || csi::measure(workspace, caller, peer, table))?;
    let about = "weigh `drivebay serve`";
    steps.run(about, || csi::idle_memory(workspace, caller, table))
}

fn time(node: &Node, table: &mut Table) -> Result<()> {
    let environment = node.environment();
    let nothing = [vec!["/bin/true".to_owned()]];
    for (what, ours, theirs, target) in [
        ("`init`", node.init(), node.script_init(), 1.5),
        (
            "`mount`, already mounted",
            node.mount(),
            node.script_mount(),
            2.0,
        ),
    ] {
        let [ours, theirs, nothing] = medians([&[ours], &[theirs], &nothing], &environment)?;
        table.ratio(what, ours, (NOTHING, nothing), Some(target));
        table.ratio(what, ours, (SCRIPT, theirs), Some(0.3));
    }
    let cycle = [node.unmount(), node.mount()];
    let script_cycle = [node.script_unmount(), node.script_mount()];
    let [ours, theirs] = medians([&cycle, &script_cycle], &environment)?;
    table.ratio(
        "`unmount` and `mount`, really done",
        ours,
        (SCRIPT, theirs),
        None,
    );
    let asking = [node.is_attached()];
    let [ours, nothing] = medians([&asking, &nothing], &environment)?;
    table.ratio(
        "`isattached`: the guest looks at a file",
        ours,
        (NOTHING, nothing),
        None,
    );
    Ok(())
}

fn weigh(workspace: &Workspace, node: &Node, image: &Image, table: &mut Table) -> Result<()> {
    let environment = node.environment();
    let size = |path: std::path::PathBuf| Ok::<_, anyhow::Error>(fs::metadata(path)?.len());
    let shim = size(workspace.binaries().join("drivebay-shim"))?;
    table.size("`drivebay-shim`", shim, ("MB", 1_000_000), 4);
    let guest = size(workspace.components().join("nfs.wasm"))?;
    table.size("`nfs.wasm`", guest, ("kB", 1000), 60);
    let guest = size(workspace.components().join("alicloud-disk.wasm"))?;
    table.size("`alicloud-disk.wasm`", guest, ("kB", 1000), 160);
    let what = "the image, as a node fetches it";
    table.size(what, size(image.tar.clone())?, ("MB", 1_000_000), 20);
    for (what, calls) in [
        ("peak memory, `init`", vec![node.init()]),
        ("peak memory, `mount`, already mounted", vec![node.mount()]),
        // The volume has to leave the pod before it can leave the node.
        (
            "peak memory, `mountdevice`: guest and mount",
            vec![node.unmount(), node.unstage(), node.stage()],
        ),
    ] {
        let mut peak = 0;
        for call in &calls {
            peak = peak_memory(call, &environment)?;
        }
        table.size(what, peak * 1024, ("MiB", 1 << 20), 8);
    }
    Ok(())
}
