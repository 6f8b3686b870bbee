//! What many claims at once cost, with a real API server and the emulator: `tests/provision/scale.rs` measures.

use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use super::table::Table;
use crate::steps::{Steps, say};
use crate::test::provision::{self, Tests};
use crate::workspace::Workspace;

/// What the API server and the cloud may be asked for each claim.
const API_REQUESTS: u64 = 6;
const CLOUD_REQUESTS: u64 = 3;

/// Prints the table for so many claims. Part of no other run.
pub(super) fn run(workspace: &Workspace, claims: usize) -> Result<()> {
    let mut steps = Steps::new("cargo xtask bench", provision::STEPS + 1);
    let tests = provision::built(workspace, &mut steps)?;
    let file = workspace.target().join("bench-claims.json");
    let about = format!("make disks for {claims} claims");
    let figures = steps.run(about, || measured(&tests, claims, &file))?;
    let mut table = Table::default();
    tell(&figures, &mut table)?;
    say(format_args!("\n{table}"));
    say(format_args!(
        "requests to the API server: {}",
        figures["api"]
    ));
    say(format_args!("requests to the cloud: {}", figures["cloud"]));
    steps.verdict(format_args!("{} targets are missed", table.missed()));
    Ok(())
}

fn measured(tests: &Tests, claims: usize, file: &Path) -> Result<Value> {
    let mut command = tests.command();
    command
        .env("DRIVEBAY_BENCH_CLAIMS", claims.to_string())
        .env("DRIVEBAY_BENCH_FIGURES", file)
        .arg("scale::many_claims_at_once");
    let counts = provision::counted(&mut command)?;
    let text = fs::read_to_string(file);
    let text = text.with_context(|| format!("no figures: {}", counts.failures.join(", ")))?;
    fs::remove_file(file)?;
    ensure!(counts.passed + counts.failed == 1, "nothing was measured");
    Ok(serde_json::from_str(&text)?)
}

fn tell(figures: &Value, table: &mut Table) -> Result<()> {
    let number = |value: &Value| value.as_u64().context("a figure is missing");
    let claims = number(&figures["claims"])?;
    let took = Duration::from_millis(number(&figures["milliseconds"])?);
    let pending = claims.min(1000);
    table.rate(
        &format!("{claims} claims, {pending} of them waiting at once, until all are bound"),
        took,
        claims,
    );
    let [api, cloud] = [&figures["api-requests"], &figures["cloud-requests"]];
    let [api, cloud] = [number(api)?, number(cloud)?];
    let throttled = number(&figures["throttled"])?;
    table.each("requests to the API server", api, claims, API_REQUESTS);
    let what = "requests to the cloud, but for those that it throttled";
    table.each(what, cloud - throttled, claims, CLOUD_REQUESTS);
    let memory = [&figures["memory"][0], &figures["memory"][1]];
    let [early, late] = [number(memory[0])?, number(memory[1])?];
    let first = pending.min(claims / 2);
    let what = format!("memory of the provisioner after {claims} claims");
    table.growth(&what, late, (&format!("after {first}"), early), 1.1);
    let what = format!(
        "places after its turn that a claim was bound, at most, while the cloud throttled {throttled} requests"
    );
    table.count(&what, number(&figures["late"])?, claims / 10);
    Ok(())
}
