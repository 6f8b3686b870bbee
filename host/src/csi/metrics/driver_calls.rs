//! The calls of one driver, counted.
//!
//! Most end well, by a handful of methods. Where those are counted is looked up once, and kept.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use prometheus_client::metrics::gauge::Gauge;
use tonic::{Code, Status};

use super::Metrics;
use super::counters::MethodCounters;
use super::unserved_calls::Rejected;

/// Of one driver, all of them.
#[derive(Debug)]
pub(super) struct DriverCalls {
    metrics: Metrics,
    driver: Arc<str>,
    in_flight: Gauge,
    /// Of calls that went well, by method.
    well: Mutex<HashMap<&'static str, MethodCounters>>,
    rejected: Rejected,
}

impl DriverCalls {
    /// None yet.
    pub(super) fn new(metrics: Metrics, driver: &str) -> Self {
        Self {
            in_flight: metrics.in_flight(driver),
            metrics,
            driver: driver.into(),
            well: Mutex::default(),
            rejected: Rejected::default(),
        }
    }

    /// Tells of a call that no service saw: the method as it is counted, and as the caller wrote it where nobody knows it.
    pub(super) fn rejected(&self, method: &'static str, asked: Option<&str>, status: &Status) {
        self.rejected.tell(&self.driver, method, asked, status);
    }

    pub(super) fn begin(&self) {
        self.in_flight.inc();
    }

    pub(super) fn end(&self, method: &'static str, code: Code, took: Duration) {
        let counters = || self.metrics.of_method(&self.driver, method, code);
        if code == Code::Ok {
            let mut well = self.well.lock().unwrap_or_else(PoisonError::into_inner);
            well.entry(method).or_insert_with(counters).count(took);
        } else {
            counters().count(took);
        }
        self.in_flight.dec();
    }
}
