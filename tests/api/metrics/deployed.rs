//! The dashboard and the alerts.

use std::{collections::BTreeSet, fs};

use serde_json::Value;

use super::documented;
use crate::{
    architecture::root,
    harness::{apply, check},
};

fn deployed(file: &str) -> String {
    fs::read_to_string(root().join("deploy/grafana").join(file)).expect("no file")
}

/// The names of metrics in a query, without the suffixes of a histogram.
fn metrics_in(text: &str) -> BTreeSet<String> {
    let words = text.split(|letter: char| !letter.is_alphanumeric() && letter != '_');
    let names = words.filter(|word| word.starts_with("acclaim_") || word.starts_with("process_"));
    let family = |name: &str| {
        let mut suffixes = ["_bucket", "_sum", "_count"].into_iter();
        let family = suffixes.find_map(|suffix| name.strip_suffix(suffix));
        family.unwrap_or(name).to_owned()
    };
    names.map(family).collect()
}

#[apply(check)]
fn the_dashboard_shows_every_metric_and_no_other() {
    let dashboard: Value = serde_json::from_str(&deployed("dashboard.json")).expect("not JSON");
    let panels = dashboard["panels"].as_array().expect("no panels");
    let targets = panels
        .iter()
        .filter_map(|panel| panel["targets"].as_array());
    let expressions = targets
        .flatten()
        .map(|target| target["expr"].as_str().expect("no query"));
    assert_eq!(
        metrics_in(&expressions.collect::<Vec<_>>().join("\n")),
        documented()
    );
}

#[apply(check)]
fn every_alert_is_documented_and_tested() {
    let (rules, tests) = (deployed("alerts.yaml"), deployed("alerts.test.yaml"));
    let unknown: Vec<_> = metrics_in(&rules)
        .difference(&documented())
        .cloned()
        .collect();
    assert!(unknown.is_empty(), "{unknown:?}");
    let page = fs::read_to_string(root().join("docs/operations.md")).expect("no page");
    let sections = page.lines().filter_map(|line| line.strip_prefix("### "));
    let alerts: Vec<&str> = rules
        .lines()
        .filter_map(|line| line.trim().strip_prefix("- alert: "))
        .collect();
    assert_eq!(alerts, sections.collect::<Vec<_>>());
    for alert in alerts {
        let runbook = format!("runbook: docs/operations.md#{}\n", alert.to_lowercase());
        assert!(rules.contains(&runbook), "{alert} has no runbook");
        let fires = tests.matches(&format!("alertname: {alert}\n")).count();
        assert_eq!(
            fires, 2,
            "{alert}: a case in which it fires, and one in which it does not"
        );
    }
}
