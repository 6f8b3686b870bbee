//! The tests of the provisioner of claims, for tasks that run some of them by themselves.

use std::process::Command;

use anyhow::{Context, Result};

use super::counts::Counts;
use super::programs::{self, Program};
use super::steps::{PROVISION, is_outside, rust};
use crate::process::command;
use crate::steps::Steps;
use crate::workspace::Workspace;
use crate::{build, cluster, emulator};

/// Steps of [`built`].
pub(crate) const STEPS: usize = build::STEPS + cluster::PROGRAMS + 2;

/// The program that has them.
pub(crate) struct Tests(Program);

/// Builds them, and all that they run.
pub(crate) fn built(workspace: &Workspace, steps: &mut Steps) -> Result<Tests> {
    build::everything(workspace, steps)?;
    cluster::build_programs(workspace, steps)?;
    steps.run("build the emulator", || emulator::build(workspace))?;
    let programs = steps.run("build the tests", || programs::build(workspace))?;
    let is_it = |it: &Program| is_outside(workspace, it) && it.name == PROVISION;
    let program = programs.into_iter().find(is_it);
    Ok(Tests(
        program.context("tests/ has no test target named provision")?,
    ))
}

impl Tests {
    /// To add arguments to.
    pub(crate) fn command(&self) -> Command {
        let mut tests = command(&self.0.path);
        tests.current_dir(&self.0.directory);
        tests
    }
}

/// Runs them.
pub(crate) fn counted(tests: &mut Command) -> Result<Counts> {
    rust(tests)
}
