//! `--dry-run`: what a guest asks is answered from a model, and shown.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::Args;
use drivebay::driver::{DryRun, DryRunGrants, Exchange, Listener};

use super::arguments::pair;
use super::tree::copy_tree;

/// How.
#[derive(Debug, Args)]
pub(super) struct DryRunArguments {
    /// Touch nothing of this machine and speak to nobody: answer what the component asks from a model, and show each
    /// question with its answer
    #[arg(long, requires = "component")]
    dry_run: bool,
    /// In a dry run: the directory that is granted under this name begins with the content of that one
    #[arg(long = "directory", value_name = "NAME=DIR", requires = "dry_run", value_parser = pair)]
    directories: Vec<(String, String)>,
    /// In a dry run: the address of a server, where the grants judge servers by theirs
    #[arg(long = "host", value_name = "NAME=ADDRESS", requires = "dry_run", value_parser = host)]
    hosts: Vec<(String, IpAddr)>,
}

impl DryRunArguments {
    pub(super) fn is_wanted(&self) -> bool {
        self.dry_run
    }

    /// In that directory, with what the grants are by.
    pub(super) fn settings(
        self,
        directory: PathBuf,
        grants: DryRunGrants,
    ) -> anyhow::Result<DryRun> {
        let run = DryRun {
            directory,
            granted: grants,
            hosts: self.hosts.into_iter().collect::<BTreeMap<_, _>>(),
        };
        for (name, from) in self.directories {
            fill(&run.directory_of(&name), Path::new(&from))?;
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

/// For people: the guest's log, and each question with its answer, a line each.
#[derive(Debug)]
pub(super) struct ForPeople;

impl Listener for ForPeople {
    fn log(&self, level: &'static str, message: &str) {
        aside!("guest {level}: {message}");
    }

    fn exchange(&self, exchange: &Exchange<'_>) {
        if let Some(words) = exchange.in_words() {
            aside!("{words}");
        }
    }
}
