//! The dashboard: Grafana's JSON, whose queries Prometheus understands.

use std::fs;

use drivebay_tests::{read, repository, text};
use serde_json::Value;

use crate::promtool::promtool;

/// What a panel asks.
pub(super) struct Query {
    pub(super) panel: String,
    pub(super) expression: String,
    pub(super) legend: String,
}

fn dashboard() -> Value {
    let file = repository().join("deploy/monitoring/dashboard.json");
    serde_json::from_str(&read(&file)).expect("JSON")
}

/// Of all panels, and of the choice of drivers.
pub(super) fn queries() -> Vec<Query> {
    let dashboard = dashboard();
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let string = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let mut queries = Vec::new();
    for panel in list(&dashboard["panels"]) {
        for target in list(&panel["targets"]) {
            queries.push(Query {
                panel: string(&panel["title"]),
                expression: string(&target["expr"]),
                legend: string(&target["legendFormat"]),
            });
        }
    }
    assert!(queries.len() > 10, "found only {} queries", queries.len());
    queries
}

#[test]
fn prometheus_understands_the_dashboards_queries() {
    let directory = tempfile::tempdir().expect("a directory");
    let file = directory.path().join("queries.yaml");
    let mut rules = "groups:\n- name: queries\n  rules:\n".to_owned();
    for (number, query) in queries().iter().enumerate() {
        // Grafana puts values in their place.
        let expression = query.expression.replace("$__rate_interval", "5m");
        // JSON's strings are YAML's, too.
        let expression = Value::from(expression.replace("$driver", "nfs"));
        rules.push_str(&format!(
            "  - record: query:{number}\n    expr: {expression}\n"
        ));
    }
    fs::write(&file, rules).expect("written");
    promtool(&["check", "rules", text(&file)]);
}

#[test]
fn the_choice_of_drivers_is_made_of_what_is_served() {
    let variables = &dashboard()["templating"]["list"];
    let variables = variables.as_array().expect("variables");
    let driver = variables
        .iter()
        .find(|variable| variable["name"] == "driver");
    let query = &driver.expect("a choice of drivers")["query"]["query"];
    assert_eq!(query, "label_values(drivebay_driver_ready, driver)");
}

#[test]
fn panels_have_a_place_and_a_number_of_their_own() {
    let dashboard = dashboard();
    let panels = dashboard["panels"].as_array().expect("panels");
    let mut taken = Vec::new();
    for panel in panels {
        let number = |key: &str| panel["gridPos"][key].as_u64().expect("a place");
        let (x, y, width, height) = (number("x"), number("y"), number("w"), number("h"));
        assert!(x + width <= 24, "{panel}");
        for place in (x..x + width).flat_map(|x| (y..y + height).map(move |y| (x, y))) {
            assert!(
                !taken.contains(&place),
                "{} lies on another",
                panel["title"]
            );
            taken.push(place);
        }
    }
    let mut numbers: Vec<u64> = panels.iter().filter_map(|it| it["id"].as_u64()).collect();
    numbers.sort_unstable();
    numbers.dedup();
    assert_eq!(numbers.len(), panels.len());
}
