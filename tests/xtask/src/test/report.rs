//! What came of the steps: counts for the one plain line, and for the verdict what failed, when and why.
//!
//! Adds up and words; it runs nothing and prints nothing.

use std::fmt::{self, Display};
use std::time::Duration;

use anyhow::{Result, bail};

use super::counts::Counts;
use super::table::{Row, Table};

/// What came of all steps so far.
pub(super) struct Report {
    repeats: usize,
    /// The one that is under way, from 1.
    repeat: usize,
    total: Counts,
    /// In the order in which they were chosen.
    steps: Vec<Outcome>,
}

/// What came of one step, in all its repeats.
struct Outcome {
    name: &'static str,
    ran: usize,
    took: Duration,
    counts: Counts,
    failures: Vec<Failure>,
    /// What it needs and lacked, where it was left out.
    lacked: Option<&'static str>,
}

struct Failure {
    repeat: usize,
    /// The tests that failed, or why they could not be run.
    words: Vec<String>,
}

impl Report {
    pub(super) fn new(repeats: usize, steps: impl Iterator<Item = &'static str>) -> Self {
        Self {
            repeats,
            repeat: 0,
            total: Counts::default(),
            steps: steps.map(Outcome::new).collect(),
        }
    }

    /// The next repeat.
    pub(super) fn begin(&mut self) {
        self.repeat += 1;
    }

    /// The first of these steps that failed in this repeat.
    pub(super) fn missing(&self, needs: &[&'static str]) -> Option<&'static str> {
        let failed = |need: &&&'static str| {
            let mut steps = self.steps.iter().filter(|step| step.name == **need);
            steps.any(|step| step.failed_in(self.repeat))
        };
        needs.iter().find(failed).copied()
    }

    /// A step ran; some of its tests may have failed.
    pub(super) fn add(&mut self, name: &'static str, mut counts: Counts, took: Duration) {
        let words = std::mem::take(&mut counts.failures);
        let failure = (counts.failed > 0).then_some(Failure {
            repeat: self.repeat,
            words,
        });
        self.total.add(counts.clone());
        let step = self.step(name);
        step.ran += 1;
        step.took += took;
        step.counts.add(counts);
        step.failures.extend(failure);
    }

    /// A step was not run, for want of another.
    pub(super) fn leave_out(&mut self, name: &'static str, lacked: &'static str) {
        let counts = Counts {
            skipped: 1,
            ..Counts::default()
        };
        self.total.add(counts.clone());
        let step = self.step(name);
        step.lacked = Some(lacked);
        step.counts.add(counts);
    }

    /// What each step took and counted, and all of them, which did not run one after the other.
    pub(super) fn table(&self, took: Duration) -> Table {
        let row = |step: &Outcome| Row {
            name: step.name,
            took: (step.ran > 0).then_some(step.took),
            counts: step.counts.clone(),
        };
        let all = Row {
            name: "all",
            took: Some(took),
            counts: self.total.clone(),
        };
        Table(self.steps.iter().map(row).chain([all]).collect())
    }

    /// # Errors
    /// Names all steps that failed, and says of each what failed in it, and of those that did not run why.
    pub(super) fn verdict(&self) -> Result<()> {
        let failed: Vec<&Outcome> = self.steps.iter().filter(|step| step.failed()).collect();
        if failed.is_empty() {
            return Ok(());
        }
        let names: Vec<&str> = failed.iter().map(|step| step.name).collect();
        let mut lines = vec![format!(
            "{} of {} steps failed: {}",
            failed.len(),
            self.steps.len(),
            names.join(", ")
        )];
        lines.extend(failed.iter().flat_map(|step| self.reasons(step)));
        lines.extend(self.steps.iter().filter_map(|step| {
            let lacked = step.lacked?;
            Some(format!("  not run, because {lacked} failed: {}", step.name))
        }));
        lines.push("run one alone by `cargo xtask test --only STEP`".to_owned());
        bail!(lines.join("\n"))
    }

    fn reasons(&self, step: &Outcome) -> Vec<String> {
        let when = |failure: &Failure| match self.repeats {
            1 => String::new(),
            repeats => format!(", repeat {} of {repeats}", failure.repeat),
        };
        let lines = step.failures.iter().flat_map(|failure| {
            let when = when(failure);
            let line = move |words: &String| {
                format!("  {}{when}: {}", step.name, words.replace('\n', "\n    "))
            };
            failure.words.iter().map(line)
        });
        lines.collect()
    }

    #[expect(clippy::expect_used, reason = "only chosen steps run")]
    fn step(&mut self, name: &str) -> &mut Outcome {
        let mut steps = self.steps.iter_mut();
        steps.find(|step| step.name == name).expect("it was chosen")
    }
}

impl Outcome {
    fn new(name: &'static str) -> Self {
        Self {
            name,
            ran: 0,
            took: Duration::ZERO,
            counts: Counts::default(),
            failures: Vec::new(),
            lacked: None,
        }
    }

    fn failed(&self) -> bool {
        !self.failures.is_empty()
    }

    fn failed_in(&self, repeat: usize) -> bool {
        self.failures.iter().any(|failure| failure.repeat == repeat)
    }
}

impl Display for Outcome {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            name,
            ran,
            failures,
            ..
        } = self;
        let failed = failures.len();
        write!(
            formatter,
            "{name}: {} of {ran} repeats passed, {failed} failed",
            ran - failed
        )?;
        for (index, failure) in failures.iter().enumerate() {
            let before = if index == 0 { ": " } else { ", " };
            write!(formatter, "{before}{}", failure.repeat)?;
        }
        Ok(())
    }
}

/// Of several repeats, a line a step; then the one plain line of counts.
impl Display for Report {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.repeats > 1 {
            for step in &self.steps {
                writeln!(formatter, "{step}")?;
            }
        }
        write!(formatter, "{}", self.total)
    }
}
