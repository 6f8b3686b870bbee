//! Two versions of a driver `nfs` whose calls are counted in files beneath a directory of the test's own.

use std::fs;
use std::path::Path;

use super::*;
use crate::config;
use crate::error::GuestText;
use crate::store::version_record::Content;
use crate::volume::DriverName;

const RULE: &str = "component = \"nfs\"\n[grants.mounts]\n[versions.rollback]\nwithin = \"10m\"\ncalls = 10\nfailures = \"50%\"\n";

struct Site {
    _root: tempfile::TempDir,
    paths: Paths,
    config: Arc<DriverConfig>,
}

fn digest(of: char) -> String {
    of.to_string().repeat(64)
}

fn driver() -> DriverName {
    DriverName("nfs".to_owned())
}

impl Site {
    fn new() -> Self {
        Self::with(RULE)
    }

    fn with(driver_file: &str) -> Self {
        let root = tempfile::tempdir().expect("a directory");
        let paths = Paths::beneath(root.path());
        let config =
            config::parse_driver(Path::new("/etc/drivebay/drivers.d/nfs.toml"), driver_file);
        fs::create_dir_all(paths.components().join("sha256")).expect("made");
        for sha256 in ['a', 'b', 'c'].map(digest) {
            fs::write(retained(&paths, &sha256), "").expect("writable");
        }
        Self {
            _root: root,
            paths,
            config: Arc::new(config.expect("valid")),
        }
    }

    /// As it is in one process.
    fn trial(&self, of: char) -> Trial {
        Trial::new(self.paths.clone(), Arc::clone(&self.config), &digest(of))
    }

    fn calls(&self, of: char, ends: &str) {
        let trial = self.trial(of);
        for end in ends.chars() {
            trial.count(match end {
                '.' => CallEnd::Answered,
                'x' => CallEnd::BrokeDown,
                _ => CallEnd::WrongAnswer,
            });
        }
    }

    fn activate(&self, version: char) {
        self.activate_since(version, sys::now_seconds());
    }

    fn activate_since(&self, version: char, since: u64) {
        let version = ActiveVersion {
            component: "nfs".to_owned(),
            sha256: digest(version),
            version: GuestText::name(&format!("1.{version}")),
            since,
            source: String::new(),
            driver_file: String::new(),
            content: Content::default(),
            verified_by: None,
        };
        VersionRecord::change(&self.paths, &driver(), |record| record.activate(version))
            .expect("writable");
    }

    fn record(&self) -> VersionRecord {
        let record = VersionRecord::read(&self.paths, &driver());
        record.expect("readable").expect("there")
    }

    /// The first digit of it.
    fn serving(&self) -> Option<char> {
        self.record().active?.sha256.chars().next()
    }

    fn has_been_told(&self, of: char) -> bool {
        let file = call_counts::file(&self.paths, &driver(), &digest(of));
        let events = EventLog::read(&file).expect("readable");
        let told = events.iter().filter(|event| **event == TOLD).count();
        assert!(told <= 1, "{told} times");
        told == 1
    }
}

#[test]
fn a_version_whose_calls_break_down_gives_way_to_the_one_before_and_the_figures_are_told() {
    let site = Site::new();
    site.activate('a');
    site.calls('a', "....................x");
    site.activate('b');
    site.calls('b', ".x.x.x.x.");
    assert_eq!(site.serving(), Some('b'), "nine calls decide nothing");
    site.calls('b', ".x");
    assert_eq!(site.serving(), Some('b'), "five of eleven are too few");
    site.calls('b', "x");
    assert_eq!(site.serving(), Some('a'));
    let record = site.record();
    let rejected = &record.rejected[0];
    assert_eq!(
        (rejected.sha256.as_str(), rejected.by),
        (digest('b').as_str(), RejectedBy::Calls)
    );
    assert_eq!(
        rejected.reason,
        "6 of its 12 calls broke down, and 1 of the last 12 of version 1.a before it"
    );
    assert_eq!(
        record.previous,
        [],
        "the rejected one is none to go back to"
    );
}

#[test]
fn answers_that_cannot_be_used_are_failures_and_several_processes_count_together() {
    let site = Site::new();
    site.activate('a');
    site.activate('b');
    let processes = [(); 10].map(|()| site.trial('b'));
    for process in &processes {
        assert_eq!(site.serving(), Some('b'));
        process.count(CallEnd::Answered);
        process.count(CallEnd::WrongAnswer);
    }
    assert_eq!(site.serving(), Some('a'));
    assert_eq!(
        site.record().rejected[0].reason,
        "10 of its 10 calls broke down, and of version 1.a before it none is known to have"
    );
}

#[test]
fn a_version_is_judged_in_its_first_minutes_alone_whatever_the_clock_does() {
    let now = sys::now_seconds();
    for (since, serves) in [
        (now - 3600, 'b'),
        (now - 300, 'a'),
        // The clock was set back since.
        (now + 3600, 'a'),
    ] {
        let site = Site::new();
        site.activate('a');
        site.activate_since('b', since);
        site.calls('b', "xxxxxxxxxx");
        assert_eq!(site.serving(), Some(serves), "since {since}, now {now}");
    }
}

#[test]
fn where_the_version_before_failed_as_well_nothing_happens_however_well_it_served_once() {
    let site = Site::new();
    site.activate('a');
    site.calls('a', &".".repeat(200));
    site.calls('a', "xxxxx");
    site.activate('b');
    site.calls('b', "xxxxxxxxxx");
    assert_eq!(site.serving(), Some('b'));
    assert!(site.has_been_told('b'));
    site.calls('b', "xxxxxxxxxxxxxxxxxxxxxx");
    assert!(site.has_been_told('b'));
}

#[test]
fn where_no_version_may_serve_instead_nothing_happens_and_it_is_told_once() {
    let pinned = format!("require = {{ sha256 = [\"{}\"] }}\n{RULE}", digest('b'));
    let declared = RULE.replace(
        "[versions.rollback]",
        &format!(
            "[versions]\nactive = \"{}\"\n[versions.rollback]",
            digest('b')
        ),
    );
    for (what, driver_file, has_served) in [
        ("none was there", RULE, None),
        ("it is gone", RULE, Some('d')),
        ("it is not allowed", pinned.as_str(), Some('a')),
        ("the operator wants this one", declared.as_str(), Some('a')),
    ] {
        let site = Site::with(driver_file);
        if let Some(before) = has_served {
            site.activate(before);
        }
        site.activate('b');
        site.calls('b', "xxxxxxxxx");
        assert!(!site.has_been_told('b'), "{what}");
        site.calls('b', "xxxxxxxxxx");
        assert_eq!(site.serving(), Some('b'), "{what}");
        assert!(site.has_been_told('b'), "{what}");
    }
}

#[test]
fn a_version_that_came_back_is_not_judged_again() {
    let site = Site::new();
    for version in ['a', 'b', 'c'] {
        site.activate(version);
    }
    site.calls('c', "xxxxxxxxxx");
    assert_eq!(site.serving(), Some('b'));
    site.calls('b', "xxxxxxxxxxxxxxxxxxxx");
    assert_eq!(site.serving(), Some('b'), "they fail for another reason");
}

#[test]
fn calls_from_before_a_version_serves_are_not_its_trials() {
    let site = Site::new();
    site.activate('b');
    site.activate('a');
    // Volumes of its own are undone by it.
    site.calls('b', "xxxxxxxxxxxxxxx");
    assert_eq!(site.serving(), Some('a'));
    site.activate('b');
    site.calls('b', "xxxxxxxxx");
    assert_eq!(site.serving(), Some('b'));
    site.calls('b', "x");
    assert_eq!(site.serving(), Some('a'));
}

#[test]
fn failures_of_another_version_than_the_active_one_change_nothing() {
    let site = Site::new();
    site.activate('a');
    site.activate('b');
    site.calls('a', "xxxxxxxxxxxxxxxxxxxx");
    site.calls('c', "xxxxxxxxxxxxxxxxxxxx");
    assert_eq!(site.serving(), Some('b'));
}

#[test]
fn without_a_record_calls_are_counted_and_nothing_else() {
    let site = Site::new();
    site.calls('a', "xxxxxxxxxxxxxxxxxxxx");
    assert_eq!(
        VersionRecord::read(&site.paths, &driver()).expect("none"),
        None
    );
}
