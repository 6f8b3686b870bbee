//! `cargo xtask cluster`: a real cluster of one node on this machine, with Drivebay in it as it is shipped.
//!
//! etcd, Kubernetes' own programs, containerd and the CSI project's sidecars, in namespaces of their own beside everything
//! else: nothing is installed, no port is taken, and all of it is gone afterwards, also after Ctrl-C. The cloud is the ECS
//! emulator.

mod cloud;
mod control_plane;
mod identities;
mod images;
mod leftovers;
mod namespaces;
mod node;
mod overlays;
mod packages;
mod places;
mod programs;
mod snapshots;
mod watcher;

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use clap::Args;

use self::namespaces::Namespaces;
use self::places::Places;
use self::watcher::Watcher;
use crate::architecture::Architecture;
use crate::build;
use crate::emulator;
use crate::image;
use crate::setup::{self, Part};
use crate::steps::{Steps, say};
use crate::workspace::Workspace;

#[derive(Args)]
pub(crate) struct Arguments {
    /// Leave the cluster running for a person, and tell how to use and how to end it
    #[arg(long)]
    keep: bool,

    /// End the cluster that runs
    #[arg(long, conflicts_with = "keep")]
    stop: bool,
}

/// Steps of a cluster's start.
pub(crate) const STEPS: usize = 7;

/// Steps of [`build_programs`].
pub(crate) const PROGRAMS: usize = 2;

/// How many tests have volumes at once: each waits most of its time.
pub(crate) const AT_ONCE: &str = "4";

impl Arguments {
    /// Whether it lasts as long as its tests.
    pub(crate) fn is_for_tests(&self) -> bool {
        !self.keep && !self.stop
    }
}

/// Starts a cluster and leaves it running, or ends the one that runs.
pub(crate) fn run(workspace: &Workspace, arguments: &Arguments) -> Result<()> {
    let places = Places::of(workspace);
    if arguments.stop {
        return stop(&places);
    }
    let building = build::STEPS + image::STEPS + PROGRAMS + 1;
    let mut steps = Steps::new("cargo xtask cluster", building + STEPS);
    image::everything(workspace, Architecture::here()?, &mut steps)?;
    build_programs(workspace, &mut steps)?;
    steps.run("build the cloud's emulator", || emulator::build(workspace))?;
    Cluster::start(workspace, &mut steps)?.keep();
    steps.verdict(format_args!(
        "it runs, and Drivebay in it\n  \
         {enter} kubectl get pods --all-namespaces\n  \
         {enter} bash      # on its node, with KUBECONFIG={kubeconfig}\n  \
         cargo xtask cluster --stop",
        enter = places.enter().display(),
        kubeconfig = places.kubeconfig("admin").display(),
    ));
    Ok(())
}

fn stop(places: &Places) -> Result<()> {
    let mut steps = Steps::new("cargo xtask cluster", 1);
    steps.run("end the cluster", || take_down(places))?;
    steps.verdict("nothing is left of it");
    Ok(())
}

/// Whether Debian's part is there.
pub(crate) fn packages_are_there(workspace: &Workspace) -> bool {
    packages::are_there(&Places::of(workspace))
}

/// Fetches Debian's part and unpacks it.
pub(crate) fn unpack_packages(workspace: &Workspace) -> Result<()> {
    packages::unpack(&Places::of(workspace))
}

/// What runs in the cluster besides Drivebay.
pub(crate) fn build_programs(workspace: &Workspace, steps: &mut Steps) -> Result<()> {
    setup::ensure(workspace, &[Part::Test, Part::Go, Part::Cluster], steps)?;
    let places = Places::of(workspace);
    steps.run(
        "build Kubernetes, which takes minutes the first time",
        || programs::build_kubernetes(workspace, &places),
    )?;
    steps.run("build the CSI sidecars, likewise", || {
        programs::build_sidecars(workspace, &places)
    })
}

/// A cluster that runs. It ends with this, and with this program however that ends, unless it is kept.
pub(crate) struct Cluster {
    places: Places,
    namespaces: Namespaces,
    watcher: Option<Watcher>,
}

impl Cluster {
    /// Starts it; the node is ready when this returns.
    pub(crate) fn start(workspace: &Workspace, steps: &mut Steps) -> Result<Self> {
        let places = Places::of(workspace);
        ensure!(
            Namespaces::find(&places).is_none(),
            "a cluster runs already in {}; end it by `cargo xtask cluster --stop`",
            places.top().display()
        );
        // Of one that was killed together with whoever watched over it.
        take_down(&places)?;
        let _ = fs::remove_dir_all(places.logs());
        for directory in [places.run(), places.logs()] {
            fs::create_dir_all(&directory)
                .with_context(|| format!("cannot make {}", directory.display()))?;
        }
        let watcher = Some(Watcher::start()?);
        let namespaces = steps.run("make the cluster's namespaces", || {
            Namespaces::make(&places)
        })?;
        let cluster = Self {
            places,
            namespaces,
            watcher,
        };
        cluster.start_all(workspace, steps)?;
        Ok(cluster)
    }

    fn start_all(&self, workspace: &Workspace, steps: &mut Steps) -> Result<()> {
        let (places, namespaces) = (&self.places, &self.namespaces);
        steps.run("start the control plane", || {
            identities::write(places)?;
            control_plane::start(places, namespaces)
        })?;
        steps.run("start containerd, with images made of files", || {
            images::make(places)?;
            node::start_containerd(places, namespaces)?;
            images::import(places, namespaces)
        })?;
        steps.run("start kubelet", || node::start_kubelet(places, namespaces))?;
        steps.run("start the cloud", || {
            cloud::start(workspace, places, namespaces)?;
            cloud::make_known(places, namespaces)
        })?;
        steps.run("define what snapshots are", || {
            snapshots::start(workspace, places, namespaces)
        })?;
        steps.run("apply deploy/overlays/both", || {
            overlays::install(workspace, places, namespaces)
        })
    }

    /// A command on its node, as its administrator.
    pub(crate) fn command(&self, program: &str) -> Command {
        self.namespaces.command(program)
    }

    /// The node's files, as seen from outside.
    pub(crate) fn root(&self) -> PathBuf {
        self.namespaces.root()
    }

    /// A directory that goes with the cluster.
    pub(crate) fn scratch(&self) -> PathBuf {
        self.places.running("scratch")
    }

    /// One of tests/cluster/overlays, completed.
    pub(crate) fn overlay(&self, name: &str) -> PathBuf {
        self.places.top().join("overlays").join(name)
    }

    /// Leaves it running when this program ends.
    fn keep(mut self) {
        if let Some(watcher) = self.watcher.take() {
            watcher.leave();
        }
    }

    /// Ends it, and sees that nothing is left.
    pub(crate) fn stop(mut self) -> Result<()> {
        let stopped = take_down(&self.places);
        // There is nothing left for it to end.
        if let Some(watcher) = self.watcher.take() {
            watcher.leave();
        }
        stopped
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        if self.watcher.is_none() {
            return;
        }
        if let Err(error) = take_down(&self.places) {
            say(format_args!("the cluster was not taken down: {error:#}"));
        }
    }
}

/// Ends whatever there is of a cluster.
fn take_down(places: &Places) -> Result<()> {
    if let Some(namespaces) = Namespaces::find(places) {
        cloud::end(places, &namespaces);
        namespaces.end()?;
    }
    leftovers::remove(places)
}
