//! `drivebay status`: which versions serve each driver of this machine, and what every process that serves has done.

mod json;
mod lines;
mod moment;
mod processes;
mod report;
mod versions;

use std::process::ExitCode;

use anyhow::{Context, bail};
use clap::Args;
use drivebay::config::Paths;

use super::json_output::printed;
use super::output;
use processes::Process;
use report::report;
use versions::DriverVersions;

/// Show which versions serve each driver, and what each `drivebay serve` on this machine has done
#[derive(Debug, Args)]
pub(crate) struct Status {
    /// Print one JSON object, whose fields the operators' guide has
    #[arg(long)]
    json: bool,
}

impl Status {
    /// Fails where there is nothing to show, and where somebody who serves does not answer.
    pub(crate) fn run(self, paths: &Paths) -> anyhow::Result<ExitCode> {
        let processes = processes::of_all(&paths.serving())?;
        let drivers = versions::of_all(paths);
        let shown = drivers.as_deref().unwrap_or_default();
        match self.json {
            true => say!("{}", printed(&json::json(shown, &processes))),
            false => show(shown, &processes),
        }
        if let Err(error) = drivers {
            return Err(error).context("cannot tell which drivers are configured");
        }
        if shown.is_empty() && processes.is_empty() {
            bail!(
                "no driver is configured in {}, and no process serves any here (none has a socket in {})",
                paths.drivers().display(),
                paths.serving().display()
            );
        }
        let all_answer = processes.iter().all(|process| process.answer.is_ok());
        Ok(match all_answer {
            true => ExitCode::SUCCESS,
            false => ExitCode::FAILURE,
        })
    }
}

fn show(drivers: &[DriverVersions], processes: &[Process]) {
    for driver in drivers {
        output::lines(&lines::lines(driver));
    }
    if processes.is_empty() {
        say!("no process serves drivers here");
    }
    for Process { id, answer } in processes {
        match answer {
            Ok(samples) => output::lines(&report(id, samples)),
            Err(error) => say!("process {id} does not answer: {error}"),
        }
    }
}
