//! `cargo xtask kills`: who makes disks for claims is killed as often as is promised, which takes half an hour.
//!
//! The tests are those of the step `provision`, where they kill as often as takes a minute.

use std::num::NonZeroUsize;

use anyhow::{Result, ensure};
use clap::Args;

use super::provision;
use crate::cluster;
use crate::steps::Steps;
use crate::workspace::Workspace;

#[derive(Args)]
pub(crate) struct Arguments {
    /// How often at each named step
    #[arg(long, value_name = "N", default_value = "20")]
    at_each_step: NonZeroUsize,

    /// How often at a moment that nobody chose
    #[arg(long, value_name = "N", default_value = "200")]
    at_random: NonZeroUsize,
}

pub(crate) fn run(workspace: &Workspace, arguments: &Arguments) -> Result<()> {
    let mut steps = Steps::new("cargo xtask kills", provision::STEPS + 1);
    let program = provision::built(workspace, &mut steps)?;
    let [each, random] = [arguments.at_each_step, arguments.at_random];
    let about = format!("kill {each} times at each step and {random} times at random");
    let counts = steps.run(about, || {
        let mut tests = program.command();
        tests
            .env("DRIVEBAY_KILLS_AT_EACH_STEP", each.to_string())
            .env("DRIVEBAY_KILLS_AT_RANDOM", random.to_string())
            .args(["kills::", "--show-output"])
            .args(["--test-threads", cluster::AT_ONCE]);
        provision::counted(&mut tests)
    })?;
    ensure!(counts.failed == 0, "{}", counts.failures.join(", "));
    steps.verdict("no disk was leaked and none was made twice");
    Ok(())
}
