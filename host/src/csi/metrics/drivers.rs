//! What the drivers counted themselves, read when somebody asks.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Unit;

use crate::driver::{Component, DecidedVersions, Driver, DriverStats, Readiness, VersionStats};

/// By name. One that is served on several sockets counts once, with all of them together.
#[derive(Debug, Clone)]
pub(super) struct Drivers(Arc<BTreeMap<String, Vec<Driver>>>);

impl Drivers {
    pub(super) fn of(drivers: impl Iterator<Item = Driver>) -> Self {
        let mut by_name: BTreeMap<String, Vec<Driver>> = BTreeMap::new();
        for driver in drivers {
            let name = driver.config().name.0.clone();
            by_name.entry(name).or_default().push(driver);
        }
        Self(Arc::new(by_name))
    }

    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    fn stats(&self) -> Vec<(&str, DriverStats)> {
        let of = |drivers: &[Driver]| {
            drivers
                .iter()
                .map(Driver::stats)
                .fold(DriverStats::default(), DriverStats::plus)
        };
        self.0
            .iter()
            .map(|(name, drivers)| (name.as_str(), of(drivers)))
            .collect()
    }
}

impl Collector for Drivers {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let stats = self.stats();
        for (name, help, of) in TIMES {
            let mut family =
                encoder.encode_descriptor(name, help, Some(&Unit::Seconds), MetricType::Counter)?;
            for (driver, stats) in &stats {
                let seconds = ConstCounter::new(of(stats).as_secs_f64());
                seconds.encode(family.encode_family(&[("driver", *driver)])?)?;
            }
        }
        for (name, help, label, of) in COUNTS {
            let mut family = encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
            for (driver, stats) in &stats {
                for (value, count) in of(stats) {
                    let labels = [("driver", *driver), (label, *value)];
                    ConstCounter::new(*count).encode(family.encode_family(&labels)?)?;
                }
            }
        }
        self.ready(&mut encoder)?;
        self.components(&mut encoder)?;
        self.loaded(&mut encoder)?;
        self.versions(&mut encoder)
    }
}

/// Name, help, value.
type Times = (&'static str, &'static str, fn(&DriverStats) -> Duration);

const TIMES: [Times; 2] = [
    (
        "guest",
        "Time in the component, without what its host functions waited",
        |stats| stats.guest,
    ),
    (
        "host",
        "Time waiting for the kernel's workers and the network",
        |stats| stats.host,
    ),
];

/// Name, help, the second label, values.
type Counts = (
    &'static str,
    &'static str,
    &'static str,
    fn(&DriverStats) -> &[(&'static str, u64)],
);

const COUNTS: [Counts; 2] = [
    (
        "workers_killed",
        "Worker processes given up and killed",
        "reason",
        |stats| &stats.workers_killed,
    ),
    (
        "refusals",
        "What the component asked for and was not granted",
        "capability",
        |stats| &stats.refusals,
    ),
];

impl Drivers {
    /// As CSI's Probe has it, so that a driver without a component shows.
    fn ready(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let help = "Whether a component is loaded that may serve";
        let mut family =
            encoder.encode_descriptor("driver_ready", help, None, MetricType::Gauge)?;
        for (driver, drivers) in self.0.iter() {
            let is_ready = drivers
                .iter()
                .all(|one| matches!(one.readiness(), Readiness::Ready));
            let labels = [("driver", driver.as_str())];
            gauge(u64::from(is_ready)).encode(family.encode_family(&labels)?)?;
        }
        Ok(())
    }

    /// A driver without a component has none.
    fn components(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let help = "The component that serves now";
        let mut family = encoder.encode_descriptor("component", help, None, MetricType::Info)?;
        for (driver, drivers) in self.0.iter() {
            let Some(component) = drivers
                .first()
                .and_then(|one| one.session().component().ok())
            else {
                continue;
            };
            family.encode_info(&[
                ("driver", driver.as_str()),
                ("component", component.name.as_str()),
                ("version", component.version.as_str()),
                ("sha256", component.sha256.as_str()),
            ])?;
        }
        Ok(())
    }

    /// Each once, also where several sockets have a driver.
    fn loaded(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let help = "A component that this process has loaded";
        let mut family =
            encoder.encode_descriptor("component_loaded", help, None, MetricType::Info)?;
        for (driver, drivers) in self.0.iter() {
            let loaded = drivers.iter().flat_map(Driver::loaded);
            let by_digest: BTreeMap<String, Component> =
                loaded.map(|one| (one.sha256.clone(), one)).collect();
            for component in by_digest.values() {
                family.encode_info(&[
                    ("driver", driver.as_str()),
                    ("version", component.version.as_str()),
                    ("sha256", component.sha256.as_str()),
                ])?;
            }
        }
        Ok(())
    }

    /// The node's, and not this process's: read when somebody asks.
    fn versions(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let stats: Vec<(&str, VersionStats)> = self
            .0
            .iter()
            .filter_map(|(name, drivers)| Some((name.as_str(), drivers.first()?.version_stats())))
            .collect();
        self.offers(encoder, &stats)?;
        for (name, help, of) in STEPS {
            let mut family = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
            for (driver, stats) in &stats {
                for (step, count) in of(stats) {
                    let labels = [("driver", *driver), ("step", step)];
                    gauge(count).encode(family.encode_family(&labels)?)?;
                }
            }
        }
        for (name, help, of) in DECIDED {
            let mut family = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
            for (driver, stats) in &stats {
                let Some(decided) = &stats.decided else {
                    continue;
                };
                gauge(of(decided)).encode(family.encode_family(&[("driver", *driver)])?)?;
            }
        }
        Ok(())
    }

    /// Of the same moment as the numbers beside it.
    fn offers(
        &self,
        encoder: &mut DescriptorEncoder<'_>,
        stats: &[(&str, VersionStats)],
    ) -> fmt::Result {
        let help = "What the sources offer, and how far it has come";
        let mut family =
            encoder.encode_descriptor("component_offer", help, None, MetricType::Info)?;
        for (driver, stats) in stats {
            let configured = self.0.get(*driver).and_then(|drivers| drivers.first());
            let component = configured.map(|one| one.config().component.as_str());
            family.encode_info(&[
                ("driver", *driver),
                ("component", component.unwrap_or_default()),
                ("content", stats.offer.content.as_str()),
                ("driver_file", stats.offer.driver_file.as_str()),
                ("state", stats.offer.state.name()),
            ])?;
        }
        Ok(())
    }
}

/// There are never more of them than a record holds.
fn gauge(count: u64) -> ConstGauge<i64> {
    ConstGauge::new(i64::try_from(count).unwrap_or(i64::MAX))
}

/// Name, help, how many at which step.
type Steps = (
    &'static str,
    &'static str,
    fn(&VersionStats) -> Vec<(&'static str, u64)>,
);

const STEPS: [Steps; 2] = [
    (
        "component_pending",
        "A version on its way, by what is being done with it",
        |stats| stats.pending.map(|step| (step, 1)).into_iter().collect(),
    ),
    (
        "component_refused",
        "What was delivered and did not become a version, by the step at which it failed",
        |stats| stats.refused.clone().into_iter().collect(),
    ),
];

/// Name, help, how many.
type Decided = (&'static str, &'static str, fn(&DecidedVersions) -> u64);

const DECIDED: [Decided; 2] = [
    (
        "component_held",
        "Versions that wait for the operator",
        |decided| decided.held,
    ),
    (
        "component_rejected",
        "Versions that are not activated by themselves",
        |decided| decided.rejected,
    ),
];
