//! How many versions are kept: the last three, and those that a volume needs; with their compiled code.

use std::collections::BTreeSet;

use drivebay_tests::{NODE_ID, eventually, options};

use crate::site::{Kind, SHIM, Site, for_both};
use crate::whole::{compiled, kept};

/// The active one, and three before it.
const MOST: usize = 4;

#[test]
fn versions_beyond_the_last_three_go_with_their_code() {
    for_both(|watcher| {
        let site = Site::new(watcher);
        let shown: Vec<String> = (2..10)
            .map(|number| site.swap_to(&format!("{number}.0.0")))
            .collect();
        let last: BTreeSet<String> = shown.iter().rev().take(3).cloned().collect();
        eventually("old versions to go", || kept(&site.node).len() <= MOST);
        let versions = kept(&site.node);
        assert!(versions.is_superset(&last), "{versions:?} of {shown:?}");
        eventually("their code to go", || {
            compiled(&site.node, "cwasm") == kept(&site.node)
        });
        site.is_whole();
        let previous = site.status().each("previous", "sha256");
        assert!(previous.len() <= MOST, "{previous:?}");
        // What is told can be gone back to.
        for digest in &previous {
            site.drivebay(&["rollback", "swap", "--to", digest]);
        }
    });
}

#[test]
fn a_version_that_a_volume_needs_stays_as_long_as_the_volume() {
    for_both(|watcher| {
        let site = Site::of(watcher, Kind::Attached, "");
        let first = site.status().active_digest().expect("one").to_owned();
        let json = options("of-1", &[]);
        site.node
            .call_driver(SHIM, &["attach", &json, NODE_ID])
            .succeeds();
        for number in 2..7 {
            site.swap_to(&format!("{number}.0.0"));
        }
        assert!(kept(&site.node).contains(&first), "its version is gone");
        site.node
            .call_driver(SHIM, &["detach", "of-1", NODE_ID])
            .succeeds();
        site.swap_to("7.0.0");
        eventually("it to go with the volume", || {
            !kept(&site.node).contains(&first)
        });
        site.is_whole();
    });
}

#[test]
fn what_was_refused_takes_no_room() {
    for_both(|watcher| {
        let site = Site::new(watcher);
        let before = kept(&site.node);
        for number in 0..5 {
            let bad = crate::backend::backend(&format!("2.{number}.0")).describe("unreachable");
            site.show(&bad.component());
            let digest = drivebay_tests::digest(&bad.component());
            site.tells("the refusal", |status| {
                status.each("refused", "sha256").contains(&digest)
            });
        }
        assert_eq!(kept(&site.node), before);
        assert_eq!(compiled(&site.node, "cwasm"), before);
    });
}
