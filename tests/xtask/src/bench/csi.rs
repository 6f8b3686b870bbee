//! `drivebay serve` under load, beside a peer where one is named: what CSI's callers ask most.
//!
//! The driver is the example `local`. Each caller has a volume of its own, staged and published, and all callers
//! share one connection, as those of a sidecar do.

mod earlier;
mod memory;
mod peer;
mod site;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

pub(super) use self::memory::Memory;
pub(super) use self::peer::HOW as NO_PEER;
pub(super) use self::site::Site;

use self::peer::Peer;
use super::table::{Load, Table};
use crate::process::{self, Echo, answer, command};
use crate::workspace::Workspace;

const CALLERS: [usize; 3] = [1, 16, 128];

/// A volume for each of the most callers there are.
const VOLUMES: usize = 128;

/// The program that calls: a package of its own, built as optimised as what it calls.
pub(super) struct Caller(PathBuf);

/// How many turns a contender has, of a fifth of a second each: two seconds, spread over the run.
const TURNS: usize = 10;

/// What a contender's turns came to.
struct Outcome {
    /// Calls per second, turn by turn.
    rates: Vec<f64>,
    /// The median of one call.
    latency: Duration,
    /// Of all turns, also of the first, which does not count.
    calls: u32,
}

/// One thing that is measured: ours, and what the peer calls the same.
struct Race {
    what: &'static str,
    ours: Value,
    theirs: Vec<(&'static str, Value)>,
}

/// Adds the rows. `peer` is the binary of csi-driver-nfs.
pub(super) fn measure(
    workspace: &Workspace,
    caller: &Caller,
    peer: Option<&Path>,
    table: &mut Table,
) -> Result<()> {
    let site = Site::with_local(workspace, VOLUMES)?;
    let serving = site.serve(&["local"])?;
    let (stage, publish) = (site.call("NodeStageVolume"), site.call("NodePublishVolume"));
    caller.each(VOLUMES, &[stage, publish.clone()])?;
    let peer = peer.map(|program| Peer::start(program, &site, VOLUMES));
    let peer = peer.transpose()?;
    let theirs = |calls: &[(&'static str, &str, &str)]| {
        let call = |peer: &Peer| {
            let call = |(name, rpc, id): &(&'static str, &str, &str)| (*name, peer.call(rpc, id));
            calls.iter().map(call).collect::<Vec<_>>()
        };
        peer.as_ref().map(call).unwrap_or_default()
    };
    let races = [
        Race {
            what: "`NodeGetCapabilities`",
            ours: site.call("NodeGetCapabilities"),
            theirs: theirs(&[("csi-driver-nfs", "NodeGetCapabilities", "")]),
        },
        Race {
            what: "`NodeGetVolumeStats`",
            ours: site.call("NodeGetVolumeStats"),
            // It remembers by the volume's id, for ten minutes, and looks at an id that it never saw.
            theirs: theirs(&[
                (
                    "csi-driver-nfs, looking",
                    "NodeGetVolumeStats",
                    "look-{new}",
                ),
                (
                    "csi-driver-nfs, remembering",
                    "NodeGetVolumeStats",
                    "volume-{n}",
                ),
            ]),
        },
        Race {
            what: "`NodePublishVolume`, published already",
            ours: publish.clone(),
            theirs: theirs(&[("csi-driver-nfs", "NodePublishVolume", "volume-{n}")]),
        },
    ];
    for race in &races {
        for callers in CALLERS {
            race.run(caller, callers, table)?;
        }
    }
    sandbox(caller, &site, table)?;
    let calls = [
        "NodeGetCapabilities",
        "NodeGetVolumeStats",
        "NodePublishVolume",
        "NodeGetInfo",
    ];
    memory::growth(caller, &serving, &calls.map(|rpc| site.call(rpc)), table)
}

/// Adds the rows that compare with an earlier build, whose `target/dist` that is.
pub(super) fn beside(
    workspace: &Workspace,
    caller: &Caller,
    dist: &Path,
    table: &mut Table,
) -> Result<()> {
    earlier::measure(workspace, caller, dist, table)
}

/// The row of idle memory, with both shipped drivers.
pub(super) fn idle_memory(workspace: &Workspace, caller: &Caller, table: &mut Table) -> Result<()> {
    memory::idle(workspace, caller, table)
}

impl Race {
    fn run(&self, caller: &Caller, callers: usize, table: &mut Table) -> Result<()> {
        let calls = std::iter::once(&self.ours).chain(self.theirs.iter().map(|(_, call)| call));
        let loads = caller.race(callers, &calls.cloned().collect::<Vec<_>>())?;
        let (ours, theirs) = loads.split_first().context("a race has an outcome")?;
        let what = match callers {
            1 => format!("{}, 1 caller", self.what),
            _ => format!("{}, {callers} callers", self.what),
        };
        if theirs.is_empty() {
            table.load(&what, *ours, None);
        }
        for ((name, _), load) in self.theirs.iter().zip(theirs) {
            table.load(&what, *ours, Some((name, *load)));
        }
        Ok(())
    }
}

/// What a guest adds: `local`'s answer about its node asks the host for nothing. Without a guest, the statistics
/// of a volume take the same way: a thread, a file of the host's, a system call.
fn sandbox(caller: &Caller, site: &Site, table: &mut Table) -> Result<()> {
    let calls = [site.call("NodeGetInfo"), site.call("NodeGetVolumeStats")];
    let loads = caller.race(1, &calls)?;
    let [guest, alone] = loads[..] else {
        anyhow::bail!("a race of two has two outcomes");
    };
    let limit = Duration::from_micros(100);
    let without = ("`NodeGetVolumeStats`, without", alone.latency);
    let what = "what a guest adds to a call: `NodeGetInfo`";
    table.overhead(what, guest.latency, without, limit);
    Ok(())
}

impl Outcome {
    fn parse(told: &Value) -> Result<Self> {
        let rates = told["rates"].as_array().into_iter().flatten();
        let rates: Vec<f64> = rates.filter_map(Value::as_f64).collect();
        ensure!(!rates.is_empty(), "no turn was over");
        let latency = told["latency"].as_u64().context("no call was made")?;
        let calls = told["calls"].as_u64().context("calls were not counted")?;
        Ok(Self {
            rates,
            latency: Duration::from_nanos(latency),
            calls: u32::try_from(calls)?,
        })
    }

    /// The median turn.
    fn load(&self) -> Load {
        Load {
            per_second: median(self.rates.clone()),
            latency: self.latency,
        }
    }
}

/// The middle of at least one.
fn median(mut numbers: Vec<f64>) -> f64 {
    numbers.sort_unstable_by(f64::total_cmp);
    numbers[numbers.len() / 2]
}

impl Caller {
    pub(super) fn build(workspace: &Workspace) -> Result<Self> {
        let mut cargo = command("cargo");
        cargo.current_dir(workspace.root());
        cargo.args([
            "build",
            "--package",
            "drivebay-csi-load",
            "--profile",
            "dist",
        ]);
        process::run(&mut cargo, Echo::Live)?;
        Ok(Self(workspace.cargo_target()?.join("dist/csi-load")))
    }

    /// Makes every call for each number below `count`.
    pub(super) fn each(&self, count: usize, calls: &[Value]) -> Result<()> {
        answer(self.command("each", &[count]).args(words(calls))).map(drop)
    }

    /// Makes so many calls in all.
    fn repeat(&self, callers: usize, total: usize, calls: &[Value]) -> Result<()> {
        answer(self.command("repeat", &[callers, total]).args(words(calls))).map(drop)
    }

    fn race(&self, callers: usize, calls: &[Value]) -> Result<Vec<Load>> {
        let outcomes = self.turns(callers, TURNS, calls)?;
        Ok(outcomes.iter().map(Outcome::load).collect())
    }

    /// The calls as contenders, with so many turns each.
    fn turns(&self, callers: usize, turns: usize, calls: &[Value]) -> Result<Vec<Outcome>> {
        let told = answer(self.command("race", &[callers, turns]).args(words(calls)))?;
        let told: Vec<Value> = serde_json::from_str(&told)?;
        told.iter().map(Outcome::parse).collect()
    }

    /// Makes the calls one after the other, so many times, and tells the median of each.
    pub(super) fn cycle<const N: usize>(
        &self,
        count: usize,
        calls: &[Value; N],
    ) -> Result<[Duration; N]> {
        let medians = self.medians(count, calls)?;
        let count = medians.len();
        medians
            .try_into()
            .map_err(|_| anyhow::anyhow!("{count} medians of {N} calls"))
    }

    /// The same of any number of calls.
    pub(super) fn medians(&self, count: usize, calls: &[Value]) -> Result<Vec<Duration>> {
        let told = answer(self.command("cycle", &[count]).args(words(calls)))?;
        let medians: Vec<u64> = serde_json::from_str(&told)?;
        Ok(medians.into_iter().map(Duration::from_nanos).collect())
    }

    /// Callers whose calls are made by turns until their standard input ends, as many as that, each with that pause after
    /// each call.
    pub(super) fn attend(&self, callers: usize, pause: Duration, calls: &[Value]) -> Command {
        let pause = usize::try_from(pause.as_millis()).unwrap_or(usize::MAX);
        let mut attend = self.command("attend", &[callers, pause]);
        attend.args(words(calls));
        attend
    }

    /// One who asks until that version of the component serves, and makes the call then.
    pub(super) fn awaiting(&self, version: &str, call: &Value) -> Command {
        let mut awaiting = command(&self.0);
        awaiting.args(["await", version, &call.to_string()]);
        awaiting
    }

    fn command(&self, what: &str, numbers: &[usize]) -> Command {
        let mut command = command(&self.0);
        command.arg(what).args(numbers.iter().map(usize::to_string));
        command
    }
}

fn words(calls: &[Value]) -> impl Iterator<Item = String> {
    calls.iter().map(Value::to_string)
}
