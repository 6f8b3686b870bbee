//! `drivebay serve` beside that of an earlier build: the same calls by turns, in one run.
//!
//! Both have `local`, each its own. Of a turn's two halves, a fifth of a second each, the ratio is taken: whatever else the
//! machine does meanwhile is in both. The median turn counts. Processor time is told besides, which others on the
//! machine hardly change.

use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};
use drivebay_testbed::Serving;
use serde_json::Value;

use super::memory::{self, AFTER_MANY, Memory};
use super::site::{Build, Site};
use super::{CALLERS, Caller, Outcome, VOLUMES, median};
use crate::bench::table::Table;
use crate::workspace::Workspace;

const EARLIER: &str = "the earlier build";

/// Six seconds for each build in each row.
const TURNS: usize = 30;

/// What callers ask most, and what its rows are called.
const CALLS: [(&str, &str); 4] = [
    ("`NodeGetCapabilities`", "NodeGetCapabilities"),
    ("`NodeGetVolumeStats`", "NodeGetVolumeStats"),
    (
        "`NodePublishVolume`, published already",
        "NodePublishVolume",
    ),
    ("`NodeStageVolume`, staged already", "NodeStageVolume"),
];

/// With so many callers the one thread that carries messages has always something to do.
const MANY: usize = 16;

/// Of the units in which the kernel tells processor time (proc_pid_stat(5)), on every architecture that is built for.
const TICKS_PER_SECOND: u32 = 100;

/// One build, serving `local`.
struct Side {
    serving: Serving,
    site: Site,
    /// Bytes, before it had any volume.
    idle: u64,
}

/// Adds the rows.
pub(super) fn measure(
    workspace: &Workspace,
    caller: &Caller,
    dist: &Path,
    table: &mut Table,
) -> Result<()> {
    let ours = Side::start(workspace, caller, &Build::current(workspace))?;
    let theirs = Side::start(workspace, caller, &Build::earlier(dist)?)?;
    for (what, rpc) in CALLS {
        for callers in CALLERS {
            race([&ours, &theirs], caller, callers, (what, rpc), table)?;
        }
    }
    // It runs the guest.
    race(
        [&ours, &theirs],
        caller,
        1,
        ("`NodeGetInfo`", "NodeGetInfo"),
        table,
    )?;
    let what = "memory with `local`, idle";
    table.growth(what, ours.idle, (EARLIER, theirs.idle), 1.0);
    let ([_, ours], [_, theirs]) = (ours.around_many(caller)?, theirs.around_many(caller)?);
    table.growth(AFTER_MANY, ours, (EARLIER, theirs), 1.0);
    Ok(())
}

impl Side {
    /// With a volume for each caller, staged and published.
    fn start(workspace: &Workspace, caller: &Caller, build: &Build) -> Result<Self> {
        let site = Site::with_local_of(workspace, build, VOLUMES)?;
        let serving = site.serve(&["local"])?;
        caller.each(
            1,
            &["NodeGetCapabilities", "NodeGetInfo"].map(|rpc| site.call(rpc)),
        )?;
        let idle = Memory::of(serving.id())?.resident;
        let calls = ["NodeStageVolume", "NodePublishVolume"].map(|rpc| site.call(rpc));
        caller.each(VOLUMES, &calls)?;
        Ok(Self {
            serving,
            site,
            idle,
        })
    }

    fn around_many(&self, caller: &Caller) -> Result<[u64; 2]> {
        let calls = [
            "NodeGetCapabilities",
            "NodeGetVolumeStats",
            "NodePublishVolume",
            "NodeGetInfo",
        ];
        let calls = calls.map(|rpc| self.site.call(rpc));
        memory::around_many(caller, &self.serving, &calls)
    }

    fn processor_time(&self) -> Result<Duration> {
        let file = format!("/proc/{}/stat", self.serving.id());
        let text = fs::read_to_string(&file).with_context(|| format!("cannot read {file}"))?;
        processor_time(&text).with_context(|| format!("{file} tells no processor time"))
    }
}

fn race(
    sides: [&Side; 2],
    caller: &Caller,
    callers: usize,
    (what, rpc): (&str, &str),
    table: &mut Table,
) -> Result<()> {
    let [ours, theirs] = sides;
    let before = [ours.processor_time()?, theirs.processor_time()?];
    let calls: [Value; 2] = sides.map(|side| side.site.call(rpc));
    let outcomes = caller.turns(callers, TURNS, &calls)?;
    let [our_outcome, their_outcome] = &outcomes[..] else {
        anyhow::bail!("a race of two has two outcomes");
    };
    let what = match callers {
        1 => format!("{what}, 1 caller"),
        _ => format!("{what}, {callers} callers"),
    };
    let (our_load, their_load) = (our_outcome.load(), their_outcome.load());
    let ratio = ratio(our_outcome, their_outcome);
    table.beside(&what, our_load, (EARLIER, their_load), ratio);
    if callers == MANY {
        let ours = (ours.processor_time()? - before[0]) / our_outcome.calls;
        let theirs = (theirs.processor_time()? - before[1]) / their_outcome.calls;
        table.processor(
            &format!("{what}, processor time of one"),
            ours,
            (EARLIER, theirs),
        );
    }
    Ok(())
}

/// How much longer a call takes of the server; the median turn's.
fn ratio(ours: &Outcome, theirs: &Outcome) -> f64 {
    let turns = ours.rates.iter().zip(&theirs.rates);
    median(turns.map(|(ours, theirs)| theirs / ours).collect())
}

/// What a process has used, in its own code and in the kernel's, of all its threads.
fn processor_time(stat: &str) -> Option<Duration> {
    // Its name comes second, in brackets, and may hold spaces.
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace().skip(11);
    let mut ticks = || fields.next()?.parse::<u32>().ok();
    Some(Duration::from_secs(1) * (ticks()? + ticks()?) / TICKS_PER_SECOND)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(rates: &[f64]) -> Outcome {
        Outcome {
            rates: rates.to_vec(),
            latency: Duration::from_millis(1),
            calls: 1,
        }
    }

    #[test]
    fn the_ratio_is_the_median_turns_whatever_the_machine_did_in_others() {
        let ours = outcome(&[200.0, 100.0, 20.0]);
        let theirs = outcome(&[100.0, 50.0, 30.0]);
        assert!((ratio(&ours, &theirs) - 0.5).abs() < 1e-9);
    }

    #[test]
    fn processor_time_is_read_behind_whatever_name_the_process_has() {
        let stat = "77 (a) b (c) S 1 77 77 0 -1 4194560 100 0 0 0 150 25 9 9 20 0 3 0 100 0 0";
        assert_eq!(processor_time(stat), Some(Duration::from_millis(1750)));
        assert_eq!(processor_time("77 (a"), None);
    }
}
