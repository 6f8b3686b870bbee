//! Killed over and over, at each named step and at any moment, with another process that takes over and with a third of the
//! claims deleted meanwhile: each claim that stays has one disk, none was ever made twice, and nothing else is left.
//!
//! `cargo xtask kills` does it as often as the promise says; here it is done as often as takes a minute.

mod crew;

use std::collections::BTreeMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::mpsc::Receiver;
use std::thread::sleep;
use std::time::Duration;

use serde_json::json;

use self::crew::Crew;
use crate::crashes::{DELETING, MAKING, REMOVED, SETTLED};
use crate::gate::{Moment, Request};
use crate::site::Site;

/// How long a call of the driver may take here: so long whoever takes over waits before it undoes anything.
const DEADLINE: &str = "4s";

/// Where a process is killed.
#[derive(Debug, Clone, Copy)]
enum Step {
    /// At a request to the API server.
    Api(Moment, Request),
    /// The cloud has carried that out, and nobody learns of it.
    Cloud(&'static str),
}

/// Those that a deletion has besides its requests to the API server, and those of a claim that is gone before its
/// PersistentVolume is written.
const UNDOING: [Step; 5] = [
    Step::Cloud("DeleteDisk"),
    Step::Api(Moment::Before, SETTLED),
    Step::Api(Moment::After, SETTLED),
    Step::Api(Moment::Before, REMOVED),
    Step::Api(Moment::After, REMOVED),
];

/// A number that whoever runs the tests may set.
fn times(variable: &str, otherwise: usize) -> usize {
    let said = std::env::var(variable).ok();
    said.map_or(otherwise, |said| said.parse().expect("a number"))
}

fn at_each_step() -> usize {
    times("DRIVEBAY_KILLS_AT_EACH_STEP", 1)
}

fn at_random() -> usize {
    times("DRIVEBAY_KILLS_AT_RANDOM", 10)
}

/// Some moment within that time.
fn any_moment(most: Duration) -> Duration {
    let random = RandomState::new().hash_one(0);
    let most = u64::try_from(most.as_millis()).expect("a short time");
    Duration::from_millis(random % most)
}

#[test]
fn no_disk_is_leaked_nor_made_twice_wherever_its_makers_are_killed() {
    let site = Site::with_deadline("kills-making", DEADLINE);
    let mut run = Run::begin(&site);
    let steps = MAKING.map(|(moment, request)| Step::Api(moment, request));
    let cloud = ["CreateDisk", "DescribeDisks"].map(Step::Cloud);
    for step in steps.iter().chain(&cloud) {
        for _ in 0..at_each_step() {
            run.kill_a_maker(*step);
        }
    }
    run.end();
}

#[test]
fn no_disk_is_leaked_wherever_those_that_delete_it_are_killed() {
    let site = Site::with_deadline("kills-deleting", DEADLINE);
    let mut run = Run::begin(&site);
    let steps = DELETING.map(|(moment, request)| Step::Api(moment, request));
    for step in steps.iter().chain(&[Step::Cloud("DeleteDisk")]) {
        for _ in 0..at_each_step() {
            run.kill_one_that_deletes(*step);
        }
    }
    run.end();
}

#[test]
fn no_disk_is_leaked_nor_made_twice_wherever_those_that_undo_it_are_killed() {
    let site = Site::with_deadline("kills-undoing", DEADLINE);
    let mut run = Run::begin(&site);
    for step in UNDOING {
        for _ in 0..at_each_step() {
            run.kill_one_that_undoes(step);
        }
    }
    run.end();
}

#[test]
fn no_disk_is_leaked_nor_made_twice_at_whatever_moment_its_makers_are_killed() {
    let site = Site::with_deadline("kills-at-random", DEADLINE);
    let mut run = Run::begin(&site);
    for _ in 0..at_random() {
        run.kill_at_any_moment();
    }
    run.end();
}

/// Claims come, and those that serve them are killed.
struct Run<'a> {
    site: &'a Site,
    crew: Crew<'a>,
    claims: usize,
    /// Those that nobody deleted.
    staying: Vec<String>,
    deleted_meanwhile: usize,
}

impl<'a> Run<'a> {
    #[track_caller]
    fn begin(site: &'a Site) -> Self {
        site.class(&json!({}));
        Self {
            site,
            crew: Crew::start(site),
            claims: 0,
            staying: Vec::new(),
            deleted_meanwhile: 0,
        }
    }

    fn claim(&mut self) -> String {
        let name = format!("data-{}", self.claims);
        self.claims += 1;
        self.site.claim(&name, &json!({}));
        name
    }

    /// Of three claims, one that goes.
    fn three_claims(&mut self) -> String {
        let goes = self.claim();
        for _ in 0..2 {
            let stays = self.claim();
            self.staying.push(stays);
        }
        goes
    }

    /// Kills whoever works; a claim is deleted while nobody does.
    #[track_caller]
    fn kill(&mut self, goes: &str) {
        self.deleted_meanwhile += 1;
        let site = self.site;
        self.crew.kill(|| {
            site.cloud.clear_faults();
            site.delete_claim(goes);
        });
    }

    #[track_caller]
    fn kill_a_maker(&mut self, step: Step) {
        let awaited = Awaited::at(self.site, step);
        let goes = self.three_claims();
        let site = self.site;
        site.eventually(&format!("{step:?}"), || awaited.is_there(site));
        self.kill(&goes);
    }

    #[track_caller]
    fn kill_one_that_deletes(&mut self, step: Step) {
        let goes = [self.claim(), self.claim(), self.claim()];
        for name in &goes {
            self.site.is_bound(name);
        }
        let site = self.site;
        site.eventually("what was written down to go", || site.intents().is_empty());
        let awaited = Awaited::at(site, step);
        site.delete_claim(&goes[0]);
        site.eventually(&format!("{step:?}"), || awaited.is_there(site));
        self.kill(&goes[1]);
        let [.., stays] = goes;
        self.staying.push(stays);
    }

    /// A process that made a disk is killed before anybody learns of it, and then another that deletes it again.
    #[track_caller]
    fn kill_one_that_undoes(&mut self, step: Step) {
        let site = self.site;
        loop {
            let made = Awaited::at(site, Step::Cloud("CreateDisk"));
            let goes = self.three_claims();
            site.eventually("a disk to be made", || made.is_there(site));
            self.kill(&goes);
            for name in &self.staying {
                site.is_bound(name);
            }
            let awaited = Awaited::at(site, step);
            let mut is_there = false;
            site.eventually(&format!("{step:?}"), || {
                is_there = awaited.is_there(site);
                is_there || site.intents().is_empty()
            });
            // Where it was undone before anybody looked, this was no kill at that step.
            if is_there {
                self.crew.kill(|| site.cloud.clear_faults());
                return;
            }
            site.cloud.clear_faults();
        }
    }

    /// While claims come and one goes that had its disk. Now and then it is so late that what is undone is under way.
    #[track_caller]
    fn kill_at_any_moment(&mut self) {
        let goes = self.three_claims();
        let is_late = self.claims.is_multiple_of(9);
        if self.staying.len() > 8 {
            let bound = self.staying.remove(0);
            self.site.delete_claim(&bound);
        }
        sleep(any_moment(Duration::from_millis(match is_late {
            true => 7000,
            false => 2000,
        })));
        self.kill(&goes);
    }

    /// Lets the last ones do what is left, and looks at all of it.
    #[track_caller]
    fn end(self) {
        let site = self.site;
        let disks: Vec<String> = self.staying.iter().map(|name| site.disk_of(name)).collect();
        site.eventually("nothing to be left but what stays", || {
            let mut there = site.disks();
            let mut expected = disks.clone();
            there.sort();
            expected.sort();
            there == expected && site.volumes().len() == disks.len() && site.intents().is_empty()
        });
        let made = site.cloud.disks_made();
        let mut twice: BTreeMap<&str, usize> = BTreeMap::new();
        for disk in &made {
            *twice
                .entry(disk["name"].as_str().expect("a name"))
                .or_default() += 1;
        }
        twice.retain(|_, times| *times > 1);
        assert!(
            twice.is_empty(),
            "made more than once: {twice:?} of {made:#?}\n{}",
            site.log()
        );
        say(&format!(
            "{}: killed {} times; of {} claims {} were deleted meanwhile and {} stay, each with one disk; {} disks were made, \
             none twice, and none is left",
            site.account(),
            self.crew.kills,
            self.claims,
            self.deleted_meanwhile,
            disks.len(),
            made.len()
        ));
        for name in &self.staying {
            site.delete_claim(name);
        }
        site.nothing_is_left();
    }
}

/// A step that is waited for.
enum Awaited {
    Api(Receiver<()>),
    Cloud,
}

impl Awaited {
    #[track_caller]
    fn at(site: &Site, step: Step) -> Self {
        match step {
            Step::Api(moment, request) => Self::Api(site.gate.trap(moment, request)),
            Step::Cloud(action) => {
                site.cloud
                    .fault(&json!({ "action": action, "kind": "slow-reply" }));
                Self::Cloud
            }
        }
    }

    #[track_caller]
    fn is_there(&self, site: &Site) -> bool {
        match self {
            Self::Api(sprung) => sprung.try_recv().is_ok(),
            Self::Cloud => site.cloud.fired() > 0,
        }
    }
}

#[expect(clippy::print_stdout, reason = "what was done is read there")]
fn say(what: &str) {
    println!("{what}");
}
