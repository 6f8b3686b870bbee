//! What many claims at once cost each, and that those which came first are served first, also where the cloud asks for patience.
//!
//! Here there are as many as take seconds; `cargo xtask bench --claims` has thousands, and prints what this tells it.

use std::collections::BTreeMap;
use std::fs;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, sleep};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::site::{CLAIMS, Provisioner, Site};

/// How many of them wait at once, at most.
const PENDING: usize = 1000;

/// Who makes claims, beside each other.
const CALLERS: usize = 4;

/// How often the cloud asks for patience, after three of ten claims.
const THROTTLED: usize = 50;

/// How long a call of the driver may take, as shipped.
const DEADLINE: &str = "100s";

/// How long a disk takes here until it can be used.
const MAKING_MS: u64 = 500;

fn claims() -> usize {
    let said = std::env::var("DRIVEBAY_BENCH_CLAIMS").ok();
    said.map_or(60, |said| said.parse().expect("a number"))
}

/// How many are served at once: as shipped, and three times as many where they are thousands. Two cores serve some twenty a
/// second with all that is asked, and one that waits for them for three seconds is told of it by one more request.
fn at_once(claims: usize) -> usize {
    (claims / 10).clamp(10, 30)
}

/// By number, so that names have the order in which claims come.
fn name(number: usize) -> String {
    format!("data-{number:06}")
}

#[test]
fn many_claims_at_once_cost_few_requests_each_and_are_served_in_their_order() {
    let site = Site::with_deadline("scale", DEADLINE);
    site.class(&json!({}));
    site.cloud.set(&json!({ "delay_ms": MAKING_MS }));
    let count = claims();
    let crowd = Crowd::watched(&site, count);
    crowd.come(PENDING.min(count));
    let (begun, provisioner) = (
        Instant::now(),
        site.provisioner_of_many_at_once(at_once(count)),
    );
    let memory = thread::scope(|scope| {
        scope.spawn(|| crowd.come(count));
        measured(&crowd, &provisioner)
    });
    let took = begun.elapsed();
    site.eventually("what was written down to go", || site.intents().is_empty());
    let figures = Figures::of(&crowd, took, memory);
    if let Ok(file) = std::env::var("DRIVEBAY_BENCH_FIGURES") {
        fs::write(file, figures.to_json().to_string()).expect("writable");
    }
    assert_eq!((site.disks().len(), figures.made), (count, count as u64));
    assert!(figures.api_requests <= 6 * count + 20, "{:#?}", figures.api);
    let accepted = figures.cloud_requests - figures.throttled;
    let most = 3 * count as u64 + 20;
    assert!(accepted <= most, "{:#?}", figures.cloud);
}

#[test]
fn a_claim_costs_three_requests_to_the_cloud() {
    let site = Site::with_class("few-requests");
    site.cloud.set(&json!({ "delay_ms": 0 }));
    let _provisioner = site.provisioner();
    site.claim("data", &json!({}));
    site.is_bound("data");
    // Whether there is a disk for it; to make it; how far it is and whether it is the only one.
    let expected = [("CreateDisk", 1), ("DescribeDisks", 2)];
    let expected = expected.map(|(action, times)| (action.to_owned(), times));
    assert_eq!(site.cloud.all_requests(), expected.into());
}

/// The number of a claim that is bound, from an event of a watch.
fn number_of_bound(event: &Value) -> Option<usize> {
    let object = &event["object"];
    let (_, number) = object["metadata"]["name"].as_str()?.rsplit_once('-')?;
    let number = number.parse().ok()?;
    (object["status"]["phase"] == "Bound").then_some(number)
}

/// Claims that come, and when each was bound.
struct Crowd<'a> {
    site: &'a Site,
    count: usize,
    came: AtomicUsize,
    /// Numbers of those that are bound, in their order.
    bound: Arc<Mutex<Vec<usize>>>,
}

impl<'a> Crowd<'a> {
    /// None by now.
    fn watched(site: &'a Site, count: usize) -> Self {
        let bound = Arc::new(Mutex::new(Vec::new()));
        let (told, api, path) = (Arc::clone(&bound), site.api(), site.path(CLAIMS, ""));
        thread::spawn(move || {
            let mut seen = vec![false; count];
            // An API server that is busy ends the watches of those who are slower; the next one begins with all there is.
            while seen.contains(&false) {
                for number in api.watch(&path).filter_map(|event| number_of_bound(&event)) {
                    if !std::mem::replace(&mut seen[number], true) {
                        told.lock()
                            .unwrap_or_else(PoisonError::into_inner)
                            .push(number);
                    }
                }
            }
        });
        let came = AtomicUsize::new(0);
        Self {
            site,
            count,
            came,
            bound,
        }
    }

    fn bound(&self) -> Vec<usize> {
        self.bound
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    fn bound_count(&self) -> usize {
        self.bound
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .len()
    }

    /// So many have come once this returns; never more wait at once than are to.
    fn come(&self, until: usize) {
        thread::scope(|scope| {
            for _ in 0..CALLERS {
                scope.spawn(|| self.call(until));
            }
        });
    }

    fn call(&self, until: usize) {
        loop {
            let came = self.came.load(Ordering::SeqCst);
            if came >= until {
                return;
            }
            if came - self.bound_count().min(came) >= PENDING {
                sleep(Duration::from_millis(5));
                continue;
            }
            let next =
                self.came
                    .compare_exchange(came, came + 1, Ordering::SeqCst, Ordering::SeqCst);
            if next.is_ok() {
                self.site.claim(&name(came), &json!({}));
            }
        }
    }
}

/// Waits until all are bound. The cloud asks for patience on the way, and memory is looked at when the first thousand are
/// bound, or half of fewer, and at the end.
fn measured(crowd: &Crowd<'_>, provisioner: &Provisioner) -> [u64; 2] {
    let reaches = |number: usize| {
        while crowd.bound_count() < number {
            sleep(Duration::from_millis(20));
        }
    };
    let early = PENDING.min(crowd.count / 2);
    let throttled = crowd.count * 3 / 10;
    let throttle = || {
        reaches(throttled);
        let order = json!({ "action": "CreateDisk", "kind": "throttling", "times": THROTTLED.min(crowd.count / 10) });
        crowd.site.cloud.fault(&order);
    };
    let look = || {
        reaches(early);
        provisioner.resident_bytes()
    };
    let early = match throttled < early {
        true => {
            throttle();
            look()
        }
        false => {
            let bytes = look();
            throttle();
            bytes
        }
    };
    reaches(crowd.count);
    [early, provisioner.resident_bytes()]
}

/// What came of it.
struct Figures {
    claims: usize,
    took: Duration,
    memory: [u64; 2],
    /// By method and kind.
    api: BTreeMap<String, usize>,
    api_requests: usize,
    cloud: BTreeMap<String, u64>,
    cloud_requests: u64,
    made: u64,
    throttled: u64,
    /// By how many places a claim was after its turn, at most.
    late: usize,
}

impl Figures {
    fn of(crowd: &Crowd<'_>, took: Duration, memory: [u64; 2]) -> Self {
        let site = crowd.site;
        let mut api: BTreeMap<String, usize> = BTreeMap::new();
        for request in site.gate.requests() {
            *api.entry(kind(&request)).or_default() += 1;
        }
        let cloud = site.cloud.all_requests();
        Self {
            claims: crowd.count,
            took,
            memory,
            api_requests: api.values().sum(),
            api,
            cloud_requests: cloud.values().sum(),
            cloud,
            made: u64::try_from(site.cloud.disks_made().len()).expect("few"),
            throttled: site.cloud.fired(),
            late: late(&crowd.bound()),
        }
    }

    fn to_json(&self) -> Value {
        json!({
            "claims": self.claims,
            "milliseconds": u64::try_from(self.took.as_millis()).expect("not so long"),
            "memory": self.memory,
            "api": self.api,
            "api-requests": self.api_requests,
            "cloud": self.cloud,
            "cloud-requests": self.cloud_requests,
            "throttled": self.throttled,
            "late": self.late,
        })
    }
}

/// `GET /api/v1/namespaces/scale/configmaps/pvc-1?x` is `GET configmaps`.
fn kind(request: &str) -> String {
    let (method, path) = request.split_once(' ').unwrap_or((request, ""));
    let path = path.split('?').next().unwrap_or_default();
    let known = [
        "configmaps",
        "events",
        "nodes",
        "persistentvolumes",
        "persistentvolumeclaims",
    ];
    let mut parts = path.split('/');
    let kind = parts.find(|part| known.contains(part)).unwrap_or("others");
    format!("{method} {kind}")
}

/// Of numbers in the order in which they came to an end: by how many places one was after its turn, at most.
fn late(ended: &[usize]) -> usize {
    let places = ended.iter().enumerate();
    places
        .map(|(place, number)| place.saturating_sub(*number))
        .max()
        .unwrap_or_default()
}

#[test]
fn who_comes_after_its_turn_is_seen() {
    assert_eq!(late(&[0, 1, 2, 3]), 0);
    assert_eq!(late(&[1, 2, 3, 0]), 3);
    assert_eq!(late(&[1, 0, 3, 2]), 1);
}
