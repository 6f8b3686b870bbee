//! A hundred swaps under sixteen callers, through the shim and `serve` at once.

use std::fs;
use std::io::{Write as _, stdout};
use std::time::Instant;

use crate::site::{Site, Watcher};

const SWAPS: usize = 100;
const CALLERS: usize = 16;

/// So many that callers meet at the new version at least once: most swaps pass without that.
const ROUNDS: usize = 20;

/// The fewest calls that tell something of a hundred swaps.
const CALLS: usize = 500;

/// Told also where the test passes: what it prints by a macro is kept back then.
fn say(line: &str) {
    writeln!(stdout(), "{line}").expect("somebody reads");
}

/// Anonymous memory, which is what a leak shows in.
fn memory(site: &Site) -> u64 {
    let process = site.csi().expect("it is serve").process();
    let status = fs::read_to_string(format!("/proc/{process}/status")).expect("it runs");
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("RssAnon:"));
    let number = line.and_then(|line| line.split_whitespace().next());
    number
        .and_then(|number| number.parse().ok())
        .expect("a number")
}

#[test]
fn a_hundred_swaps_fail_no_call_of_sixteen_callers_and_leave_memory_as_it_was() {
    let site = Site::new(Watcher::Serve);
    let (mut took, mut after_ten) = (Vec::new(), 0);
    let calls = site.under_calls(CALLERS, || {
        for number in 0..SWAPS {
            let version = format!("2.{number}.0");
            let begun = Instant::now();
            let digest = site.show_version(&version);
            site.tells("the next version", |status| {
                status.active_digest() == Some(digest.as_str())
            });
            took.push(begun.elapsed());
            if number == 10 {
                after_ten = memory(&site);
            }
        }
    });
    took.sort();
    let (median, most) = (took[SWAPS / 2], took[SWAPS - 1]);
    let now = memory(&site);
    say(&format!(
        "{calls} calls; a swap took {median:?} at the median, {most:?} at most; {after_ten} KiB after ten, {now} KiB after all"
    ));
    assert!(calls > CALLS, "only {calls} calls");
    assert!(
        now < after_ten * 3 / 2 + 2048,
        "{after_ten} KiB, then {now} KiB"
    );
    answered_by_one_version_each(&site.node.log());
    site.is_whole();
}

/// How often the compiled code of that version is mapped in a process.
fn mapped(process: &str, digest: &str) -> usize {
    let maps = fs::read_to_string(format!("/proc/{process}/maps")).expect("it runs");
    let is_code = |line: &&str| line.contains("r-xp") && line.contains(digest);
    maps.lines().filter(is_code).count()
}

#[test]
fn a_version_is_loaded_once_however_many_callers_come_for_it_at_once() {
    let site = Site::new(Watcher::Serve);
    let process = site.csi().expect("it is serve").process().to_string();
    for number in 0..ROUNDS {
        let mut digest = String::new();
        site.under_calls(2 * CALLERS, || {
            digest = site.swap_to(&format!("3.{number}.0"));
        });
        assert_eq!(mapped(&process, &digest), 1, "version 3.{number}.0");
    }
}

/// Each call-out is a process of its own, and what the component logs has the version that the host has for it.
#[track_caller]
fn answered_by_one_version_each(log: &str) {
    let mut seen = 0;
    for line in log.lines().filter(|line| line.contains(" stages")) {
        let version = |begins: &str, ends: char| {
            let (_, rest) = line.split_once(begins)?;
            rest.split(ends).next()
        };
        let host = version("component.version=\"", '"');
        let component = line.rsplit_once("version ").map(|(_, rest)| rest);
        let component = component.and_then(|rest| rest.split(' ').next());
        assert_eq!(host, component, "{line}");
        seen += 1;
    }
    assert!(seen > 10, "only {seen} lines");
}
