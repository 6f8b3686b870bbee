//! A hot swap: a new version of a component comes in a mounted ConfigMap while calls go on, broken ones are refused, and
//! the operator goes back to the version before.
//!
//! The driver is the example `local`, whose volumes need no server.

mod callers;
mod site;

use std::fs;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};

use self::callers::Callers;
use self::site::Site;
use super::node::{Node, may_mount, mounts_beneath, stage};
use crate::steps::say;
use crate::version::{trapping, version};
use crate::workspace::Workspace;

const OLD: &str = "1.0.0";
const NEW: &str = "1.1.0";

/// How many mount and unmount all the while.
const CALLERS: usize = 4;

/// Shows it, and returns the part's verdict.
pub(super) fn show(workspace: &Workspace) -> Result<String> {
    if !may_mount()? {
        say("  This user may not mount anything here; run the demo as root to see this part.");
        return Ok("no component was swapped".to_owned());
    }
    let scratch = stage(workspace, "swap")?;
    let node = Node::new(workspace, scratch.path())?;
    let built = fs::read(workspace.components().join(site::FILE))?;
    say(format_args!(
        "\n  The components of a node lie in a ConfigMap that is mounted there. It holds version {OLD} of the\n  \
         example driver `local`; the operator installs that, and starts what takes up later ones:"
    ));
    let site = Site::new(&node, &version(&built, OLD)?)?;
    let verdict = live(site, &built)?;
    node.expect_nothing_left()?;
    say("\n  Nothing is mounted any more, and the journal is empty.");
    Ok(verdict)
}

fn live(mut site: Site<'_>, built: &[u8]) -> Result<String> {
    say("\n  A pod with a volume starts:");
    let first = site.mount("web-0")?;
    for line in mounts_beneath(&first)? {
        say(format_args!("    {line}"));
    }
    let callers = Callers::start(site.node, CALLERS)?;
    say(format_args!(
        "\n  From now on {CALLERS} callers mount and unmount volumes of their own, without a pause."
    ));
    let took = swap(&mut site, &callers, built)?;
    say("\n  Another pod starts:");
    let second = site.mount("web-1")?;
    refuse(&mut site, &callers, built)?;
    roll_back(&site, &callers)?;
    let made = callers.end()?;
    say(format_args!(
        "\n  The callers stop. All in all they made {made} calls, and none failed."
    ));
    say("\n  The pods go, and each volume is released by the version that mounted it:");
    for (pod, mounted_by) in [(&first, OLD), (&second, NEW)] {
        let released_by = site.unmount(pod)?;
        say(format_args!("    by version {released_by}"));
        ensure!(released_by == mounted_by, "not by version {mounted_by}");
    }
    Ok(format!(
        "a new version of a component served {} after it came, and {made} calls meanwhile met no failure",
        seconds(took)
    ))
}

/// Version 2 comes.
fn swap(site: &mut Site<'_>, callers: &Callers, built: &[u8]) -> Result<Duration> {
    let before = callers.made();
    let swapped = site.show(&version(built, NEW)?)?;
    site.wait_for_call_of(NEW, 0)?;
    let took = swapped.elapsed();
    let meanwhile = callers.made() - before;
    say(format_args!(
        "\n  The ConfigMap's `..data` is renamed to version {NEW}. {} later that answers its first call;\n  \
         {meanwhile} calls were answered in between, and {} failed.",
        seconds(took),
        callers.failed()
    ));
    callers.expect_none_failed()?;
    Ok(took)
}

/// Two broken builds of version 3.
fn refuse(site: &mut Site<'_>, callers: &Callers, built: &[u8]) -> Result<()> {
    let next = version(built, "1.2.0")?;
    let broken = [
        ("was cut off", next[..next.len() / 2].to_vec()),
        ("traps", trapping(&next)?),
    ];
    let mut reason = String::new();
    for (how, component) in broken {
        let before = callers.made();
        let swapped = site.show(&component)?;
        reason = site.wait_for_refusal(&reason)?;
        let took = seconds(swapped.elapsed());
        say(format_args!(
            "\n  A build that {how} is refused {took} after it came. `drivebay status` says:\n    {reason}"
        ));
        site.expect_active(NEW)?;
        callers.expect_none_failed()?;
        say(format_args!(
            "  Version {NEW} goes on serving: {} calls meanwhile.",
            callers.made() - before
        ));
    }
    Ok(())
}

fn roll_back(site: &Site<'_>, callers: &Callers) -> Result<()> {
    say("\n  The operator wants the version before:");
    let (asked, seen) = (Instant::now(), site.log()?.len());
    site.roll_back()?;
    site.wait_for_call_of(OLD, seen)?;
    say(format_args!(
        "  {} after the command began, version {OLD} answers a call again; {} failed.",
        seconds(asked.elapsed()),
        callers.failed()
    ));
    callers.expect_none_failed()?;
    site.expect_active(OLD)
}

fn seconds(time: Duration) -> String {
    format!("{:.2} s", time.as_secs_f64())
}
