//! The API server takes every shipped manifest, with nothing to say about it.

use std::fs;

use drivebay_tests::repository;

use crate::dry_run::dry_run;
use crate::installation::{CONTROLLER, NODES, apply, is_ready};
use crate::kubectl::get;
use crate::turns::alone;

/// What Pod Security warns of, each explained in deploy/README.md. None today: both namespaces ask for what they hold.
const EXPLAINED: [&str; 0] = [];

#[test]
#[ignore = "needs a cluster"]
fn every_overlay_is_rendered_and_taken_with_strict_validation() {
    let _turn = alone();
    let mut overlays = Vec::new();
    for entry in fs::read_dir(repository().join("deploy/overlays")).expect("shipped") {
        overlays.push(entry.expect("readable").path());
    }
    assert!(overlays.len() >= 4, "found {overlays:?}");
    for overlay in overlays {
        let said = dry_run(&overlay);
        let overlay = overlay.display();
        let said = said.unwrap_or_else(|said| panic!("{overlay}:\n{said}"));
        let warnings = said.lines().filter(|line| line.starts_with("Warning:"));
        let unexplained: Vec<&str> = warnings
            .filter(|line| !EXPLAINED.iter().any(|known| line.contains(known)))
            .collect();
        assert!(unexplained.is_empty(), "{overlay}: {unexplained:#?}");
    }
}

/// kubectl says "configured" of some objects each time, as it keeps them in another form than the API server.
#[test]
#[ignore = "needs a cluster"]
fn a_second_apply_changes_nothing() {
    let _turn = alone();
    apply("both");
    is_ready();
    let before = versions();
    assert!(before.len() > 5, "{before:?}");
    apply("both");
    assert_eq!(versions(), before);
}

/// Which generation each object is of, and which version those that have no generations.
#[track_caller]
fn versions() -> Vec<String> {
    let mut versions = Vec::new();
    for namespace in [NODES, CONTROLLER] {
        let list = get(&[
            "daemonsets,deployments,configmaps",
            "--namespace",
            namespace,
        ]);
        for object in list["items"].as_array().expect("a list") {
            let metadata = &object["metadata"];
            let version = match metadata["generation"].is_null() {
                true => &metadata["resourceVersion"],
                false => &metadata["generation"],
            };
            versions.push(format!("{namespace}/{} {version}", metadata["name"]));
        }
    }
    versions
}
