//! `cargo xtask test`: everything that is checked, in the order in which a mistake shows soonest, two steps at once
//! where they are not in each other's way.
//!
//! A step that fails keeps no other from running, but for those that need what it makes. Ends with a table of times,
//! the counts of all tests that ran, and one verdict that names what failed.

mod built;
mod counts;
mod kills;
mod programs;
pub(crate) mod provision;
mod report;
mod schedule;
mod steps;
mod table;

use std::num::NonZeroUsize;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Sender, channel};
use std::thread;

use anyhow::{Context, Result, anyhow};
use clap::Args;

use self::counts::Counts;
pub(crate) use self::kills::{Arguments as Kills, run as kill};
use self::report::Report;
use self::schedule::Schedule;
use self::steps::{STEPS, Step};
use crate::steps::{Begun, Steps, say, speak_for};
use crate::workspace::Workspace;

#[derive(Args)]
pub(crate) struct Arguments {
    /// Only this step; may be given more than once
    #[arg(long, value_name = "STEP")]
    only: Vec<String>,

    /// Run the steps so many times, and say which times failed
    #[arg(long, value_name = "N", default_value = "1")]
    repeat: NonZeroUsize,

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
    all_of(
        "cargo xtask test",
        workspace,
        &chosen,
        arguments.repeat.get(),
    )
}

/// The tests on a cluster, and what they need.
pub(crate) fn on_a_cluster(workspace: &Workspace) -> Result<()> {
    let chosen = choose(&steps::ON_A_CLUSTER.map(str::to_owned))?;
    all_of("cargo xtask cluster", workspace, &chosen, 1)
}

fn all_of(
    task: &'static str,
    workspace: &Workspace,
    chosen: &[&Step],
    repeats: usize,
) -> Result<()> {
    let mut steps = Steps::new(task, chosen.len() * repeats);
    let report = repeated(workspace, chosen, repeats, &mut steps);
    if repeats == 1 {
        say(report.table(steps.elapsed()));
    }
    say(&report);
    report.verdict()?;
    steps.verdict("passed");
    Ok(())
}

fn choose(only: &[String]) -> Result<Vec<&'static Step>> {
    if only.is_empty() {
        return Ok(STEPS.iter().collect());
    }
    let find = |name: &String| {
        let step = STEPS.iter().find(|step| step.name == *name);
        step.with_context(|| {
            format!("no step is called {name}; `cargo xtask test --list` names them")
        })
    };
    let mut chosen: Vec<&'static Step> = only.iter().map(find).collect::<Result<_>>()?;
    // Named twice, it is still one step.
    let mut seen = Vec::new();
    chosen.retain(|step| {
        let is_new = !seen.contains(&step.name);
        seen.push(step.name);
        is_new
    });
    Ok(chosen)
}

/// All chosen steps, then all of them again.
fn repeated(workspace: &Workspace, chosen: &[&Step], repeats: usize, steps: &mut Steps) -> Report {
    let mut report = Report::new(repeats, chosen.iter().map(|step| step.name));
    for repeat in 1..=repeats {
        if repeats > 1 {
            say(format_args!("repeat {repeat} of {repeats}"));
        }
        report.begin();
        once(workspace, chosen, steps, &mut report);
    }
    report
}

/// A step that is over, and what came of it.
struct Over {
    step: &'static str,
    begun: Begun,
    counts: Counts,
}

/// Each step on a thread of its own, as soon as it may begin. Where there are several, each names its lines.
fn once(workspace: &Workspace, chosen: &[&Step], steps: &mut Steps, report: &mut Report) {
    let mut schedule = Schedule::new(chosen);
    let (sender, receiver) = channel();
    thread::scope(|scope| {
        while !schedule.is_over() {
            while let Some(step) = schedule.next() {
                let Some(begun) = begin(step, steps, report) else {
                    schedule.ended(step.name);
                    continue;
                };
                let sender = sender.clone();
                scope.spawn(move || {
                    speak_for((chosen.len() > 1).then_some(step.name));
                    perform(workspace, step, begun, &sender);
                });
            }
            if schedule.is_over() {
                break;
            }
            // Never an error: this thread has a sender too.
            let Ok(Over {
                step,
                begun,
                counts,
            }) = receiver.recv()
            else {
                break;
            };
            let word = if counts.failed == 0 { "done" } else { "failed" };
            let took = begun.end(format_args!("{step} {word}"));
            report.add(step, counts, took);
            schedule.ended(step);
        }
    });
}

/// Announces a step, unless what it needs failed.
fn begin(step: &Step, steps: &mut Steps, report: &mut Report) -> Option<Begun> {
    let about = format!("{}: {}", step.name, step.about);
    let Some(missing) = report.missing(step.needs) else {
        return Some(steps.begin(about));
    };
    steps.leave_out(about, format_args!("not run, because {missing} failed"));
    report.leave_out(step.name, missing);
    None
}

fn perform(workspace: &Workspace, step: &Step, begun: Begun, over: &Sender<Over>) {
    let check = || (step.check)(workspace).unwrap_or_else(|error| Counts::of_failure(&error));
    // The others go on, and the verdict names it.
    let counts = catch_unwind(AssertUnwindSafe(check))
        .unwrap_or_else(|_| Counts::of_failure(&anyhow!("the step panicked")));
    // Whoever would receive it has gone only when all is over.
    let _ = over.send(Over {
        step: step.name,
        begun,
        counts,
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    const BROKEN: Step = Step {
        name: "broken",
        about: "cannot be checked",
        needs: &[],
        claims: &[],
        check: |_| anyhow::bail!("no compiler"),
    };
    const FAILING: Step = Step {
        name: "failing",
        about: "one of its two tests fails",
        needs: &[],
        claims: &[],
        check: |_| {
            let output = "ok - one\nnot ok - two: why\n";
            Ok(Counts::of_checks(output))
        },
    };
    const SOUND: Step = Step {
        name: "sound",
        about: "passes",
        needs: &[],
        claims: &[],
        check: |_| Ok(Counts::of_checks("ok - three\n")),
    };
    const NEEDY: Step = Step {
        name: "needy",
        about: "runs what another makes",
        needs: &["broken"],
        claims: &[],
        check: |_| Ok(Counts::of_checks("not ok - what is not there\n")),
    };

    fn reported(chosen: &[&Step], repeats: usize) -> (String, String) {
        let workspace = Workspace::find().unwrap();
        let mut steps = Steps::new("test", chosen.len() * repeats);
        let report = repeated(&workspace, chosen, repeats, &mut steps);
        let verdict = report
            .verdict()
            .map_or_else(|error| error.to_string(), |()| String::new());
        (report.to_string(), verdict)
    }

    #[test]
    fn unknown_step_is_refused() {
        assert!(choose(&["no-such".to_owned()]).is_err());
        assert_eq!(choose(&["format".to_owned()]).unwrap().len(), 1);
        assert_eq!(choose(&[]).unwrap().len(), STEPS.len());
    }

    #[test]
    fn what_a_step_needs_runs_before_it() {
        for (index, step) in STEPS.iter().enumerate() {
            for need in step.needs {
                let earlier = STEPS[..index].iter().any(|other| other.name == *need);
                assert!(earlier, "{} needs {need}", step.name);
            }
        }
    }

    #[test]
    fn a_failed_step_keeps_no_other_from_running_and_all_are_named() {
        let (counts, verdict) = reported(&[&BROKEN, &FAILING, &SOUND], 1);
        assert_eq!(counts, "2 passed, 2 failed, 0 skipped");
        assert!(
            verdict.starts_with("2 of 3 steps failed: broken, failing\n"),
            "{verdict}"
        );
        assert!(
            verdict.contains("no compiler") && verdict.contains("two: why"),
            "{verdict}"
        );
    }

    #[test]
    fn what_a_step_needs_and_lacks_is_said_and_it_does_not_run() {
        let (counts, verdict) = reported(&[&BROKEN, &NEEDY, &SOUND], 1);
        assert_eq!(counts, "1 passed, 1 failed, 1 skipped");
        assert!(
            verdict.starts_with("1 of 3 steps failed: broken\n"),
            "{verdict}"
        );
        assert!(
            verdict.contains("not run, because broken failed: needy"),
            "{verdict}"
        );
    }

    #[test]
    fn a_step_that_is_chosen_alone_runs_without_what_it_needs() {
        let (counts, _) = reported(&[&NEEDY], 1);
        assert_eq!(counts, "0 passed, 1 failed, 0 skipped");
    }

    #[test]
    fn all_steps_that_pass_are_a_pass() {
        assert_eq!(
            reported(&[&SOUND], 1),
            ("1 passed, 0 failed, 0 skipped".to_owned(), String::new())
        );
    }

    #[test]
    fn repeats_are_counted_and_those_that_failed_are_named() {
        static RUNS: std::sync::atomic::AtomicUsize = std::sync::atomic::AtomicUsize::new(0);
        let unsteady = Step {
            name: "unsteady",
            about: "fails every third time",
            needs: &[],
            claims: &[],
            check: |_| {
                let run = 1 + RUNS.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                Ok(Counts::of_checks(if run.is_multiple_of(3) {
                    "not ok - it\n"
                } else {
                    "ok - it\n"
                }))
            },
        };
        let (counts, verdict) = reported(&[&unsteady, &SOUND], 7);
        assert_eq!(
            counts,
            "unsteady: 5 of 7 repeats passed, 2 failed: 3, 6\n\
             sound: 7 of 7 repeats passed, 0 failed\n\
             12 passed, 2 failed, 0 skipped"
        );
        assert!(
            verdict.starts_with("1 of 2 steps failed: unsteady\n"),
            "{verdict}"
        );
        assert!(verdict.contains("unsteady, repeat 6 of 7"), "{verdict}");
    }
}
