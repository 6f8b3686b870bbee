//! The API server takes every shipped manifest, with nothing to say about it.

use std::fs;

use drivebay_tests::repository;

use crate::kubectl::{kubectl, try_kubectl};
use crate::turns::alone;

/// What Pod Security warns of, each explained in deploy/README.md. None today: both namespaces ask for what they hold.
const EXPLAINED: [&str; 0] = [];

#[test]
#[ignore = "needs a cluster"]
fn every_overlay_is_rendered_and_taken_with_strict_validation() {
    let _turn = alone();
    let mut overlays = Vec::new();
    for entry in fs::read_dir(repository().join("deploy/overlays")).expect("shipped") {
        overlays.push(entry.expect("readable").path().display().to_string());
    }
    assert!(overlays.len() >= 4, "found {overlays:?}");
    for overlay in overlays {
        let said = try_kubectl(&[
            "apply",
            "--dry-run=server",
            "--validate=strict",
            "-k",
            &overlay,
        ]);
        let said = said.unwrap_or_else(|said| panic!("{overlay}:\n{said}"));
        let warnings = said.lines().filter(|line| line.starts_with("Warning:"));
        let unexplained: Vec<&str> = warnings
            .filter(|line| !EXPLAINED.iter().any(|known| line.contains(known)))
            .collect();
        assert!(unexplained.is_empty(), "{overlay}: {unexplained:#?}");
    }
}

#[test]
#[ignore = "needs a cluster"]
fn a_second_apply_changes_nothing() {
    let _turn = alone();
    crate::installation::apply("both");
    let said = kubectl(&["apply", "-k", &crate::installation::directory("both")]);
    let changed: Vec<&str> = said
        .lines()
        .filter(|line| !line.ends_with(" unchanged"))
        .collect();
    assert!(changed.is_empty(), "{changed:#?}");
}
