//! What the provisioner did and what waits for it, in numbers, for Prometheus.
//!
//! | metric | labels | what it counts |
//! |---|---|---|
//! | `drivebay_provision_leads` | driver | 1 where this process works, 0 where it waits for the lease |
//! | `drivebay_provision_claims` | driver, state | claims that are `waiting`, and those whose volume is being made, `under-way` |
//! | `drivebay_provision_intents` | driver | what is written down and not done |
//! | `drivebay_provision_oldest_intent_seconds` | driver | since when the first of them is |
//! | `drivebay_provision_volumes_total` | driver, change | volumes `made` and `deleted` |
//! | `drivebay_provision_failures_total` | driver, reason | what went wrong: the driver's conditions, `claim` (its words), `api-server` |
//! | `drivebay_provision_call_duration_seconds` | driver, operation | how long calls of the driver took: a histogram |
//!
//! Who does not lead has nothing before it. No label takes a value from a claim. Counters begin at zero with the process.

use std::fmt;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use drivebay::error::Condition;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeLabelSet, EncodeMetric, text};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

use crate::backlog::Backlog;

/// Seconds. A disk takes some of them; a call may take as long as its deadline.
const BUCKETS: [f64; 11] = [0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0];

/// A call of the driver.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Operation {
    Create,
    Delete,
}

/// What became of a volume.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Change {
    Made,
    Deleted,
}

/// What went wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Failure {
    /// As the driver says it.
    Driver(Condition),
    /// A claim, or its class, asks for what there is not.
    Claim,
    /// It did not answer, or refused.
    ApiServer,
}

/// Of one process; clones share them.
#[derive(Clone)]
pub(crate) struct Metrics(Arc<Shared>);

struct Shared {
    registry: Registry,
    driver: Arc<str>,
    volumes: Family<ChangeLabels, Counter>,
    failures: Family<FailureLabels, Counter>,
    durations: Family<OperationLabels, Histogram, fn() -> Histogram>,
    work: Work,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ChangeLabels {
    driver: Arc<str>,
    change: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct FailureLabels {
    driver: Arc<str>,
    reason: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OperationLabels {
    driver: Arc<str>,
    operation: &'static str,
}

/// Whoever leads can say what waits. Read when somebody asks.
#[derive(Clone)]
struct Work {
    driver: Arc<str>,
    backlog: Arc<OnceLock<Box<dyn Fn() -> Backlog + Send + Sync>>>,
}

impl Metrics {
    /// All at zero.
    pub(crate) fn new(driver: &str) -> Self {
        let driver: Arc<str> = driver.into();
        let volumes = Family::default();
        let failures = Family::default();
        let durations: Family<OperationLabels, Histogram, fn() -> Histogram> =
            Family::new_with_constructor(|| Histogram::new(BUCKETS));
        let work = Work {
            driver: Arc::clone(&driver),
            backlog: Arc::default(),
        };
        let mut registry = Registry::with_prefix("drivebay_provision");
        let help = "Volumes that were made and deleted";
        registry.register("volumes", help, volumes.clone());
        registry.register("failures", "What went wrong", failures.clone());
        registry.register_with_unit(
            "call_duration",
            "How long calls of the driver took",
            Unit::Seconds,
            durations.clone(),
        );
        registry.register_collector(Box::new(work.clone()));
        let metrics = Self(Arc::new(Shared {
            registry,
            driver,
            volumes,
            failures,
            durations,
            work,
        }));
        // What never happened is told as never, so that the first time is an increase.
        for operation in [Operation::Create, Operation::Delete] {
            metrics.durations(operation);
        }
        for change in [Change::Made, Change::Deleted] {
            metrics.changes(change);
        }
        for failure in { Condition::ALL }.map(Failure::Driver) {
            metrics.failures(failure);
        }
        for failure in [Failure::Claim, Failure::ApiServer] {
            metrics.failures(failure);
        }
        metrics
    }

    /// In `OpenMetrics`' text format.
    pub(crate) fn text(&self) -> Result<String, fmt::Error> {
        let mut out = String::new();
        text::encode(&mut out, &self.0.registry)?;
        Ok(out)
    }

    /// From now on this process works, and has that before it.
    pub(crate) fn lead(&self, backlog: impl Fn() -> Backlog + Send + Sync + 'static) {
        // Nobody leads twice.
        let _ = self.0.work.backlog.set(Box::new(backlog));
    }

    pub(crate) fn changed(&self, change: Change) {
        self.changes(change).inc();
    }

    pub(crate) fn failed(&self, failure: Failure) {
        self.failures(failure).inc();
    }

    /// A call of the driver ended.
    pub(crate) fn called(&self, operation: Operation, took: Duration) {
        self.durations(operation).observe(took.as_secs_f64());
    }

    fn durations(&self, operation: Operation) -> Histogram {
        self.0.durations.get_or_create_owned(&OperationLabels {
            driver: Arc::clone(&self.0.driver),
            operation: match operation {
                Operation::Create => "create",
                Operation::Delete => "delete",
            },
        })
    }

    fn changes(&self, change: Change) -> Counter {
        self.0.volumes.get_or_create_owned(&ChangeLabels {
            driver: Arc::clone(&self.0.driver),
            change: match change {
                Change::Made => "made",
                Change::Deleted => "deleted",
            },
        })
    }

    fn failures(&self, failure: Failure) -> Counter {
        self.0.failures.get_or_create_owned(&FailureLabels {
            driver: Arc::clone(&self.0.driver),
            reason: match failure {
                Failure::Driver(condition) => condition.name(),
                Failure::Claim => "claim",
                Failure::ApiServer => "api-server",
            },
        })
    }
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Metrics").finish_non_exhaustive()
    }
}

impl fmt::Debug for Work {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Work").finish_non_exhaustive()
    }
}

impl Collector for Work {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let backlog = self.backlog.get().map(|backlog| backlog());
        let leads = u64::from(backlog.is_some());
        let backlog = backlog.unwrap_or_default();
        let driver = ("driver", &*self.driver);
        let mut gauge = |name: &str, help: &str, samples: &[(Option<&str>, u64)]| {
            let mut family = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
            for (state, number) in samples {
                let number = ConstGauge::new(i64::try_from(*number).unwrap_or(i64::MAX));
                match state {
                    Some(state) => {
                        number.encode(family.encode_family(&[driver, ("state", state)])?)?;
                    }
                    None => number.encode(family.encode_family(&[driver])?)?,
                }
            }
            Ok::<_, fmt::Error>(())
        };
        gauge("leads", "Whether this process works", &[(None, leads)])?;
        let claims = [
            (Some("waiting"), backlog.waiting),
            (Some("under-way"), backlog.under_way),
        ];
        gauge("claims", "Claims without a volume", &claims)?;
        let help = "What is written down and not done";
        gauge("intents", help, &[(None, backlog.intents)])?;
        let help = "Since when the first of what is written down is";
        let seconds = backlog.oldest.map_or(0, |oldest| oldest.as_secs());
        gauge("oldest_intent_seconds", help, &[(None, seconds)])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn has(metrics: &Metrics, line: &str) {
        let text = metrics.text().expect("written");
        assert!(text.lines().any(|found| found == line), "{line}\n{text}");
    }

    #[test]
    fn who_waits_for_the_lease_has_nothing_before_it() {
        let metrics = Metrics::new("disk");
        has(&metrics, "drivebay_provision_leads{driver=\"disk\"} 0");
        has(&metrics, "drivebay_provision_intents{driver=\"disk\"} 0");
    }

    #[test]
    fn who_leads_tells_what_waits() {
        let metrics = Metrics::new("disk");
        metrics.lead(|| Backlog {
            waiting: 3,
            under_way: 2,
            intents: 4,
            oldest: Some(Duration::from_secs(61)),
        });
        for line in [
            "leads{driver=\"disk\"} 1",
            "claims{driver=\"disk\",state=\"waiting\"} 3",
            "claims{driver=\"disk\",state=\"under-way\"} 2",
            "intents{driver=\"disk\"} 4",
            "oldest_intent_seconds{driver=\"disk\"} 61",
        ] {
            has(&metrics, &format!("drivebay_provision_{line}"));
        }
    }

    #[test]
    fn what_never_happened_is_told_as_never() {
        let metrics = Metrics::new("disk");
        let line = |reason: &str, count| {
            format!(
                "drivebay_provision_failures_total{{driver=\"disk\",reason=\"{reason}\"}} {count}"
            )
        };
        for reason in ["exhausted", "denied", "claim", "api-server"] {
            has(&metrics, &line(reason, 0));
        }
        metrics.failed(Failure::Driver(Condition::Exhausted));
        metrics.changed(Change::Made);
        has(&metrics, &line("exhausted", 1));
        let made = "drivebay_provision_volumes_total{driver=\"disk\",change=\"made\"} 1";
        has(&metrics, made);
    }

    #[test]
    fn calls_are_timed_by_operation() {
        let metrics = Metrics::new("disk");
        metrics.called(Operation::Create, Duration::from_millis(300));
        let name = "drivebay_provision_call_duration_seconds";
        let labels = "driver=\"disk\",operation=\"create\"";
        has(&metrics, &format!("{name}_count{{{labels}}} 1"));
        has(
            &metrics,
            &format!("{name}_bucket{{le=\"0.25\",{labels}}} 0"),
        );
    }
}
