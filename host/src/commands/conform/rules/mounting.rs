//! Volumes are mounted.

use drivebay::store::Export;
use drivebay::volume::Health;

use crate::commands::conform::bench::Bench;
use crate::commands::conform::expectation::{Checked, given, holds, succeeds};
use crate::commands::conform::rule::Rule;

pub(super) const RULES: &[Rule] = &[
    Rule {
        name: "volume-mounts",
        asks: "a volume can be mounted, with what create-volume and attach-volume said of it",
        why: "the pod waits for it",
        needs: &[Export::Node],
        check: mounts,
    },
    Rule {
        name: "mount-repeats",
        asks: "a volume can be mounted again after it was unmounted, and at another path besides",
        why: "the kubelet repeats the call after lost answers and restarts, and pods come and go while the volume stays attached",
        needs: &[Export::Node],
        check: repeats,
    },
    Rule {
        name: "good-volumes-are-well",
        asks: "get-health says nothing bad of a volume that was mounted a moment ago",
        why: "what it says becomes events and conditions that people are woken up by",
        needs: &[Export::Node],
        check: healthy,
    },
];

fn mounts(bench: &Bench) -> Checked {
    let volume = bench.mountable("mounted")?;
    succeeds("stage-volume", bench.mount(&volume, "once"))
}

fn repeats(bench: &Bench) -> Checked {
    let volume = bench.mountable("mounted-again")?;
    given("stage-volume", bench.mount(&volume, "again"))?;
    bench.unmount("again");
    let again = bench.mount(&volume, "again");
    succeeds("stage-volume after the volume was unmounted", again)?;
    let beside = bench.mount(&volume, "beside");
    succeeds("stage-volume at another path besides", beside)
}

fn healthy(bench: &Bench) -> Checked {
    let volume = bench.mountable("healthy")?;
    given("stage-volume", bench.mount(&volume, "healthy"))?;
    let health = succeeds("get-health", bench.session().node_health(&volume))?;
    holds(health == Health::Ok, || {
        format!("get-health says {health:?}")
    })
}
