//! What came of the rules.

use serde_json::{Value, json};

use super::expectation::{Checked, Stop};
use super::rule::Rule;
use crate::commands::json_output::{harmless, printed};

/// Of one component.
#[derive(Debug)]
pub(super) struct Report {
    pub(super) component: String,
    pub(super) entries: Vec<Entry>,
    /// What was made on a real server and could not be removed.
    pub(super) left: Vec<String>,
}

/// Of one rule.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) rule: &'static Rule,
    pub(super) outcome: Outcome,
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Outcome {
    Kept,
    Not(Stop),
}

impl Outcome {
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Kept => "kept",
            Self::Not(Stop::Broken(_)) => "broken",
            Self::Not(Stop::Untried(_)) => "untried",
            Self::Not(Stop::Inapplicable(_)) => "inapplicable",
        }
    }

    /// What happened, or why nothing did.
    pub(super) fn reason(&self) -> Option<&str> {
        match self {
            Self::Kept => None,
            Self::Not(
                Stop::Broken(reason) | Stop::Untried(reason) | Stop::Inapplicable(reason),
            ) => Some(reason),
        }
    }
}

impl Report {
    pub(super) fn of(component: &str) -> Self {
        Self {
            component: component.to_owned(),
            entries: Vec::new(),
            left: Vec::new(),
        }
    }

    pub(super) fn add(&mut self, rule: &'static Rule, checked: Checked) {
        let outcome = checked.map_or_else(Outcome::Not, |()| Outcome::Kept);
        self.entries.push(Entry { rule, outcome });
    }

    /// Whether each rule that applies was tried and is kept: what was not tried is not known. What stays behind was not
    /// deleted.
    pub(super) fn is_good(&self) -> bool {
        self.count("broken") == 0 && self.count("untried") == 0 && self.left.is_empty()
    }

    pub(super) fn count(&self, outcome: &str) -> usize {
        let entries = self.entries.iter();
        entries
            .filter(|entry| entry.outcome.name() == outcome)
            .count()
    }

    /// For people: a line for each rule; where one is not kept, what happened and why it matters.
    pub(super) fn print(&self) {
        for Entry { rule, outcome } in &self.entries {
            say!("{:<13} {}: {}", outcome.name(), rule.name, rule.asks);
            let Some(reason) = outcome.reason() else {
                continue;
            };
            say!("{:13} {}", "", harmless(reason));
            if outcome.name() == "broken" {
                say!("{:13} why: {}", "", rule.why);
            }
        }
        for left in &self.left {
            say!("{:<13} {}", "left behind", harmless(left));
        }
        say!(
            "{}: {} rules kept, {} broken, {} untried, {} do not apply",
            self.component,
            self.count("kept"),
            self.count("broken"),
            self.count("untried"),
            self.count("inapplicable")
        );
    }

    /// For programs.
    pub(super) fn json(&self) -> String {
        let rules: Vec<Value> = self.entries.iter().map(Entry::json).collect();
        printed(&json!({
            "component": self.component,
            "conforms": self.is_good(),
            "rules": rules,
            "left-behind": self.left,
        }))
    }
}

impl Entry {
    fn json(&self) -> Value {
        json!({
            "rule": self.rule.name,
            "asks": self.rule.asks,
            "why": self.rule.why,
            "outcome": self.outcome.name(),
            "reason": self.outcome.reason(),
        })
    }
}
