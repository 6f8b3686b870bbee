//! The ECS emulator as a program: built once, started beside whatever needs a cloud.

use std::path::{Path, PathBuf};

use anyhow::Result;
use drivebay_testbed::Cloud;

use crate::build;
use crate::workspace::Workspace;

/// The program's name.
const PROGRAM: &str = "ecs-emulator";

/// Builds it, optimised as what is measured against it, into target/dist/tests.
pub(crate) fn build(workspace: &Workspace) -> Result<()> {
    build::put(&build::emulator(workspace)?, &program(workspace))
}

/// Where it is.
pub(crate) fn program(workspace: &Workspace) -> PathBuf {
    workspace.target().join("dist/tests").join(PROGRAM)
}

/// A cloud whose disks are loop devices.
pub(crate) fn cloud(workspace: &Workspace, state: &Path) -> Result<Cloud> {
    Cloud::start(&program(workspace), state, &["--devices", "loop"])
}
