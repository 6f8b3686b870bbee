//! Counters and histograms of all drivers of this process.

use std::sync::Arc;
use std::time::Duration;

use prometheus_client::encoding::{EncodeLabelSet, text};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};
use tonic::Code;

use super::drivers::Drivers;
use super::registrations::Registrations;
use crate::csi::plugin::Service;

/// Seconds. Most calls end within milliseconds; a disk may take minutes to attach.
const BUCKETS: [f64; 17] = [
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0,
    120.0, 300.0,
];

/// Of all drivers of this process; clones share them.
#[derive(Debug, Clone)]
pub(in crate::csi) struct Metrics(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    registry: Registry,
    rpcs: Family<RpcLabels, Counter>,
    durations: Family<MethodLabels, Histogram, fn() -> Histogram>,
    in_flight: Family<DriverLabel, Gauge>,
    drivers: Drivers,
}

/// Of calls of one method of one driver that end in the same way.
#[derive(Debug)]
pub(super) struct MethodCounters {
    rpcs: Counter,
    durations: Histogram,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct DriverLabel {
    driver: Arc<str>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct MethodLabels {
    driver: Arc<str>,
    method: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RpcLabels {
    driver: Arc<str>,
    method: &'static str,
    code: &'static str,
}

impl Metrics {
    /// All at zero.
    pub(in crate::csi) fn of(services: &[&Service]) -> Self {
        let drivers = Drivers::of(services.iter().map(|service| service.0.driver.clone()));
        let rpcs = Family::default();
        let durations: Family<MethodLabels, Histogram, fn() -> Histogram> =
            Family::new_with_constructor(|| Histogram::new(BUCKETS));
        let in_flight = Family::default();
        let mut registry = Registry::with_prefix("drivebay");
        registry.register("rpcs", "RPCs that are over", rpcs.clone());
        registry.register_with_unit(
            "rpc_duration",
            "How long RPCs took",
            Unit::Seconds,
            durations.clone(),
        );
        registry.register(
            "rpcs_in_flight",
            "RPCs that are not over",
            in_flight.clone(),
        );
        registry.register_collector(Box::new(drivers.clone()));
        registry.register_collector(Box::new(Registrations::of(services)));
        let metrics = Self(Arc::new(Shared {
            registry,
            rpcs,
            durations,
            in_flight,
            drivers,
        }));
        for name in metrics.0.drivers.names() {
            metrics.in_flight(name);
        }
        metrics
    }

    /// In `OpenMetrics`' text format.
    pub(super) fn text(&self) -> Result<String, std::fmt::Error> {
        let mut out = String::new();
        text::encode(&mut out, &self.0.registry)?;
        Ok(out)
    }

    pub(super) fn in_flight(&self, driver: &str) -> Gauge {
        let labels = DriverLabel {
            driver: driver.into(),
        };
        self.0.in_flight.get_or_create_owned(&labels)
    }

    /// Where calls of that method which end so are counted.
    pub(super) fn of_method(
        &self,
        driver: &Arc<str>,
        method: &'static str,
        code: Code,
    ) -> MethodCounters {
        let labels = RpcLabels {
            driver: Arc::clone(driver),
            method,
            code: code_name(code),
        };
        let rpcs = self.0.rpcs.get_or_create_owned(&labels);
        let driver = Arc::clone(driver);
        let labels = MethodLabels { driver, method };
        let durations = self.0.durations.get_or_create_owned(&labels);
        MethodCounters { rpcs, durations }
    }
}

impl MethodCounters {
    /// One more, which took so long.
    pub(super) fn count(&self, took: Duration) {
        self.rpcs.inc();
        self.durations.observe(took.as_secs_f64());
    }
}

/// As gRPC's Go library spells them, and with it the metrics of the CSI sidecars.
fn code_name(code: Code) -> &'static str {
    match code {
        Code::Ok => "OK",
        Code::Cancelled => "Canceled",
        Code::Unknown => "Unknown",
        Code::InvalidArgument => "InvalidArgument",
        Code::DeadlineExceeded => "DeadlineExceeded",
        Code::NotFound => "NotFound",
        Code::AlreadyExists => "AlreadyExists",
        Code::PermissionDenied => "PermissionDenied",
        Code::ResourceExhausted => "ResourceExhausted",
        Code::FailedPrecondition => "FailedPrecondition",
        Code::Aborted => "Aborted",
        Code::OutOfRange => "OutOfRange",
        Code::Unimplemented => "Unimplemented",
        Code::Internal => "Internal",
        Code::Unavailable => "Unavailable",
        Code::DataLoss => "DataLoss",
        Code::Unauthenticated => "Unauthenticated",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_is_counted_by_method_and_code_and_timed_by_method() {
        let metrics = Metrics::of(&[]);
        let took = Duration::from_millis(3);
        for code in [Code::Ok, Code::Aborted, Code::Aborted] {
            let counters = metrics.of_method(&"nfs".into(), "NodePublishVolume", code);
            counters.count(took);
        }
        let text = metrics.text().expect("written");
        for line in [
            "drivebay_rpcs_total{driver=\"nfs\",method=\"NodePublishVolume\",code=\"OK\"} 1",
            "drivebay_rpcs_total{driver=\"nfs\",method=\"NodePublishVolume\",code=\"Aborted\"} 2",
            "drivebay_rpc_duration_seconds_bucket{le=\"0.0025\",driver=\"nfs\",method=\"NodePublishVolume\"} 0",
            "drivebay_rpc_duration_seconds_bucket{le=\"0.005\",driver=\"nfs\",method=\"NodePublishVolume\"} 3",
            "drivebay_rpc_duration_seconds_count{driver=\"nfs\",method=\"NodePublishVolume\"} 3",
        ] {
            assert!(text.lines().any(|found| found == line), "{line}\n{text}");
        }
        assert!(text.ends_with("# EOF\n"), "{text}");
    }

    #[test]
    fn codes_are_spelled_as_go_spells_them() {
        for number in 0..=16 {
            let name = code_name(Code::from_i32(number));
            assert!(name.chars().all(|c| c.is_ascii_alphabetic()), "{name}");
        }
        assert_eq!(code_name(Code::Ok), "OK");
        assert_eq!(code_name(Code::Cancelled), "Canceled");
    }
}
