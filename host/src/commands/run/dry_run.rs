//! `--dry-run`: what a guest asks is answered from a model, and shown.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use clap::Args;
use drivebay::config;
use drivebay::driver::{DryRun, DryRunGrants, Servers};

use super::arguments::pair;
use super::tree::copy_tree;
use crate::commands::json_output::harmless;

/// How.
#[derive(Debug, Args)]
pub(super) struct DryRunArguments {
    /// Touch nothing of this machine and speak to nobody: answer what the component asks from a model, and show each
    /// question with its answer
    #[arg(long, requires = "component")]
    dry_run: bool,
    #[command(flatten)]
    model: ModelArguments,
}

/// What there is in a model.
#[derive(Debug, Args)]
pub(in crate::commands) struct ModelArguments {
    /// In a dry run: the directory that is granted under this name begins with the content of that one
    #[arg(long = "directory", value_name = "NAME=DIR", value_parser = pair)]
    directories: Vec<(String, String)>,
    /// In a dry run: the address of a server, where the grants judge servers by theirs
    #[arg(long = "host", value_name = "NAME=ADDRESS", value_parser = host)]
    hosts: Vec<(String, IpAddr)>,
    /// In a dry run: a disk that is on this node, by its serial number; those of volumes show once they are attached
    #[arg(long = "device", value_name = "SERIAL=SIZE", value_parser = device)]
    devices: Vec<(String, u64)>,
    /// In a dry run: what servers answer, a line of JSON each: {"request": {…}, "response": {…}}
    #[arg(long = "http", value_name = "FILE")]
    http_tape: Option<PathBuf>,
}

impl DryRunArguments {
    pub(super) fn is_wanted(&self) -> bool {
        self.dry_run
    }

    /// What there is in a model is said of none.
    pub(super) fn check(&self) -> anyhow::Result<()> {
        match self.dry_run || self.model.is_empty() {
            true => Ok(()),
            false => bail!(
                "--directory, --host, --device and --http say what there is in a dry run: add --dry-run, or leave them out"
            ),
        }
    }

    /// As [`ModelArguments::settings`].
    pub(super) fn settings(
        &self,
        directory: PathBuf,
        grants: DryRunGrants,
    ) -> anyhow::Result<DryRun> {
        self.model.settings(directory, grants)
    }
}

impl ModelArguments {
    fn is_empty(&self) -> bool {
        self.directories.is_empty()
            && self.hosts.is_empty()
            && self.devices.is_empty()
            && self.http_tape.is_none()
    }

    /// What answers in the place of servers has nothing to do where they answer themselves.
    pub(in crate::commands) fn speaks_for_servers(&self) -> bool {
        !self.hosts.is_empty() || self.http_tape.is_some()
    }

    /// In that directory, with what the grants are by.
    pub(in crate::commands) fn settings(
        &self,
        directory: PathBuf,
        grants: DryRunGrants,
    ) -> anyhow::Result<DryRun> {
        let tape = self.http_tape.as_ref().map(|file| {
            let text = std::fs::read_to_string(file);
            text.with_context(|| format!("cannot read {}", file.display()))
        });
        let run = DryRun {
            directory,
            granted: grants,
            servers: Servers::Modelled,
            hosts: self.hosts.iter().cloned().collect::<BTreeMap<_, _>>(),
            devices: self.devices.clone(),
            http_tape: tape.transpose()?,
        };
        for (name, from) in &self.directories {
            fill(&run.directory_of(name), Path::new(from))?;
        }
        Ok(run)
    }
}

/// Once: what an earlier operation left there counts.
fn fill(directory: &Path, from: &Path) -> anyhow::Result<()> {
    match directory.exists() {
        true => Ok(()),
        false => {
            copy_tree(from, directory).with_context(|| format!("cannot copy {}", from.display()))
        }
    }
}

fn host(text: &str) -> Result<(String, IpAddr), String> {
    let (name, address) = pair(text)?;
    let address = address
        .parse()
        .map_err(|_| format!("{address:?} is not an address"))?;
    Ok((name, address))
}

fn device(text: &str) -> Result<(String, u64), String> {
    let (serial, size) = pair(text)?;
    Ok((serial, config::size(&size)?))
}

/// What nobody has written on the tape of what servers answer.
pub(super) fn tell_missing(lines: &[String]) {
    for line in lines {
        aside!(
            "drivebay: no line of --http FILE answers a request; this one would, with a response in it:"
        );
        aside!("{}", harmless(line));
    }
}
