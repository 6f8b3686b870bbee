//! What a hot swap costs: how soon a new version answers, and what those notice who call meanwhile.
//!
//! Components come from a directory that is written as a mounted ConfigMap is. Versions are the built component under
//! other version numbers, so that each is checked, compiled and tried anew.

mod callers;
mod site;

use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};

use self::callers::{Calling, Seen};
use self::site::{OfLocal, Shipped};
use super::csi::{Caller, Memory};
use super::measure::median;
use super::table::Table;
use crate::process::{self, Echo, command};
use crate::steps::say;
use crate::workspace::Workspace;

/// Swaps of which the median is told.
const SWAPS: usize = 10;

const CALLERS: usize = 16;

/// Between a caller's calls: sidecars and kubelet wait for something to do. Where callers keep every processor busy, a
/// compiler at the lowest priority hardly comes to anything, which is its purpose.
const PAUSE: Duration = Duration::from_millis(5);

/// Connections and caches, before anything counts.
const WARM_UP: Duration = Duration::from_secs(1);

/// Between two swaps, which counts as well: a machine that others use is not the same all the time.
const BETWEEN: Duration = Duration::from_secs(1);

/// How long calls are watched without a swap, before and after all of them.
const CALM: Duration = Duration::from_secs(5);

/// About what componentize-py makes of a backend in Python.
const LARGE: usize = 18_000_000;

/// Swaps under calls, and after how many of them memory is looked at first.
const MANY: usize = 100;
const FEW: usize = 10;

const SOON: Duration = Duration::from_secs(1);
const ONE_CORE: Duration = Duration::from_secs(2);

/// Adds the rows.
pub(super) fn measure(workspace: &Workspace, caller: &Caller, table: &mut Table) -> Result<()> {
    how_soon(workspace, caller, table)?;
    let mut local = OfLocal::new(workspace, caller, CALLERS)?;
    who_notices(&mut local, caller, table)?;
    many(&mut local, caller, table)
}

/// From the rename of `..data` to the first answer of the new version's.
fn how_soon(workspace: &Workspace, caller: &Caller, table: &mut Table) -> Result<()> {
    let mut shipped = Shipped::new(workspace, caller)?;
    for driver in site::SHIPPED {
        let took = median_of(|| shipped.swap(driver, caller))?;
        let what = format!("`{driver}`: from the rename of `..data` to the first answer");
        table.within(&what, took, SOON);
    }
    pin(shipped.process())?;
    let took = median_of(|| shipped.swap("alicloud-disk", caller))?;
    let what = "`alicloud-disk`: the same, `serve` and all its workers on one core";
    table.within(what, took, ONE_CORE);
    Ok(())
}

fn median_of(mut swap: impl FnMut() -> Result<Duration>) -> Result<Duration> {
    let times: Vec<Duration> = (0..SWAPS).map(|_| swap()).collect::<Result<_>>()?;
    Ok(median(times))
}

/// All threads of a process stay on one processor, and whatever they start.
fn pin(process: u32) -> Result<()> {
    let mut taskset = command("taskset");
    taskset.args(["--all-tasks", "--pid", "--cpu-list", "0"]);
    process::run(taskset.arg(process.to_string()), Echo::Silent).map(drop)
}

/// Callers during swaps of small components and of a large one, and without a swap.
fn who_notices(local: &mut OfLocal, caller: &Caller, table: &mut Table) -> Result<()> {
    let calling = Calling::start(caller, CALLERS, PAUSE, &local.calls())?;
    thread::sleep(WARM_UP);
    calling.part("calm")?;
    thread::sleep(CALM);
    for _ in 0..SWAPS {
        let next = local.next()?;
        calling.part("small")?;
        local.swap(caller, &next)?;
        calling.part("calm")?;
        thread::sleep(BETWEEN);
    }
    let large = local.next()?.grown(LARGE)?;
    calling.part("large")?;
    let took = local.swap(caller, &large)?;
    calling.part("calm")?;
    thread::sleep(CALM);
    let told = calling.end()?;
    let calm = told.part("calm")?;
    let size = format!("{:.1} MB", megabytes(large.component.len()));
    let parts = [
        ("small", format!("{SWAPS} versions of `local`")),
        (
            "large",
            format!("one of {size}, in {:.0} s", took.as_secs_f64()),
        ),
    ];
    for (name, of) in parts {
        let during = told.part(name)?;
        tell_failures(&during);
        let what =
            format!("99 of 100 calls of {CALLERS} callers, at most, during the coming of {of}");
        table.ratio(&what, during.p99, ("without", calm.p99), Some(2.0));
        ensure!(during.failed + calm.failed == 0, "calls failed");
    }
    Ok(())
}

/// A hundred swaps in a row while everybody calls.
fn many(local: &mut OfLocal, caller: &Caller, table: &mut Table) -> Result<()> {
    let calling = Calling::start(caller, CALLERS, PAUSE, &local.calls())?;
    calling.part("all")?;
    let begun = Instant::now();
    let mut few = 0;
    for number in 1..=MANY {
        let next = local.next()?;
        local.swap(caller, &next)?;
        if number == FEW {
            few = Memory::of(local.process())?.resident;
        }
    }
    let many = Memory::of(local.process())?.resident;
    let took = begun.elapsed().as_secs_f64();
    let seen = calling.end()?.part("all")?;
    tell_failures(&seen);
    let what = format!("failed calls of {CALLERS} callers during {MANY} swaps in {took:.0} s");
    table.none(&what, seen.failed, seen.calls);
    let what = format!("memory of `drivebay serve` after {MANY} swaps");
    table.growth(&what, many, (&format!("after {FEW}"), few), 1.1);
    Ok(())
}

fn tell_failures(seen: &Seen) {
    if let Some(why) = &seen.why {
        say(format_args!(
            "  {} calls failed, the first: {why}",
            seen.failed
        ));
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "one digit after the point is printed"
)]
fn megabytes(bytes: usize) -> f64 {
    bytes as f64 / 1e6
}
