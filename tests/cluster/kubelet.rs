//! kubelet goes and comes back while pods come and go.

use std::fs;
use std::path::PathBuf;

use crate::installation::{CLASS, is_ready, mounts_of};
use crate::kubectl::{eventually, node_agrees, node_says, place};
use crate::site::{Site, claim, pod};
use crate::turns::alone;
use crate::writer::Writer;

#[test]
#[ignore = "needs a cluster"]
fn pods_get_and_lose_their_volumes_while_kubelet_is_killed() {
    let _turn = alone();
    is_ready();
    let site = Site::new("kubelet");
    let writer = Writer::start(&site, "writer", CLASS);
    let names = ["one", "two", "three"];
    for name in names {
        site.apply(&[claim(name, CLASS, 20), pod(name, name)]);
    }
    // In the midst of mounting.
    eventually("a first volume to be mounted", || {
        let volumes = names.map(|name| site.get("pvc", name)["spec"]["volumeName"].clone());
        let mut volumes = volumes.iter().filter_map(|volume| volume.as_str());
        volumes.any(|volume| !mounts_of(volume).is_empty())
    });
    kill();
    for name in names {
        site.is_ready(name);
    }
    let volumes = names.map(|name| site.is_bound(name));
    for name in names {
        site.kubectl(&["delete", "pod", name, "--wait=false"]);
    }
    kill();
    eventually("all volumes to be unmounted", || {
        volumes.iter().all(|volume| mounts_of(volume).is_empty())
    });
    writer.goes_on();
}

#[test]
#[ignore = "needs a cluster"]
fn drivers_are_known_to_a_kubelet_that_comes_back() {
    let _turn = alone();
    is_ready();
    let site = Site::new("kubelet-down");
    let held = Held::down();
    site.apply(&[claim("data", CLASS, 20), pod("app", "data")]);
    site.is_bound("data");
    drop(held);
    site.is_ready("app");
}

/// `kill -9`; what keeps it starts it again.
#[track_caller]
fn kill() {
    let id = process();
    node_says(&["kill", "-KILL", &id]);
    eventually("kubelet to be started again", || {
        let now = process();
        now != id && node_agrees(&["kill", "-0", &now])
    });
}

#[track_caller]
fn process() -> String {
    let text = fs::read_to_string(place("run/kubelet.pid")).expect("it runs");
    text.trim().to_owned()
}

/// As long as this lives, kubelet does not.
struct Held(PathBuf);

impl Held {
    #[track_caller]
    fn down() -> Self {
        let held = Self(place("run/kubelet.held"));
        fs::write(&held.0, "").expect("writable");
        let id = process();
        node_says(&["kill", "-KILL", &id]);
        eventually("kubelet to end", || !node_agrees(&["kill", "-0", &id]));
        held
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}
