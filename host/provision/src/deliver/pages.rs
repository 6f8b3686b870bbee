//! What the deliverer did and has before it, in numbers, and whether it is well.
//!
//! | metric | labels | what it counts |
//! |---|---|---|
//! | `drivebay_deliver_pods` | state | pods that mount something of ours: `told` of all of it, or `due` |
//! | `drivebay_deliver_stopped` | – | 1 where a pod refused what came last, and no more are told |
//! | `drivebay_deliver_annotations_total` | – | pods that were told |
//! | `drivebay_deliver_stops_total` | – | changes that were stopped |
//! | `drivebay_deliver_failures_total` | – | what the API server refused, or did not answer |

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use drivebay::csi::Pages;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric, text};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Registry;

use super::cluster::Cluster;

/// A step asks the API server at most once for each pod, and waits no longer for an answer than five minutes.
const LONGEST_STEP: Duration = Duration::from_secs(600);

/// What is counted; clones share it.
#[derive(Debug, Clone, Default)]
pub(super) struct Counted {
    pub(super) annotations: Counter,
    pub(super) stops: Counter,
    pub(super) failures: Counter,
    is_stopped: Arc<AtomicBool>,
    /// When the last step was begun.
    stepped: Arc<Mutex<Option<Instant>>>,
}

/// What is told; clones share it.
#[derive(Clone)]
pub(super) struct DeliverPages {
    registry: Arc<Registry>,
    cluster: Cluster,
    counted: Counted,
}

impl Counted {
    /// A step begins.
    pub(super) fn steps(&self) {
        let mut stepped = self.stepped.lock().unwrap_or_else(PoisonError::into_inner);
        *stepped = Some(Instant::now());
    }

    /// Whether the last change was stopped.
    pub(super) fn is_stopped(&self, is_so: Stopped) {
        let is_so = is_so == Stopped::Yes;
        self.is_stopped.store(is_so, Ordering::Relaxed);
    }

    fn silent(&self) -> Option<Duration> {
        let stepped = self.stepped.lock().unwrap_or_else(PoisonError::into_inner);
        stepped.map(|stepped| stepped.elapsed())
    }
}

/// Whether more pods are told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stopped {
    Yes,
    No,
}

impl DeliverPages {
    pub(super) fn new(cluster: Cluster, counted: Counted) -> Self {
        let mut registry = Registry::with_prefix("drivebay_deliver");
        let help = "Pods that were told of what they mount";
        registry.register("annotations", help, counted.annotations.clone());
        let help = "Changes that were stopped, because a pod refused them";
        registry.register("stops", help, counted.stops.clone());
        let help = "What the API server refused, or did not answer";
        registry.register("failures", help, counted.failures.clone());
        registry.register_collector(Box::new(State {
            cluster: cluster.clone(),
            is_stopped: Arc::clone(&counted.is_stopped),
        }));
        Self {
            registry: Arc::new(registry),
            cluster,
            counted,
        }
    }
}

impl Pages for DeliverPages {
    fn metrics(&self) -> Result<String, fmt::Error> {
        let mut out = String::new();
        text::encode(&mut out, &self.registry)?;
        Ok(out)
    }

    /// Who has pods to tell takes a step after the other.
    fn hangs(&self) -> Vec<String> {
        let is_due = self.cluster.see(|watched| !watched.due().is_empty());
        let is_due = is_due == Some(true) && !self.counted.is_stopped.load(Ordering::Relaxed);
        let silent = self.counted.silent().filter(|it| *it > LONGEST_STEP);
        let hangs = silent.filter(|_| is_due);
        let hangs = hangs.map(|it| format!("no step was taken for {} s", it.as_secs()));
        hangs.into_iter().collect()
    }

    fn troubles(&self) -> Vec<String> {
        let unseen = match self.cluster.see(|_| ()) {
            Some(()) => None,
            None => Some("waits for the API server's list of pods and ConfigMaps".to_owned()),
        };
        unseen.into_iter().chain(self.hangs()).collect()
    }
}

/// As it is when somebody asks.
struct State {
    cluster: Cluster,
    is_stopped: Arc<AtomicBool>,
}

impl fmt::Debug for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("State").finish_non_exhaustive()
    }
}

impl Collector for State {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let help = "Whether no more pods are told, because one refused what came last";
        let is_stopped = ConstGauge::new(i64::from(self.is_stopped.load(Ordering::Relaxed)));
        is_stopped.encode(encoder.encode_descriptor(
            "stopped",
            help,
            None,
            MetricType::Gauge,
        )?)?;
        let counts = self.cluster.see(|watched| {
            let due = watched.due().len();
            let ours = watched.pods.values();
            let ours = ours.filter(|pod| pod.is_running && !pod.wanted(&watched.maps).is_empty());
            [("due", due), ("told", ours.count().saturating_sub(due))]
        });
        let help = "Pods that mount components or drivers' files";
        let mut family = encoder.encode_descriptor("pods", help, None, MetricType::Gauge)?;
        // Before they were listed there is none.
        for (state, count) in counts.unwrap_or([("due", 0), ("told", 0)]) {
            let count = ConstGauge::new(i64::try_from(count).unwrap_or(i64::MAX));
            count.encode(family.encode_family(&[("state", state)])?)?;
        }
        Ok(())
    }
}
