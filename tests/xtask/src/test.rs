//! `cargo xtask test`: everything that is checked, in the order in which a mistake shows soonest.
//!
//! Stops at the first step that fails. Ends with the counts of all tests that ran, and one verdict.

mod steps;
mod tally;

use anyhow::{Context, Result, ensure};
use clap::Args;

use self::steps::STEPS;
use self::tally::Tally;
use crate::steps::{Steps, say};
use crate::workspace::Workspace;

#[derive(Args)]
pub(crate) struct Arguments {
    /// Only this step; may be given more than once
    #[arg(long, value_name = "STEP")]
    only: Vec<String>,

    /// Name the steps instead
    #[arg(long)]
    list: bool,
}

pub(crate) fn run(workspace: &Workspace, arguments: &Arguments) -> Result<()> {
    if arguments.list {
        for step in &STEPS {
            say(format_args!("{:<16}{}", step.name, step.about));
        }
        return Ok(());
    }
    let chosen = choose(&arguments.only)?;
    let mut steps = Steps::new("cargo xtask test", chosen.len());
    let mut tally = Tally::default();
    let outcome = chosen.iter().try_for_each(|step| {
        let about = format!("{}: {}", step.name, step.about);
        tally.add(steps.run(about, || (step.check)(workspace))?);
        ensure!(tally.failed == 0, "tests failed");
        Ok(())
    });
    say(&tally);
    outcome.context("run the failed step alone by `cargo xtask test --only STEP`")?;
    steps.verdict("passed");
    Ok(())
}

fn choose(only: &[String]) -> Result<Vec<&'static steps::Step>> {
    if only.is_empty() {
        return Ok(STEPS.iter().collect());
    }
    let find = |name: &String| {
        let step = STEPS.iter().find(|step| step.name == *name);
        step.with_context(|| {
            format!("no step is called {name}; `cargo xtask test --list` names them")
        })
    };
    only.iter().map(find).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_step_is_refused() {
        assert!(choose(&["no-such".to_owned()]).is_err());
        assert_eq!(choose(&["format".to_owned()]).unwrap().len(), 1);
        assert_eq!(choose(&[]).unwrap().len(), STEPS.len());
    }
}
