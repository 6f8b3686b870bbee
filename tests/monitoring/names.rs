//! Rules and dashboard name metrics, labels and values that are really served: what nobody serves raises no alert, and
//! shows as an empty panel.

use drivebay_tests::{read, repository};

use crate::alerts::rules;
use crate::dashboard::queries;
use crate::promql::{Matcher, Selector, grouped_by, selectors, taken};
use crate::served::Served;

/// What Prometheus adds itself: where it found the process, and the bounds of a histogram.
const ADDED: [&str; 2] = ["instance", "le"];

/// An expression, and what is shown with it.
struct Named {
    place: String,
    expression: String,
    shown: String,
}

fn all() -> Vec<Named> {
    let rules = rules().into_iter().map(|rule| Named {
        place: rule.name,
        expression: rule.expression,
        shown: rule.summary,
    });
    let queries = queries().into_iter().map(|query| Named {
        place: query.panel,
        expression: query.expression,
        shown: query.legend,
    });
    rules.chain(queries).collect()
}

#[test]
fn what_rules_and_dashboard_name_is_served() {
    let served = Served::ask();
    for Named {
        place,
        expression,
        shown,
    } in all()
    {
        let selectors = selectors(&expression);
        assert!(!selectors.is_empty(), "{place} looks at nothing of ours");
        let mut known: Vec<&str> = ADDED.to_vec();
        for selector in &selectors {
            let labels = served.labels(&selector.metric);
            let labels =
                labels.unwrap_or_else(|| panic!("{place}: nobody serves {}", selector.metric));
            for matcher in &selector.matchers {
                judge(&place, &served, selector, matcher, &labels);
            }
            known.extend(labels);
        }
        for label in [grouped_by(&expression), taken(&shown)].concat() {
            assert!(known.contains(&&*label), "{place}: no {label} in {known:?}");
        }
    }
}

#[track_caller]
fn judge(place: &str, served: &Served, selector: &Selector, matcher: &Matcher, labels: &[&str]) {
    let Matcher { label, value } = matcher;
    assert!(
        labels.contains(&&**label),
        "{place}: {} has no label {label}",
        selector.metric
    );
    for value in value.split('|') {
        let exists = match label.as_str() {
            // The dashboard's own variable.
            "driver" => value == "$driver",
            "method" => {
                let methods = read(&repository().join("host/proto/csi.proto"));
                let named = ["(", " ("].map(|end| format!("rpc {value}{end}"));
                named.iter().any(|it| methods.contains(it))
            }
            // Not every call fails and not every version gets there while somebody looks.
            "code" => spelled_in("host/src/csi/metrics/counters.rs", value),
            "step" => spelled_in("host/src/store/version_progress.rs", value),
            label => served.has_value(&selector.metric, label, value),
        };
        assert!(exists, "{place}: {label} is never {value}");
    }
}

fn spelled_in(file: &str, value: &str) -> bool {
    read(&repository().join(file)).contains(&format!("=> \"{value}\""))
}

#[test]
fn the_dashboard_shows_every_metric() {
    let shown: Vec<String> = queries()
        .iter()
        .flat_map(|query| selectors(&query.expression))
        .map(|selector| selector.metric)
        .collect();
    for metric in Served::ask().metrics() {
        assert!(shown.iter().any(|it| it == metric), "{metric} is not shown");
    }
}
