//! `drivebay conform FILE`: whether a component keeps the contract's promises, by rules that each say why they exist.
//!
//! The component is asked what Kubernetes would ask it, on a model of a node and of what is behind it, and its answers are
//! compared with what callers rely on. With `--live` what is behind it are real servers. Exit code 0 where each rule that
//! applies was tried and is kept.

mod bench;
mod cleanup;
mod expectation;
mod junit;
mod made;
mod report;
mod rule;
mod rules;
mod subject;

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::bail;
use clap::{Args, ValueEnum};
use drivebay::config::Limits;
use drivebay::driver::{ByHand, Driver, DryRun, DryRunGrants, Servers};

use super::inspect::component_name;
use super::run::{ModelArguments, StateDirectory, as_asked, by_file, pair, put_into, read_secrets};
use bench::{Bench, Ear};
use report::Report;
use rule::Rule;
use rules::RULES;
use subject::SubjectArguments;

/// Of each call where no server is waited for, so that what takes longer would take for ever.
const DEADLINE: Duration = Duration::from_secs(10);

/// Check that a component keeps the contract's promises.
#[derive(Debug, Args)]
pub(crate) struct Conform {
    /// The component
    file: PathBuf,
    /// A driver's file that grants the component what it may use; whatever it asks for is granted otherwise
    #[arg(long = "grants", value_name = "FILE")]
    driver_file: Option<PathBuf>,
    /// Ask the servers that --grants leads to, instead of a model; what is made there is deleted again
    #[arg(long)]
    live: bool,
    #[command(flatten)]
    subject: SubjectArguments,
    /// A secret that each call brings: its name, and the file that holds it
    #[arg(long = "secret", value_name = "NAME=FILE", value_parser = pair)]
    secrets: Vec<(String, String)>,
    #[command(flatten)]
    model: ModelArguments,
    /// How the report is printed
    #[arg(long, value_enum, default_value_t = Form::Text)]
    output: Form,
    /// Try this rule alone; may be given several times
    #[arg(long = "rule", value_name = "NAME")]
    rules: Vec<String>,
}

/// For whom.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Form {
    /// People
    Text,
    /// Programs: one object
    Json,
    /// Programs that show the results of tests: JUnit's XML
    Junit,
}

impl Conform {
    pub(crate) fn run(self) -> anyhow::Result<ExitCode> {
        let rules = self.wanted()?;
        let state = StateDirectory::of_dry_run()?;
        let bench = self.bench(&state)?;
        if bench.servers == Servers::Real {
            aside!(
                "drivebay: what this run makes has names that begin with {}-",
                bench.names_begin_with()
            );
        }
        let mut report = Report::of(component_name(&self.file));
        for rule in rules {
            report.add(rule, rule.tried_on(&bench));
        }
        report.left = bench.left.take();
        match self.output {
            Form::Text => report.print(),
            Form::Json => say!("{}", report.json()),
            Form::Junit => say!("{}", junit::document(&report)),
        }
        Ok(match report.is_good() {
            true => ExitCode::SUCCESS,
            false => ExitCode::FAILURE,
        })
    }

    fn wanted(&self) -> anyhow::Result<Vec<&'static Rule>> {
        let all = || RULES.iter().copied().flatten();
        for name in &self.rules {
            if !all().any(|rule| rule.name == name) {
                let names: Vec<&str> = all().map(|rule| rule.name).collect();
                bail!("there is no rule {name:?}; there are {}", names.join(", "));
            }
        }
        let is_wanted =
            |rule: &&Rule| self.rules.is_empty() || self.rules.iter().any(|name| name == rule.name);
        Ok(all().filter(is_wanted).collect())
    }

    fn bench(&self, state: &StateDirectory) -> anyhow::Result<Bench> {
        let paths = state.paths();
        paths.close()?;
        let names: Vec<String> = self.secrets.iter().map(|(name, _)| name.clone()).collect();
        let brought = read_secrets(self.secrets.clone())?;
        let servers = self.servers()?;
        let (mut config, grants) = match &self.driver_file {
            Some(grants) => (by_file(&self.file, grants)?, DryRunGrants::ByFile),
            None => (as_asked(&self.file, &paths, &names)?, DryRunGrants::AsAsked),
        };
        if servers == Servers::Modelled {
            config.limits = Limits {
                deadline: config.limits.deadline.min(DEADLINE),
                ..config.limits
            };
        }
        let manifest = put_into(&paths, &self.file, &config)?;
        let ear = Arc::new(Ear::default());
        let run = DryRun {
            servers,
            ..self.model.settings(state.root().to_owned(), grants)?
        };
        let by_hand = ByHand::new(Arc::<Ear>::clone(&ear)).dry(run)?;
        let driver = Driver::by_hand(config, paths, by_hand);
        Bench::new(
            driver,
            manifest.description,
            ear,
            brought,
            self.subject.subject(),
            servers,
        )
    }

    fn servers(&self) -> anyhow::Result<Servers> {
        match (self.live, &self.driver_file) {
            (false, _) => Ok(Servers::Modelled),
            (true, None) => bail!(
                "--live asks real servers, and needs --grants FILE, which says which; `drivebay inspect {}` prints one to begin with",
                self.file.display()
            ),
            (true, Some(_)) if self.model.speaks_for_servers() => bail!(
                "--host and --http say what servers answer, and with --live they answer themselves: leave out the one or the other"
            ),
            (true, Some(_)) => Ok(Servers::Real),
        }
    }
}
