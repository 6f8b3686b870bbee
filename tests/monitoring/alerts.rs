//! The alert rules: Prometheus understands them, each is raised by what it is about, and says what to look at.

use drivebay_tests::{read, repository, text};

use crate::promtool::promtool;

/// A rule, as far as these tests look at it.
pub(super) struct Rule {
    pub(super) name: String,
    pub(super) expression: String,
    pub(super) summary: String,
    severity: String,
}

/// All rules. The file is ours, so that it is read as we write it: an expression in its line, or in those below.
pub(super) fn rules() -> Vec<Rule> {
    let file = read(&repository().join("deploy/monitoring/alerts.yaml"));
    let rules: Vec<Rule> = file.split("- alert: ").skip(1).map(rule).collect();
    assert!(rules.len() > 10, "found only {} rules", rules.len());
    rules
}

fn rule(written: &str) -> Rule {
    let value = |key: &str| {
        let (_, rest) = written.split_once(key).expect("each rule has it");
        let line = rest.lines().next().unwrap_or_default().trim();
        if line != "|" {
            return line.to_owned();
        }
        let block = rest.lines().skip(1);
        let block: Vec<&str> = block
            .take_while(|line| line.starts_with("      "))
            .collect();
        block.join("\n")
    };
    Rule {
        name: written.lines().next().unwrap_or_default().to_owned(),
        expression: value("expr:"),
        summary: value("summary:"),
        severity: value("severity:").trim_end_matches(" }").to_owned(),
    }
}

#[test]
fn prometheus_understands_the_rules() {
    let rules = repository().join("deploy/monitoring/alerts.yaml");
    promtool(&["check", "rules", text(&rules)]);
}

#[test]
fn each_alert_is_raised_by_what_it_is_about_and_by_nothing_else() {
    let test = repository().join("tests/monitoring/alerts.test.yaml");
    promtool(&["test", "rules", text(&test)]);
    // promtool tries what is written down; that no rule was forgotten is for us to see.
    let tried = read(&test);
    for rule in rules() {
        let (name, named) = (&rule.name, format!("alertname=\"{}\"", rule.name));
        let raised = tried.contains(&named) || tried.contains(&format!("alertname: {name}\n"));
        assert!(raised, "{name} is tried with nothing that raises it");
    }
}

#[test]
fn the_guide_tells_each_alert_with_its_severity() {
    let guide = read(&repository().join("deploy/monitoring/README.md"));
    let rows = || guide.lines().filter(|line| line.starts_with("| `Drivebay"));
    let rules = rules();
    for Rule { name, severity, .. } in &rules {
        let begins = format!("| `{name}` | ");
        let row = rows().find(|row| row.starts_with(&begins));
        let row = row.unwrap_or_else(|| panic!("{name} is not in the guide"));
        assert!(row.ends_with(&format!("| {severity} |")), "{row}");
    }
    assert_eq!(rows().count(), rules.len());
}

#[test]
fn each_alert_is_a_sentence_that_says_where_to_look() {
    let places = [
        "drivebay check",
        "drivebay health",
        "drivebay status",
        "log",
        "See ",
    ];
    for Rule { name, summary, .. } in rules() {
        let says_where = places.iter().any(|place| summary.contains(place));
        assert!(says_where && summary.ends_with('.'), "{name}: {summary}");
    }
}
