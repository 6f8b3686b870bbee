//! Which drivers kubelet has registered, read when somebody asks.

use std::fmt;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::gauge::ConstGauge;

use crate::csi::plugin::Service;
use crate::csi::registration::KubeletStatus;

/// Of drivers that are to be registered.
#[derive(Debug)]
pub(super) struct Registrations(Vec<(String, KubeletStatus)>);

impl Registrations {
    pub(super) fn of(services: &[&Service]) -> Self {
        let registered = services.iter().filter_map(|service| {
            let (_, kubelet_status) = service.0.registration.as_ref()?;
            Some((
                service.0.driver.config().name.0.clone(),
                kubelet_status.clone(),
            ))
        });
        Self(registered.collect())
    }
}

impl Collector for Registrations {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let help = "Whether kubelet has registered the driver";
        let mut family = encoder.encode_descriptor("registered", help, None, MetricType::Gauge)?;
        for (driver, kubelet_status) in &self.0 {
            let registered = ConstGauge::new(i64::from(kubelet_status.is_registered()));
            registered.encode(family.encode_family(&[("driver", driver.as_str())])?)?;
        }
        Ok(())
    }
}
