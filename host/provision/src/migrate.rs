//! `drivebay-provision migrate`: FlexVolume PersistentVolumes become those of CSI, and back.
//!
//! The source of a PersistentVolume cannot be changed, so the object is replaced by one of the same name that the same claim
//! holds. The claim is never touched: a StatefulSet that finds none makes one, with an empty volume.
//!
//! ```text
//! drivers translation replacement object mark record   what a volume is replaced by, and what is written down: pure
//! uses inline assessment step                          who uses it, whether it may be, and what is next: pure
//! cluster survey latest work                           the API server, asked and told
//! ```

mod arguments;
mod assessment;
mod cluster;
mod drivers;
mod inline;
mod latest;
mod mark;
mod object;
mod record;
mod replacement;
mod step;
mod survey;
mod translation;
mod uses;
mod work;

use std::fmt;
use std::future::ready;
use std::io::Write as _;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Instant;

use anyhow::Context as _;
use drivebay::log_stream::{self, LogLevel};
use futures::{StreamExt as _, stream};
use kube::Client;

pub(crate) use arguments::Arguments;

use arguments::Mode;
use cluster::Cluster;
use latest::Latest;
use survey::Survey;
use work::{Outcome, Work};

use crate::events::{Events, PROVISION};
use crate::intent::Holder;

/// What scripts see where something that was chosen is not done. 1 is for what went wrong, 2 for a wrong command line.
const LEFT: u8 = 3;

/// How many volumes came to what.
#[derive(Debug, Default)]
struct Counts {
    done: u32,
    would: u32,
    left: u32,
    failed: u32,
}

/// All volumes that were chosen, each told in a line.
pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    log_stream::log_to_stderr(LogLevel::Warn);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("cannot start what waits for the API server")?;
    runtime.block_on(migrate(arguments))
}

async fn migrate(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let client = crate::run::client()
        .await
        .context("cannot find out how to call the API server")?;
    let events = events(&client);
    let cluster = Cluster {
        client,
        namespace: arguments.namespace.clone(),
    };
    let (drivers, direction) = (arguments.drivers(), arguments.direction());
    let read = Instant::now();
    let survey = Arc::new(Survey::read(&cluster).await?);
    let chosen = survey.chosen(&arguments.choice(), direction);
    let work = Work {
        cluster: &cluster,
        drivers: &drivers,
        latest: Latest::new(&cluster, read, Arc::clone(&survey)),
        events: &events,
        direction,
        patience: arguments.patience,
    };
    let mut counts = Counts::default();
    let mode = arguments.mode();
    let outcome = |name: String| {
        let work = &work;
        async move {
            let outcome = match mode {
                Mode::DryRun => work.plan(&name).await,
                Mode::Apply => work.migrate(&name).await,
            };
            (name, outcome)
        }
    };
    // In their order, whichever is done first.
    let outcomes = stream::iter(chosen.iter().cloned()).map(outcome);
    let outcomes = outcomes.buffered(usize::from(arguments.at_once));
    let told = outcomes.for_each(|(name, outcome)| {
        counts.tell(&name, outcome);
        ready(())
    });
    told.await;
    for name in survey.begun_besides(&chosen) {
        say(format_args!(
            "{name}: was begun by another run and is not ended: name it, and it is"
        ));
    }
    if direction == replacement::Direction::ToCsi {
        match survey.inline_volumes(&cluster, &drivers).await {
            Ok(lines) => lines.iter().for_each(|line| say(format_args!("{line}"))),
            Err(error) => {
                counts.failed += 1;
                say(format_args!(
                    "FlexVolumes in pods themselves were not looked for: {error:#}"
                ));
            }
        }
    }
    say(format_args!("{counts}"));
    if mode == Mode::DryRun && counts.would > 0 {
        say(format_args!("Nothing was changed: --apply does it."));
    }
    Ok(counts.code())
}

fn events(client: &Client) -> Events {
    Events::new(client.clone(), PROVISION, &Holder("migrate".to_owned()))
}

impl Counts {
    fn tell(&mut self, name: &str, outcome: anyhow::Result<Outcome>) {
        match outcome {
            Ok(Outcome::Done(what)) => {
                self.done += 1;
                say(format_args!("{name}: {what}"));
            }
            Ok(Outcome::Would(what)) => {
                self.would += 1;
                say(format_args!("{name}: {what}"));
            }
            Ok(Outcome::Left(reason)) => {
                self.left += 1;
                say(format_args!("{name}: left: {reason}"));
            }
            Err(error) => {
                self.failed += 1;
                say(format_args!("{name}: failed: {error:#}"));
            }
        }
    }

    fn code(&self) -> ExitCode {
        match (self.failed, self.left) {
            (0, 0) => ExitCode::SUCCESS,
            (0, _) => ExitCode::from(LEFT),
            (_, _) => ExitCode::FAILURE,
        }
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            done,
            would,
            left,
            failed,
        } = self;
        write!(
            f,
            "{done} done, {would} to do, {left} left, {failed} failed"
        )
    }
}

/// A line; where nobody reads it, the code says it.
fn say(line: fmt::Arguments<'_>) {
    let _ = writeln!(std::io::stdout(), "{line}");
}
