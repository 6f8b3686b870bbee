//! `kill -9` of the watcher at any step: the old version or the new one serves, never none, the next watcher finishes
//! what was begun, and nothing is left of what was not.

use std::os::fd::AsFd;
use std::process::Child;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use drivebay_tests::{ConfigMap, Node, PATIENCE, csi_proto as proto, digest, eventually, text};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify};
use serde_json::Value;

use crate::backend::backend;
use crate::serving::named_in;
use crate::site::{FILE, Kind, SHIM, Site, Watcher, prepared, progress, read_json, record, watch};
use crate::whole::is_whole;

/// In the order in which they are taken.
const STEPS: [&str; 7] = [
    "read",
    "decompress",
    "verify",
    "check",
    "compile",
    "self-test",
    "switch",
];

/// How often at each step, and at random.
const AT_EACH: usize = 20;
const AT_RANDOM: usize = 200;

/// A node without a watcher, and what its source shows next.
struct Ground {
    node: Node,
    source: ConfigMap,
    next: AtomicU64,
}

impl Ground {
    #[track_caller]
    fn new() -> Self {
        let (node, source) = prepared("");
        let ground = Self {
            node,
            source,
            next: AtomicU64::new(1),
        };
        let first = ground.shows_another();
        let mut watcher = ground.watcher();
        ground.becomes(&first);
        end(&mut watcher);
        ground
    }

    fn watcher(&self) -> Child {
        let from = text(self.source.directory()).to_owned();
        watch(&self.node, &["--components-from", &from])
    }

    /// A version that was never shown before; its digest.
    fn shows_another(&self) -> String {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let component = backend(&format!("1.{number}.0")).component();
        self.source.write(&[(FILE, &component)]);
        digest(&component)
    }

    /// Which version is active.
    fn active(&self) -> Value {
        read_json(&record(&self.node))["active"].clone()
    }

    /// What is on its way.
    fn pending(&self) -> Value {
        read_json(&progress(&self.node))["pending"].clone()
    }

    #[track_caller]
    fn becomes(&self, digest: &str) {
        eventually("the version that is shown", || {
            self.active()["sha256"] == digest && self.pending().is_null()
        });
    }

    /// A call meets a version, and the record says which.
    #[track_caller]
    fn serves(&self) {
        let target = text(&self.node.pod("who")).to_owned();
        let answer = self.node.call_driver(
            SHIM,
            &["mount", &target, &drivebay_tests::options("who", &[])],
        );
        let version = named_in(answer.message()).unwrap_or_else(|| panic!("{}", answer.text));
        assert_eq!(self.active()["version"], version);
    }

    /// Starts a watcher, and kills it when the record says that it is about to take that step. Whether it did.
    fn is_killed_at(&self, step: &str) -> bool {
        let wanted = self.shows_another();
        let changes = Changes::of(&self.node);
        let mut watcher = self.watcher();
        let hit = loop {
            if self.pending()["step"] == step {
                break true;
            }
            if self.active()["sha256"] == wanted.as_str() {
                break false;
            }
            changes.wait();
        };
        end(&mut watcher);
        hit
    }
}

/// Wakes whoever waits as soon as either record is replaced: a busy machine lets one that only looks again and again
/// have its turn after the step is over.
struct Changes(Inotify);

impl Changes {
    #[track_caller]
    fn of(node: &Node) -> Self {
        let changes = Inotify::init(InitFlags::IN_CLOEXEC).expect("inotify");
        for record in [record(node), progress(node)] {
            let directory = record.parent().expect("it lies in one");
            changes
                .add_watch(directory, AddWatchFlags::IN_MOVED_TO)
                .expect("there");
        }
        Self(changes)
    }

    #[track_caller]
    fn wait(&self) {
        let mut descriptors = [PollFd::new(self.0.as_fd(), PollFlags::POLLIN)];
        let patience = PollTimeout::try_from(PATIENCE).expect("it fits");
        let came = poll(&mut descriptors, patience).expect("ours");
        assert_eq!(came, 1, "nothing happens");
        self.0.read_events().expect("just told");
    }
}

fn end(watcher: &mut Child) {
    let _ = watcher.kill();
    let _ = watcher.wait();
}

#[test]
fn killed_at_any_step_the_next_watcher_finishes_it_and_nothing_is_left() {
    let ground = Ground::new();
    for step in STEPS {
        let mut hits = 0;
        for _ in 0..10 * AT_EACH {
            if hits == AT_EACH {
                break;
            }
            hits += usize::from(ground.is_killed_at(step));
            ground.serves();
        }
        assert_eq!(hits, AT_EACH, "{step} is not seen often enough");
        let last = ground.shows_another();
        let mut watcher = ground.watcher();
        ground.becomes(&last);
        ground.serves();
        // While it lives, as it takes away what it does not keep after it was done.
        is_whole(&ground.node);
        end(&mut watcher);
    }
}

#[test]
fn killed_at_any_moment_a_version_serves_and_the_next_watcher_converges() {
    let ground = Ground::new();
    let took = {
        let begun = Instant::now();
        let shown = ground.shows_another();
        let mut watcher = ground.watcher();
        ground.becomes(&shown);
        end(&mut watcher);
        begun.elapsed()
    };
    for number in 0..AT_RANDOM {
        ground.shows_another();
        let mut watcher = ground.watcher();
        // Golden steps through the time that one takes, and a quarter beyond: spread evenly, and never the same.
        let part = u32::try_from(number * 618 % 1000).expect("below a thousand");
        std::thread::sleep(took * 5 / 4 * part / 1000);
        end(&mut watcher);
        if number % 10 == 0 {
            ground.serves();
        }
    }
    let last = ground.shows_another();
    let mut watcher = ground.watcher();
    ground.becomes(&last);
    ground.serves();
    is_whole(&ground.node);
    end(&mut watcher);
}

#[test]
fn a_serve_that_is_killed_while_it_activates_comes_back_with_a_version_and_activates() {
    let site = Site::new(Watcher::Serve);
    for number in 0..20u32 {
        let shown = site.show_version(&format!("2.{number}.0"));
        std::thread::sleep(Duration::from_millis(u64::from(number) * 10));
        site.kill();
        assert!(!site.version().is_empty(), "no version serves the shim");
        site.start_again();
        let csi = site.csi().expect("it is serve");
        eventually("serve to be there again", || {
            csi.get_plugin_info(proto::GetPluginInfoRequest {}).is_ok()
        });
        site.tells("what was shown", |status| {
            status.active_digest() == Some(shown.as_str())
        });
    }
    site.is_whole();
}

#[test]
fn a_watcher_that_was_killed_leaves_no_lock() {
    let (node, source) = prepared("");
    source.write(&[(FILE, &backend("1.0.0").component())]);
    let site = Site::watched(Watcher::Install, Kind::Mounted, node, source, &[]);
    site.serves("1.0.0");
    site.kill();
    site.start_again();
    site.swap_to("2.0.0");
}

#[test]
fn two_watchers_of_one_source_activate_once_and_the_second_takes_over() {
    let site = Site::new(Watcher::Serve);
    let from = text(site.source.directory()).to_owned();
    let mut second = watch(&site.node, &["--components-from", &from]);
    site.swap_to("2.0.0");
    site.kill();
    let shown = site.show_version("3.0.0");
    site.tells("what was shown", |status| {
        status.active_digest() == Some(shown.as_str())
    });
    end(&mut second);
    site.is_whole();
}
