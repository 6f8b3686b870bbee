//! `drivebay attach-limits DRIVER`: how many volumes nodes can have by what machine they are, as the backend says, in the
//! form of the driver's file.

use std::process::ExitCode;

use clap::Args;
use drivebay::config::Paths;
use drivebay::log_file::LogFile;

use super::run;

/// Ask a driver's backend how many volumes each type of machine can have, and print it for the driver's file.
#[derive(Debug, Args)]
pub(crate) struct AttachLimits {
    /// The driver: the name of its file in drivers.d, without .toml
    driver: String,
}

impl AttachLimits {
    pub(crate) fn run(self, paths: &Paths) -> anyhow::Result<ExitCode> {
        LogFile::install(&paths.log, "run.log");
        paths.close()?;
        let session = run::open(paths, self.driver)?;
        let limits = session.attach_limits().map_err(run::told)?;
        println!("[attach-limit.instance-types]");
        for (instance_type, max_volumes) in limits {
            println!("{instance_type:?} = {max_volumes}");
        }
        Ok(ExitCode::SUCCESS)
    }
}
