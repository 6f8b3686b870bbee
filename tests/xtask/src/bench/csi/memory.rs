//! How much memory `drivebay serve` holds, and whether it grows.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use drivebay_testbed::Serving;
use serde_json::{Value, json};

use super::Caller;
use super::site::Site;
use crate::bench::table::Table;
use crate::emulator;
use crate::workspace::Workspace;

/// Before this many calls, pools of threads and connections still fill.
const WARM_UP: usize = 10_000;
const CALLS: usize = 100_000;
const CALLERS: usize = 16;

pub(super) const AFTER_MANY: &str = "memory after 100,000 calls";

const MIB: f64 = (1 << 20) as f64;

/// Both shipped drivers in one process, each asked once for what its guest has to say.
pub(super) fn idle(workspace: &Workspace, caller: &Caller, table: &mut Table) -> Result<()> {
    let site = Site::empty(workspace)?;
    let cloud = emulator::cloud(workspace, &site.path("cloud"))?;
    let grants = cloud.grants(&cloud.key_in_files()?)?;
    site.install("alicloud-disk", &grants)?;
    let grants = fs::read_to_string(workspace.root().join("deploy/drivers.d/nfs.toml"))?;
    site.install("nfs", &grants)?;
    let drivers = ["alicloud-disk", "nfs"];
    let serving = site.serve(&drivers)?;
    for driver in drivers {
        let ask = |rpc| json!({ "socket": site.socket(driver), "rpc": rpc });
        caller.each(1, &[ask("NodeGetCapabilities"), ask("NodeGetInfo")])?;
    }
    let memory = Memory::of(serving.id())?;
    let what = format!(
        "idle memory, `drivebay serve` with both drivers (anonymous {:.1} MiB, proportional {:.1} MiB)",
        megabytes(memory.anonymous),
        megabytes(memory.proportional)
    );
    table.size(&what, memory.resident, ("MiB", 1 << 20), 16);
    Ok(())
}

/// The same process before and after many calls of all kinds.
pub(super) fn growth(
    caller: &Caller,
    serving: &Serving,
    calls: &[Value],
    table: &mut Table,
) -> Result<()> {
    let [before, after] = around_many(caller, serving, calls)?;
    table.growth(AFTER_MANY, after, ("before", before), 1.1);
    Ok(())
}

/// What it holds before so many calls, and after them.
pub(super) fn around_many(caller: &Caller, serving: &Serving, calls: &[Value]) -> Result<[u64; 2]> {
    caller.repeat(CALLERS, WARM_UP, calls)?;
    let before = Memory::of(serving.id())?.resident;
    caller.repeat(CALLERS, CALLS, calls)?;
    Ok([before, Memory::of(serving.id())?.resident])
}

/// Bytes, from `smaps_rollup` (proc(5)).
pub(in crate::bench) struct Memory {
    pub(in crate::bench) resident: u64,
    proportional: u64,
    anonymous: u64,
}

impl Memory {
    pub(in crate::bench) fn of(process: u32) -> Result<Self> {
        Self::told_in(&Path::new("/proc").join(process.to_string()))
    }

    /// Of the process whose directory that is in some /proc.
    pub(in crate::bench) fn told_in(process: &Path) -> Result<Self> {
        let file = process.join("smaps_rollup");
        let text = fs::read_to_string(&file);
        let text = text.with_context(|| format!("cannot read {}", file.display()))?;
        Ok(Self {
            resident: bytes(&text, "Rss:")?,
            proportional: bytes(&text, "Pss:")?,
            anonymous: bytes(&text, "Anonymous:")?,
        })
    }
}

fn bytes(text: &str, name: &str) -> Result<u64> {
    let rest = text.lines().find_map(|line| line.strip_prefix(name));
    let number = rest.and_then(|rest| rest.trim().strip_suffix(" kB"));
    let kib: u64 = number.with_context(|| format!("no {name}"))?.parse()?;
    Ok(kib * 1024)
}

#[expect(clippy::cast_precision_loss, reason = "a figure for people")]
fn megabytes(bytes: u64) -> f64 {
    bytes as f64 / MIB
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_found_by_its_whole_name() {
        let text =
            "7f-7f ---p 00000000 00:00 0 [rollup]\nRss:    12 kB\nPss:     3 kB\nPss_Anon: 2 kB\n";
        assert_eq!(bytes(text, "Rss:").expect("there"), 12 * 1024);
        assert_eq!(bytes(text, "Pss:").expect("there"), 3 * 1024);
        assert!(bytes(text, "Anonymous:").is_err());
    }
}
