//! What calls cost on a node with few mounts and with many: `local`'s, by the shim and by `drivebay serve`.
//!
//! All of it happens in a mount namespace of its own, which ends with the thread that made it: nothing stays
//! mounted, whatever happens. The other mounts are binds of an empty directory of a tmpfs.

mod growth;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow};
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sched::{CloneFlags, unshare};

use self::growth::Growth;
use super::csi::{Caller, Site};
use super::measure::{REPETITIONS, median, medians};
use super::node::Node;
use crate::workspace::Workspace;

/// What else is mounted: on a small node, a large one, and one with the most pods that anybody runs on one.
const MOUNTS: [usize; 3] = [20, 600, 6000];

/// A row's name, and what it took with each number of mounts.
type Row = (&'static str, Duration);

/// The table, as tests/README.md has it.
pub(super) fn measure(workspace: &Workspace, caller: &Caller) -> Result<Growth> {
    let mut growth = Growth::new(MOUNTS);
    for mounts in MOUNTS {
        growth.add(in_own_namespace(|| with(mounts, workspace, caller))?);
    }
    Ok(growth)
}

/// In a thread, because a namespace is its thread's and that of the programs it starts.
fn in_own_namespace<T: Send>(work: impl FnOnce() -> Result<T> + Send) -> Result<T> {
    let inside = || {
        unshare(CloneFlags::CLONE_NEWNS).context("a mount namespace needs root")?;
        let flags = MsFlags::MS_REC | MsFlags::MS_PRIVATE;
        mount(None::<&str>, "/", None::<&str>, flags, None::<&str>)?;
        work()
    };
    std::thread::scope(|scope| scope.spawn(inside).join())
        .map_err(|_| anyhow!("what was measured panicked"))?
}

fn with(mounts: usize, workspace: &Workspace, caller: &Caller) -> Result<Vec<Row>> {
    let others = Others::mount(workspace, mounts)?;
    let mut rows = others.raw()?;
    rows.extend(by_the_shim(workspace)?);
    rows.extend(by_serve(workspace, caller)?);
    Ok(rows)
}

fn by_the_shim(workspace: &Workspace) -> Result<[Row; 3]> {
    let node = Node::prepare(workspace)?;
    // By turns: what one undoes is what the next one does.
    let [unmount, real, repeated] = medians(
        [&[node.unmount()], &[node.mount()], &[node.mount()]],
        &node.environment(),
    )?;
    Ok([
        ("shim: `mount`, already mounted", repeated),
        ("shim: `mount`, really done", real),
        ("shim: `unmount`", unmount),
    ])
}

fn by_serve(workspace: &Workspace, caller: &Caller) -> Result<[Row; 4]> {
    let site = Site::with_local(workspace, 1)?;
    let _serving = site.serve(&["local"])?;
    let [publish, unpublish, stats] = [
        "NodePublishVolume",
        "NodeUnpublishVolume",
        "NodeGetVolumeStats",
    ]
    .map(|rpc| site.call(rpc));
    caller.each(1, &[site.call("NodeStageVolume"), publish.clone()])?;
    let calls = [unpublish, publish.clone(), publish, stats];
    let [unpublish, real, repeated, stats] = caller.cycle(REPETITIONS, &calls)?;
    Ok([
        ("`NodePublishVolume`, published already", repeated),
        ("`NodePublishVolume`, really done", real),
        ("`NodeUnpublishVolume`", unpublish),
        ("`NodeGetVolumeStats`", stats),
    ])
}

/// A tmpfs in which so many directories are mount points.
struct Others(PathBuf);

impl Others {
    fn mount(workspace: &Workspace, mounts: usize) -> Result<Self> {
        let others = Self(workspace.target().join("bench-mounts"));
        fs::create_dir_all(&others.0)?;
        let flags = MsFlags::empty();
        mount(
            Some("others"),
            &others.0,
            Some("tmpfs"),
            flags,
            None::<&str>,
        )?;
        for name in ["source", "target"] {
            fs::create_dir(others.0.join(name))?;
        }
        for number in 0..mounts {
            let point = others.0.join(number.to_string());
            fs::create_dir(&point)?;
            others.bind(&point)?;
        }
        Ok(others)
    }

    /// The system calls alone.
    fn raw(&self) -> Result<Vec<Row>> {
        let target = self.0.join("target");
        let (mut binding, mut unmounting, mut reading) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..REPETITIONS {
            binding.push(timed(|| self.bind(&target))?);
            unmounting.push(timed(|| Ok(umount2(&target, MntFlags::empty())?))?);
            reading.push(timed(|| {
                Ok(fs::read("/proc/thread-self/mountinfo").map(drop)?)
            })?);
        }
        Ok(vec![
            ("mount(2), a bind", median(binding)),
            ("umount(2)", median(unmounting)),
            ("one read of the table of mounts", median(reading)),
        ])
    }

    fn bind(&self, target: &Path) -> Result<()> {
        let (source, none) = (self.0.join("source"), None::<&str>);
        Ok(mount(Some(&source), target, none, MsFlags::MS_BIND, none)?)
    }
}

fn timed(call: impl FnOnce() -> Result<()>) -> Result<Duration> {
    let started = Instant::now();
    call()?;
    Ok(started.elapsed())
}
